package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// worker owns one partition while it is assigned. One goroutine runs it.
type worker struct {
	cfg   *Config
	part  int32
	topic schema.TopicID
	out   producer
	m     *metrics

	state *stitch.Partition
	now   *progress // after the last record applied
	base  *progress // as of the offset a restart would replay from
	steps []step    // applied since base, oldest first
	next  int64     // offset of the next record

	decoder  wire.CallsDecoder
	journal  *journal
	firstRow time.Time // when the oldest row not cut yet was added
	changed  []*stitch.Run
	snapped  time.Time // when snapshots were last handed out
	busy     time.Time // when the last record was applied

	judging   judge
	baselines *baselines
	active    *atomic.Int64 // established and proven actors with runs in this process

	checkpoint checkpoint
	rules      [8]uint64
	refused    [schema.StandingEstablished + 1]uint64
	counted    int64 // of this partition in active

	in        chan []*kgo.Record
	done      chan struct{} // closed when run has returned
	cancel    context.CancelFunc
	err       error        // of run, after done
	committed atomic.Int64 // the offset that the partition's record says
}

// maxJournalBytes cuts a journal record well below max.message.bytes of its topic.
const maxJournalBytes = 4 << 20

// producer is what a worker needs of the Kafka client.
type producer interface {
	// Produce sends in order; done is called once, from another goroutine.
	Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error))
	ProduceSync(ctx context.Context, r ...*kgo.Record) kgo.ProduceResults
}

// run applies what comes in until the channel is closed (the partition was
// revoked or the process stops: everything is written out) or ctx ends (it was
// lost: nothing is).
func (w *worker) run(ctx context.Context) error {
	tick := time.NewTicker(min(w.cfg.JournalEvery, time.Second))
	defer tick.Stop()
	defer func() { w.active.Add(-w.counted) }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case records, ok := <-w.in:
			if !ok {
				return w.drain(ctx)
			}
			for _, r := range records {
				if err := w.record(ctx, r); err != nil {
					return err
				}
			}
			w.busy = w.cfg.Now()
		case <-tick.C:
		}
		if err := w.pace(ctx, w.cfg.Now()); err != nil {
			return err
		}
	}
}

// pace writes what is due by the wall clock.
func (w *worker) pace(ctx context.Context, now time.Time) error {
	if w.journal.rows() > 0 && now.Sub(w.firstRow) >= w.cfg.JournalEvery {
		if err := w.cutJournal(ctx); err != nil {
			return err
		}
	}
	quiet := w.state.Changed() > 0 && now.Sub(w.busy) >= w.cfg.JournalEvery
	if quiet || now.Sub(w.snapped) >= w.cfg.SnapshotEvery {
		w.snapped = now
		w.cutSnapshots(ctx)
		w.gauges()
	}
	return w.checkpointIfDue(ctx, now)
}

// record applies one record of flyball.calls.
func (w *worker) record(ctx context.Context, r *kgo.Record) error {
	if r.Offset < w.next {
		return nil
	}
	s := step{offset: r.Offset}
	switch {
	case len(r.Value) > 0 && r.Value[0] == wire.KindMarks:
		marks, err := wire.DecodeMarks(r.Value)
		if err != nil {
			if err = w.unreadable(r, err); err != nil {
				return err
			}
			break
		}
		s.marks = &marks
		w.apply(&s)
		if len(marks.Activate) > 0 {
			if err := w.activate(ctx); err != nil {
				return err
			}
		}
	case len(r.Value) > 0 && r.Value[0] == wire.KindBinding:
		binding, err := wire.DecodeBinding(r.Value)
		if err != nil {
			if err = w.unreadable(r, err); err != nil {
				return err
			}
			break
		}
		w.state.BindTrace(&binding, r.Offset)
	default:
		calls, err := w.decoder.Decode(r.Value)
		if err != nil {
			if err = w.unreadable(r, err); err != nil {
				return err
			}
			break
		}
		if len(calls) > 0 {
			if err := w.block(ctx, calls, &s); err != nil {
				return err
			}
			w.apply(&s)
		}
	}
	w.next = r.Offset + 1
	w.journal.covered(r.Offset)
	w.state.Advance(w.now.watermark, r.Offset)
	if err := w.closeFindings(ctx, r.Offset); err != nil {
		return err
	}
	if w.journal.rows() >= w.cfg.JournalRows || w.journal.calls.Bytes() >= maxJournalBytes {
		return w.cutJournal(ctx)
	}
	return nil
}

