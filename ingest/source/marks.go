package source

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// marker writes to every partition of flyball.calls how far the sources were read. Without marks, a partition that receives no calls of a
// source does not learn the progress of that source, and an idle source stops the watermark of every partition.
type marker struct {
	cfg  *Config
	adm  *kadm.Client
	out  *kgo.Client
	m    *metrics
	fail func(error) // ends the ingest of this process

	mu       sync.Mutex
	caughtUp map[key]time.Time // time since which a partition has been read to its end
}

// mark writes the marks of the partitions of readers.
func (w *marker) mark(ctx context.Context, readers map[key]*partitionReader, now time.Time) error {
	if len(readers) == 0 {
		return nil
	}
	details, err := w.adm.ListTopics(ctx, w.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("look up topics: %w", err)
	}
	starts, err := w.adm.ListStartOffsets(ctx, w.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := w.adm.ListEndOffsets(ctx, w.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	m := wire.Marks{At: now.UnixNano()}
	for k, p := range readers {
		if d, ok := details[k.topic]; ok && d.Err == nil && schema.TopicID(d.ID) != p.source.TopicID {
			return fmt.Errorf("topic %s: %w", k.topic, errRecreated)
		}
		m.Progress = append(m.Progress, w.markPartition(k, p, starts, ends, now))
	}
	w.write(ctx, &m)
	return nil
}

// markPartition returns the mark of one partition and sets its lag metrics.
func (w *marker) markPartition(k key, p *partitionReader, starts, ends kadm.ListedOffsets, now time.Time) wire.Progress {
	next, eventTime, idle := p.progress()
	lag := partitionLag(next, starts, ends, k)
	w.m.lag.WithLabelValues(k.topic, partitionLabel(k.part)).Set(float64(max(lag, 0)))
	age := 0.0
	if lag > 0 && eventTime > 0 {
		age = now.Sub(time.Unix(0, eventTime)).Seconds()
	}
	w.m.lagTime.WithLabelValues(k.topic, partitionLabel(k.part)).Set(age)
	progress := wire.Progress{Source: p.source, EventTime: eventTime}
	if since := w.caughtUpSince(k, lag == 0 && idle, now); !since.IsZero() && now.Sub(since) >= w.cfg.CurrentAfter {
		progress.CurrentAt = now.UnixNano()
	}
	return progress
}

// write writes m to every partition of flyball.calls.
func (w *marker) write(ctx context.Context, m *wire.Marks) {
	value := wire.EncodeMarks(nil, m)
	for part := range w.cfg.Partitions {
		w.out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: value}, func(_ *kgo.Record, err error) {
			switch {
			case err == nil || ctx.Err() != nil:
			case kafka.IsUnreachable(err):
				w.cfg.Logger.Warn("marks not written, trying again", "partition", part, "error", err)
			default:
				go w.fail(fmt.Errorf("write marks: %w", err))
			}
		})
	}
}

// partitionLag returns how many records of a partition were not read yet, or -1 if that is unknown.
func partitionLag(next int64, starts, ends kadm.ListedOffsets, k key) int64 {
	end, ok := ends.Lookup(k.topic, k.part)
	if !ok || end.Err != nil {
		return -1
	}
	if next < 0 {
		start, ok := starts.Lookup(k.topic, k.part)
		if !ok || start.Err != nil {
			return -1
		}
		next = start.Offset
	}
	return max(end.Offset-next, 0)
}

// caughtUpSince stores and returns the time since which a partition has been read to its end. It returns the zero time when the partition
// has not been read to its end.
func (w *marker) caughtUpSince(k key, caughtUp bool, now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, was := w.caughtUp[k]
	switch {
	case !caughtUp:
		delete(w.caughtUp, k)
		return time.Time{}
	case was:
		return since
	}
	w.caughtUp[k] = now
	return now
}

// forget removes what is known of a partition that is read no longer.
func (w *marker) forget(k key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.caughtUp, k)
}
