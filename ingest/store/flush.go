package store

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// flush inserts the batch, then its marks, then commits. Each step is complete before the next one begins. If the process is killed
// between two steps, the first one is repeated: repeated rows merge, or the records are skipped.
func (j *journal) flush(ctx context.Context, client *kgo.Client) error {
	b := j.cur
	if b.empty() {
		return nil
	}
	j.cur = newBatch()
	began := j.o.Now()
	if err := j.write.insertTables(ctx, b); err != nil {
		return err
	}
	if err := j.write.insertMarks(ctx, b); err != nil {
		return err
	}
	j.noteStored(b)
	j.o.Stage("stored")
	if err := j.commits.offsets(ctx, client, j.assigned.filterOwned(b.commit)); err != nil {
		return err
	}
	j.o.Stage("committed")
	j.parts.flushed()
	j.m.batches.Inc()
	j.m.seconds.Observe(j.o.Now().Sub(began).Seconds())
	return nil
}

// noteStored notes for the metric of ages that the records of a batch are stored, also of partitions without calls in it.
func (j *journal) noteStored(b *batch) {
	latest := map[int32]time.Time{}
	for k, m := range b.marks {
		if at := time.Unix(0, m.MaxStart); at.After(latest[k.part]) {
			latest[k.part] = at
		}
	}
	for part, end := range b.commit {
		j.m.eventAge.stored(part, latest[part], j.ends[part] > end.Offset)
	}
}