func (w *worker) apply(s *step) {
	w.now.apply(s)
	w.steps = append(w.steps, *s)
}

// unreadable decides what a record that cannot be read means: one that a newer
// version wrote stops the partition, anything else is counted and passed over.
func (w *worker) unreadable(r *kgo.Record, err error) error {
	if errors.Is(err, wire.ErrNewerVersion) {
		return fmt.Errorf("partition %d of %s at offset %d: %w", w.part, r.Topic, r.Offset, err)
	}
	w.m.malformed.Inc()
	w.cfg.Logger.Error("record passed over", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
	return nil
}

// block binds the calls of a block that are new.
func (w *worker) block(ctx context.Context, calls []schema.Call, s *step) error {
	s.source = w.now.own(calls[0].Source)
	high, known := w.now.positions[s.source]
	if !known {
		high = schema.Position{Offset: -1}
	}
	if w.journal.rows() == 0 {
		w.firstRow = w.cfg.Now()
	}
	for i := range calls {
		c := &calls[i]
		s.eventTime = max(s.eventTime, c.Start)
		if !c.Pos.After(high) {
			w.m.duplicates.Inc()
			continue
		}
		high = c.Pos
		run := w.state.Apply(c, s.offset)
		if run == nil {
			w.m.replayed.Inc()
			continue
		}
		if err := w.proven(ctx, run, c); err != nil {
			return err
		}
		if err := w.judge(ctx, run, c, schema.CallRef{Partition: w.part, Offset: s.offset, Item: uint32(i)}); err != nil {
			return err
		}
		w.rules[c.RunRule]++
		if c.Late {
			w.m.late.Inc()
		}
		w.journal.add(c)
	}
	s.position = high
	return nil
}

func (w *worker) cutJournal(ctx context.Context) error {
	if value := w.journal.cut(w.topic); value != nil {
		w.produceJournal(ctx, value)
	}
	return w.checkpoint.err()
}

func (w *worker) cutSnapshots(ctx context.Context) {
	w.changed = w.state.TakeChanged(w.changed[:0])
	if len(w.changed) > 0 {
		w.produceJournal(ctx, w.journal.snapshots(w.changed, w.topic))
		clear(w.changed)
	}
}

func (w *worker) produceJournal(ctx context.Context, value []byte) {
	w.checkpoint.sent()
	w.out.Produce(ctx, &kgo.Record{Topic: wire.JournalTopic, Partition: w.part, Value: value}, func(_ *kgo.Record, err error) {
		w.checkpoint.acked(err)
	})
}

func (w *worker) gauges() {
	p := strconv.Itoa(int(w.part))
	active := int64(w.state.ActiveAgents())
	w.active.Add(active - w.counted)
	w.counted = active
	w.m.openRuns.WithLabelValues(p).Set(float64(w.state.OpenRuns()))
	w.m.actors.WithLabelValues(p).Set(float64(w.state.Actors()))
	w.m.watermark.WithLabelValues(p).Set(float64(w.now.watermark) / 1e9)
	for s := range schema.StandingEstablished + 1 {
		n := w.state.RefusalsByStanding(s)
		w.m.refusals.WithLabelValues(s.String()).Add(float64(n - w.refused[s]))
		w.refused[s] = n
	}
	for rule, n := range w.rules {
		if n > 0 {
			w.m.byRule.WithLabelValues(schema.RunRule(rule).String()).Add(float64(n))
			w.m.calls.Add(float64(n))
			w.rules[rule] = 0
		}
	}
}
