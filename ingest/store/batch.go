package store

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// insertOrder is the order in which the tables of a batch are inserted: a call is inserted before rows that refer to it. Tables that are
// not in the list are inserted last.
var insertOrder = []string{"calls_v5", "calls_store", "call_ids", "postings", "touches_v5", "runs_v5",
	"trace_calls", "touches_store", "runs_store", "stitching_v5", "stitching_store"}

// callTables are the tables with calls, which are inserted before the others.
var callTables = map[string]bool{"calls_v5": true, "calls_store": true}

// block is one section of one journal record. It does not keep the record, because a batch would then need twice the memory.
type block struct {
	partition int32
	offset    int64
	rows      int
	native    []byte
}

// source is a partition of flyball.calls. A topic that was deleted and created again has another id and is another source.
type source struct {
	id   schema.TopicID
	part int32
}

// batch is the set of blocks that are inserted and committed together.
type batch struct {
	tables map[string][]block
	names  []string // tables in the order of first appearance
	marks  map[source]clickhouse.Progress
	commit map[int32]kgo.EpochOffset // of the journal, per partition
	rows   int
	calls  int // rows of tables of calls
	bytes  int
	first  time.Time // when the first record was added
	called time.Time // when the last record with calls was added
}

func newBatch() *batch {
	return &batch{tables: map[string][]block{}, marks: map[source]clickhouse.Progress{}, commit: map[int32]kgo.EpochOffset{}}
}

func (b *batch) empty() bool { return len(b.commit) == 0 }

// isBehind reports whether a partition of the batch ends after the batch's last record of it.
func (b *batch) isBehind(ends map[int32]int64) bool {
	for part, next := range b.commit {
		if ends[part] > next.Offset {
			return true
		}
	}
	return false
}

// markConsumed extends the batch's commit to include r, whether r was added or skipped.
func (b *batch) markConsumed(r *kgo.Record, now time.Time) {
	if b.empty() {
		b.first = now
	}
	b.commit[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
}

// add appends the blocks of a journal record.
func (b *batch) add(r *kgo.Record, j *wire.Journal, now time.Time) {
	for _, s := range j.Sections {
		if s.Rows == 0 || len(s.Native) == 0 {
			continue
		}
		if b.tables[s.Table] == nil {
			b.names = append(b.names, s.Table)
		}
		b.tables[s.Table] = append(b.tables[s.Table], block{r.Partition, r.Offset, s.Rows, s.Native})
		b.rows += s.Rows
		b.bytes += len(s.Native)
		if isOfCalls(s.Table) {
			b.calls += s.Rows
			b.called = now
		}
	}
	if j.To < 0 {
		return // a run snapshot covers no calls
	}
	k := source{j.CallsTopicID, j.CallsPart}
	m := b.marks[k]
	b.marks[k] = clickhouse.Progress{CallsTopicID: k.id, CallsPartition: k.part, To: max(m.To, j.To), MaxStart: max(m.MaxStart, j.MaxStart)}
}

// isOfCalls reports whether a table has a row for each call.
func isOfCalls(table string) bool {
	return table == clickhouse.CallsTable.Name() || table == clickhouse.LegacyCallsTable.Name()
}

// tablesInOrder returns the batch's tables in the order of insertion.
func (b *batch) tablesInOrder() []string {
	var out []string
	for _, n := range insertOrder {
		if b.tables[n] != nil {
			out = append(out, n)
		}
	}
	for _, n := range b.names {
		if !slices.Contains(insertOrder, n) {
			out = append(out, n)
		}
	}
	return out
}

// drop removes the blocks and marks of a partition that now belongs to another member of the group.
func (b *batch) drop(partition int32) {
	if _, ok := b.commit[partition]; !ok {
		return
	}
	delete(b.commit, partition)
	for n, blocks := range b.tables {
		kept := blocks[:0]
		for _, p := range blocks {
			if p.partition == partition {
				b.rows -= p.rows
				b.bytes -= len(p.native)
				if isOfCalls(n) {
					b.calls -= p.rows
				}
				continue
			}
			kept = append(kept, p)
		}
		b.tables[n] = kept
	}
	// Journal partition i contains the output of partition i of flyball.calls.
	for k := range b.marks {
		if k.part == partition {
			delete(b.marks, k)
		}
	}
}
