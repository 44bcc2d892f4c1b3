package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// journal is the state of the loop that reads the journal and stores it in batches. Only that loop uses it, except for what the group
// assigns.
type journal struct {
	o       *Options
	log     *slog.Logger
	m       *metrics
	*health // of the store
	write   *writer
	commits *committer

	cur      *batch
	stored   map[source]int64     // highest calls offset handled, per source
	latest   map[source]time.Time // latest event stored before this process read the source
	full     bool                 // the last batch was closed because of its size
	parts    partsPace
	ends     map[int32]int64 // end of each journal partition at the last fetch
	behind   bool            // the last poll had records, and the journal holds more
	assigned assignment
}

func newJournal(s *Store) *journal {
	return &journal{o: &s.o, log: s.log, m: s.m, health: &s.health, write: &s.write, commits: &s.commits, cur: newBatch(),
		stored: map[source]int64{}, latest: map[source]time.Time{}, ends: map[int32]int64{}, assigned: assignment{owned: map[int32]bool{}}}
}

// untilDue returns how long a poll may wait before the batch must be flushed.
func (j *journal) untilDue() time.Duration {
	if j.cur.empty() {
		return maxIdle
	}
	g := j.gathered()
	wait := max(0, j.o.dueAge(g)-g.age)
	if j.behind {
		wait = max(wait, fetchWait) // records that were not fetched yet arrive in that time
	}
	return wait
}

// handle adds the records of one poll to the batch and flushes it when it is due. work ends Options.Drain after ctx.
func (j *journal) handle(ctx, work context.Context, client *kgo.Client, b kafka.Batch) error {
	if err := j.applyRebalance(ctx, client); err != nil {
		return err
	}
	for r := range b.RecordsAll() {
		if err := j.addRecord(work, client, r); err != nil {
			return err
		}
	}
	b.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			j.ends[p.Partition] = p.HighWatermark
			j.m.lag.WithLabelValues(partitionLabel(p.Partition)).Set(float64(p.HighWatermark - p.Records[n-1].Offset - 1))
		}
	})
	j.behind = b.NumRecords() > 0 && j.cur.isBehind(j.ends)
	if j.isDue() {
		return j.flush(work, client)
	}
	return nil
}

// gathered describes the batch for the decision whether it is due.
func (j *journal) gathered() gathered {
	b := j.cur
	return gathered{age: j.o.Now().Sub(b.first), lastCall: b.called.Sub(b.first), calls: b.calls, rows: b.rows, bytes: b.bytes,
		behind: j.behind, full: j.full, factor: j.parts.factor}
}

// isDue reports whether the batch must be inserted.
func (j *journal) isDue() bool {
	if j.cur.empty() {
		return false
	}
	g := j.gathered()
	why := j.o.due(g)
	if why == notDue {
		return false
	}
	j.full = why == dueBySize || j.o.isLarge(g)
	return true
}

// applyRebalance applies assigned and revoked partitions to the loop's state. It runs before a record of the new assignment is handled.
func (j *journal) applyRebalance(ctx context.Context, client *kgo.Client) error {
	lost, reread := j.assigned.changes()
	for _, p := range lost {
		j.cur.drop(p)
		j.m.lag.DeleteLabelValues(partitionLabel(p))
		j.m.eventAge.forget(p)
	}
	if len(lost) > 0 {
		j.m.refused.Set(float64(j.readAgain(lost)))
		client.ResumeFetchPartitions(map[string][]int32{wire.JournalTopic: lost})
	}
	if !reread {
		return nil
	}
	if err := j.readProgress(ctx); err != nil {
		return err
	}
	// Records in the batch count as handled although their progress is not in ClickHouse yet.
	for k, p := range j.cur.marks {
		j.stored[k] = max(j.stored[k], p.To)
	}
	return nil
}
