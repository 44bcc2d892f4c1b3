package store

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// order is the order in which a batch's tables are inserted: a call is there
// before what points at it. Tables that are not named here come after.
var order = []string{"calls_store", "trace_calls", "touches_store", "runs_store", "stitching_store"}

// piece is one section of one journal record. It does not hold the record: a
// batch would be twice as large.
type piece struct {
	partition int32
	offset    int64
	rows      int
	native    []byte
}

// source is a partition of flyball.calls; a topic that was made again is another.
type source struct {
	id   schema.TopicID
	part int32
}

// batch is what will be inserted and committed together.
type batch struct {
	tables map[string][]piece
	names  []string // tables in the order of first appearance
	marks  map[source]clickhouse.Progress
	commit map[int32]kgo.EpochOffset // of the journal, per partition
	rows   int
	bytes  int
	first  time.Time
}

func newBatch() *batch {
	return &batch{tables: map[string][]piece{}, marks: map[source]clickhouse.Progress{}, commit: map[int32]kgo.EpochOffset{}}
}

func (b *batch) empty() bool { return len(b.commit) == 0 }

// covers notes that the batch settles r, whatever was done with it.
func (b *batch) covers(r *kgo.Record, now time.Time) {
	if b.empty() {
		b.first = now
	}
	b.commit[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
}

func (b *batch) add(r *kgo.Record, j *wire.Journal) {
	for _, s := range j.Sections {
		if s.Rows == 0 || len(s.Native) == 0 {
			continue
		}
		if b.tables[s.Table] == nil {
			b.names = append(b.names, s.Table)
		}
		b.tables[s.Table] = append(b.tables[s.Table], piece{r.Partition, r.Offset, s.Rows, s.Native})
		b.rows += s.Rows
		b.bytes += len(s.Native)
	}
	if j.To < 0 {
		return // run snapshots cover no calls
	}
	k := source{j.CallsTopicID, j.CallsPart}
	m := b.marks[k]
	b.marks[k] = clickhouse.Progress{CallsTopicID: k.id, CallsPartition: k.part, To: max(m.To, j.To), MaxStart: max(m.MaxStart, j.MaxStart)}
}

// inOrder is the batch's tables in the order of insertion.
func (b *batch) inOrder() []string {
	var out []string
	for _, n := range order {
		if b.tables[n] != nil {
			out = append(out, n)
		}
	}
	for _, n := range b.names {
		known := false
		for _, o := range order {
			known = known || o == n
		}
		if !known {
			out = append(out, n)
		}
	}
	return out
}

// drop forgets a partition that now belongs to somebody else.
func (b *batch) drop(partition int32) {
	if _, ok := b.commit[partition]; !ok {
		return
	}
	delete(b.commit, partition)
	for n, ps := range b.tables {
		kept := ps[:0]
		for _, p := range ps {
			if p.partition == partition {
				b.rows -= p.rows
				b.bytes -= len(p.native)
				continue
			}
			kept = append(kept, p)
		}
		b.tables[n] = kept
	}
	// Journal partition i is the output of calls partition i.
	for k := range b.marks {
		if k.part == partition {
			delete(b.marks, k)
		}
	}
}
