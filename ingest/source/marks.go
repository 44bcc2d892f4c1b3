package source

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// mark writes to every partition of flyball.calls how far the sources were read. Without marks, a partition that receives no calls of a
// source does not learn the progress of that source, and an idle source stops the watermark of every partition.
func (s *Source) mark(ctx context.Context, now time.Time) error {
	readers := s.current()
	if len(readers) == 0 {
		return nil
	}
	details, err := s.adm.ListTopics(ctx, s.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("look up topics: %w", err)
	}
	starts, err := s.adm.ListStartOffsets(ctx, s.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := s.adm.ListEndOffsets(ctx, s.cfg.Topics...)
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	m := wire.Marks{At: now.UnixNano()}
	for k, p := range readers {
		if d, ok := details[k.topic]; ok && d.Err == nil && schema.TopicID(d.ID) != p.source.TopicID {
			return fmt.Errorf("topic %s: %w", k.topic, errRecreated)
		}
		m.Progress = append(m.Progress, s.markPartition(k, p, starts, ends, now))
	}
	s.writeMarks(ctx, &m)
	return nil
}

// markPartition returns the mark of one partition and sets its lag metrics.
func (s *Source) markPartition(k key, p *partitionReader, starts, ends kadm.ListedOffsets, now time.Time) wire.Progress {
	next, eventTime, idle := p.progress()
	lag := partitionLag(next, starts, ends, k)
	s.m.lag.WithLabelValues(k.topic, partitionLabel(k.part)).Set(float64(max(lag, 0)))
	age := 0.0
	if lag > 0 && eventTime > 0 {
		age = now.Sub(time.Unix(0, eventTime)).Seconds()
	}
	s.m.lagTime.WithLabelValues(k.topic, partitionLabel(k.part)).Set(age)
	progress := wire.Progress{Source: p.source, EventTime: eventTime}
	if since := s.caughtUpSince(k, lag == 0 && idle, now); !since.IsZero() && now.Sub(since) >= s.cfg.CurrentAfter {
		progress.CurrentAt = now.UnixNano()
	}
	return progress
}

// writeMarks writes m to every partition of flyball.calls.
func (s *Source) writeMarks(ctx context.Context, m *wire.Marks) {
	value := wire.EncodeMarks(nil, m)
	for part := range s.cfg.Partitions {
		s.out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: value}, func(_ *kgo.Record, err error) {
			switch {
			case err == nil || ctx.Err() != nil:
			case kafka.IsUnreachable(err):
				s.cfg.Logger.Warn("marks not written, trying again", "partition", part, "error", err)
			default:
				go s.fail(fmt.Errorf("write marks: %w", err))
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
func (s *Source) caughtUpSince(k key, caughtUp bool, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	since, was := s.caughtUp[k]
	switch {
	case !caughtUp:
		delete(s.caughtUp, k)
		return time.Time{}
	case was:
		return since
	}
	s.caughtUp[k] = now
	return now
}
