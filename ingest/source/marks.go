package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// pace commits once a second and writes marks every MarksEvery.
func (s *Source) pace(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var marked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.commit(ctx, s.current()); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("commit failed, trying again", "group", s.cfg.Group, "error", err)
		}
		if now := s.cfg.Now(); now.Sub(marked) >= s.cfg.MarksEvery {
			marked = now
			if err := s.mark(ctx, now); err != nil && ctx.Err() == nil {
				if errors.Is(err, errRecreated) {
					s.fail(err)
					return
				}
				s.cfg.Logger.Warn("marks not written, trying again", "error", err)
			}
		}
	}
}

// mark tells every partition of flyball.calls how far the sources have come.
// Partitions that a source does not write to would not know otherwise, and an
// idle source would hold everybody's watermark.
func (s *Source) mark(ctx context.Context, now time.Time) error {
	lanes := s.current()
	if len(lanes) == 0 {
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
	for k, l := range lanes {
		if d, ok := details[k.topic]; ok && d.Err == nil && schema.TopicID(d.ID) != l.source.TopicID {
			return fmt.Errorf("topic %s: %w", k.topic, errRecreated)
		}
		next, eventTime, settled := l.state()
		lag := lagOf(next, starts, ends, k)
		s.m.lag.WithLabelValues(k.topic, label(k.part)).Set(float64(max(lag, 0)))
		age := 0.0
		if lag > 0 && eventTime > 0 {
			age = now.Sub(time.Unix(0, eventTime)).Seconds()
		}
		s.m.lagTime.WithLabelValues(k.topic, label(k.part)).Set(age)
		p := wire.Progress{Source: l.source, EventTime: eventTime}
		if since := s.caughtUp(k, lag == 0 && settled, now); !since.IsZero() && now.Sub(since) >= s.cfg.CurrentAfter {
			p.CurrentAt = now.UnixNano()
		}
		m.Progress = append(m.Progress, p)
	}
	s.writeMarks(ctx, &m)
	return nil
}

// writeMarks writes to every partition of flyball.calls.
func (s *Source) writeMarks(ctx context.Context, m *wire.Marks) {
	value := wire.EncodeMarks(nil, m)
	for part := range s.cfg.Partitions {
		s.out.Produce(ctx, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: value}, func(_ *kgo.Record, err error) {
			if err != nil && ctx.Err() == nil {
				go s.fail(fmt.Errorf("write marks: %w", err))
			}
		})
	}
}

// lagOf is how many records wait, -1 when that is not known.
func lagOf(next int64, starts, ends kadm.ListedOffsets, k key) int64 {
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

// caughtUp keeps since when a lane has been caught up; zero when it is not.
func (s *Source) caughtUp(k key, caught bool, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch since, was := s.caught[k]; {
	case !caught:
		delete(s.caught, k)
		return time.Time{}
	case was:
		return since
	default:
		s.caught[k] = now
		return now
	}
}
