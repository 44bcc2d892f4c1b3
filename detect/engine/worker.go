package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/curve"
	"flyball/detect/detector"
	"flyball/detect/journal"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// worker owns one partition while it is assigned. One goroutine runs it.
type worker struct {
	cfg  *Config
	part int32
	m    *metrics

	state     *stitch.Partition
	detectors *detector.Set
	baselines *baselines
	log       progressLog
	begin     int64        // offset in Kafka from which the partition is read
	epochs    kafka.Epochs // of flyball.calls
	next      int64        // position after the last record; see schema.PositionOffset
	nextEpoch int32        // leader epoch of the last record, -1: unknown
	end       atomic.Int64 // highest end of the partition that was seen
	decoder   wire.CallsDecoder
	busy      time.Time // when the last record was applied
	closed    []*stitch.Run
	added     []*schema.Call // of the record that is applied: their rows are written together

	out        outbox
	journal    journalWriter
	publish    publisher
	checkpoint checkpointer
	counts     partitionMetrics

	in        *kafka.Queue
	turns     turns
	done      chan struct{} // closed when run has returned
	cancel    context.CancelFunc
	err       error                           // of run, after done
	committed atomic.Pointer[kgo.EpochOffset] // the offset in the partition's record, as offset in Kafka
	handled   atomic.Int64                    // next as offset in Kafka, for other goroutines
}

// newWorker returns a worker of a partition without any state.
func newWorker(cfg *Config, m *metrics, part int32, topic schema.TopicID, p kafka.Producer, b *baselines, active *atomic.Int64) *worker {
	w := &worker{cfg: cfg, m: m, part: part, baselines: b, in: kafka.NewQueue()}
	w.state = stitch.NewPartition(part, cfg.Limits)
	w.detectors = cfg.Detectors(cfg.Options, m.detectors)
	w.state.SetRunAttachment(w.detectors.NewRunState)
	w.state.SetActorAttachment(w.detectors.NewActorState)
	w.log.base = newProgress(cfg.Limits)
	w.log.now = w.log.base.clone()
	w.out.producer = p
	w.counts = partitionMetrics{m: m, part: strconv.Itoa(int(part)), active: active}
	w.publish = publisher{cfg: cfg, m: m, part: part, out: &w.out, active: active}
	w.journal = journalWriter{cfg: cfg, rows: journal.New(part), state: w.state, counts: curve.New(part, -1), out: &w.out, part: part,
		topic: topic, snapped: cfg.Now()}
	w.nextEpoch = -1
	w.checkpoint = checkpointer{cfg: cfg, part: part, noted: w.noted, state: &w.state.Store, log: &w.log, journal: &w.journal, out: &w.out,
		committed: -1, shown: &w.committed, currentAt: cfg.Now(), age: m.checkpoint.WithLabelValues(w.counts.part), written: m.stateWrites,
		logBytes: m.stateLog.WithLabelValues(w.counts.part),
		earlier:  earlierOwners{actors: map[string][]string{}}, trim: trimmer{limits: defaultTrimLimits}, anewBytes: maxAnewBytes}
	return w
}

// run applies records until the channel is closed (the partition was revoked or the process stops:
// everything is written out) or ctx ends (the partition was lost: nothing is written).
func (w *worker) run(ctx context.Context) error {
	tick := time.NewTicker(min(w.cfg.JournalEvery, time.Second))
	defer tick.Stop()
	defer w.counts.leave()
	for {
		select {
		case <-ctx.Done():
			return nil
		case records, ok := <-w.in.Records():
			if !ok {
				return w.drain(ctx)
			}
			if err := w.applyRecords(ctx, records); err != nil {
				return err
			}
			w.in.Taken(records)
			w.handled.Store(schema.KafkaOffset(w.next))
			w.busy = w.cfg.Now()
		case <-tick.C:
		}
		if err := w.writeDue(ctx, w.cfg.Now()); err != nil {
			return err
		}
	}
}

// writeDue writes what is due by the wall clock: rows, snapshots and checkpoints.
func (w *worker) writeDue(ctx context.Context, now time.Time) error {
	if w.journal.due(now) {
		if err := w.journal.writeRows(ctx); err != nil {
			return err
		}
	}
	if w.journal.snapshotsDue(now, w.busy) {
		w.journal.snapped = now
		w.journal.writeStates(ctx)
		w.counts.set(w.state, w.log.now.watermark)
	}
	return w.checkpoint.saveIfDue(ctx, now, w.next)
}

// drain writes everything out: the next owner replays nothing.
func (w *worker) drain(ctx context.Context) error {
	if err := w.journal.writeRows(ctx); err != nil {
		return err
	}
	w.journal.writeStates(ctx)
	w.counts.set(w.state, w.log.now.watermark)
	return w.checkpoint.save(ctx, len(w.state.Dirty()), w.next)
}

// applyRecord applies one record of flyball.calls.
func (w *worker) applyRecord(ctx context.Context, r *kgo.Record) error {
	at := w.epochs.Of(r)
	if at < w.next {
		return nil
	}
	err := w.applyValue(ctx, r, at)
	if errors.Is(err, errUnreadable) {
		err = w.skip(r, err)
	}
	if err != nil {
		return err
	}
	w.next, w.nextEpoch = at+1, r.LeaderEpoch
	w.journal.rows.Covered(at)
	w.state.AdvanceLogClock(w.log.now.water.LogClock())
	w.state.Advance(w.log.now.watermark, at)
	if err := w.rewriteCheckRows(at); err != nil {
		return err
	}
	w.journal.counts.EndRecord(at)
	w.state.Hours().EndRecord()
	if err := w.closeRuns(ctx, at); err != nil {
		return err
	}
	if w.journal.countsFull() {
		w.journal.writeStates(ctx)
	}
	if w.journal.full() {
		return w.journal.writeRows(ctx)
	}
	return nil
}

// errUnreadable marks the value of a record that cannot be decoded.
var errUnreadable = errors.New("cannot be read")

// applyValue applies the value of the record at a position.
func (w *worker) applyValue(ctx context.Context, r *kgo.Record, at int64) error {
	kind := byte(0)
	if len(r.Value) > 0 {
		kind = r.Value[0]
	}
	switch kind {
	case wire.KindMarks:
		marks, err := wire.DecodeMarks(r.Value)
		if err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		w.log.apply(&change{offset: at, marks: &marks})
		if len(marks.Activate) > 0 {
			var err error
			w.turns.lend(func() { err = w.activate(ctx) }) // it reads from Kafka
			return err
		}
	case wire.KindBinding:
		binding, err := wire.DecodeBinding(r.Value)
		if err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		w.state.BindTrace(&binding, at)
	default:
		calls, err := w.decoder.Decode(r.Value)
		if err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		if len(calls) > 0 {
			return w.applyBlock(ctx, calls, at)
		}
	}
	return nil
}

// skip handles a record that cannot be decoded: if a newer version wrote it, the partition stops;
// otherwise the record is counted and skipped.
func (w *worker) skip(r *kgo.Record, err error) error {
	if errors.Is(err, wire.ErrNewerVersion) {
		return fmt.Errorf("partition %d of %s at offset %d: %w", w.part, r.Topic, r.Offset, err)
	}
	w.m.malformed.Inc()
	w.cfg.Logger.Error("skipping malformed record", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
	return nil
}

// applyBlock applies the calls of a block that are new.
func (w *worker) applyBlock(ctx context.Context, calls []schema.Call, offset int64) error {
	s := change{offset: offset, source: w.log.now.own(calls[0].Source)}
	high, known := w.log.now.positions[s.source]
	if !known {
		high = schema.Position{Offset: -1}
	}
	w.journal.began()
	for i := range calls {
		c := &calls[i]
		s.eventTime = max(s.eventTime, c.Start)
		if !c.Pos.After(high) {
			w.m.duplicates.Inc()
			continue
		}
		high = c.Pos
		if err := w.applyCall(ctx, c, schema.CallRef{Partition: w.part, Offset: offset, Item: uint32(i)}); err != nil {
			return err
		}
	}
	w.journal.rows.AddCalls(w.added)
	w.added = w.added[:0]
	s.position = high
	w.log.apply(&s)
	return nil
}

// applyCall binds a call to its run, judges it and adds its rows to the journal.
func (w *worker) applyCall(ctx context.Context, c *schema.Call, at schema.CallRef) error {
	run := w.state.Apply(c, at.Offset)
	if run == nil {
		w.m.replayed.Inc()
		return nil
	}
	if err := w.publish.proven(ctx, run, c); err != nil {
		return err
	}
	if err := w.judge(ctx, run, c, at); err != nil {
		return err
	}
	if c.Tenant == schema.CanaryTenant {
		return nil // it leaves no rows and counts nowhere
	}
	w.counts.byRule[c.RunRule]++
	if c.Late {
		w.m.late.Inc()
	}
	w.journal.rows.AddNames(c, &run.RunSnapshot)
	w.added = append(w.added, c)
	w.journal.counts.Add(c, at.Offset)
	return nil
}

// judge passes a stitched call to the detectors and publishes their findings.
func (w *worker) judge(ctx context.Context, run *stitch.Run, c *schema.Call, at schema.CallRef) error {
	result := w.detectors.Judge(run, c, at)
	if result.Score != nil {
		w.journal.rows.Score(result.Score)
	}
	return w.publish.findings(ctx, run, result.Findings)
}

// rewriteCheckRows writes newer versions of the rows of the check that count now, because no line
// came in time. Their journal record covers the offset at which that was found.
func (w *worker) rewriteCheckRows(offset int64) error {
	err := w.state.EachAskedOnly(offset, func(_ *stitch.Run, c *schema.Call) {
		if c.Tenant == schema.CanaryTenant {
			return
		}
		w.journal.began()
		w.journal.rows.Replace(c)
		if c.CallsOffset > w.log.now.legacyTo {
			w.journal.counts.Add(c, offset)
		}
	})
	if err != nil {
		return fmt.Errorf("rows of the check in partition %d: %w", w.part, err)
	}
	return nil
}

// closeRuns closes the findings of runs that silence has closed, at an offset of flyball.calls.
func (w *worker) closeRuns(ctx context.Context, offset int64) error {
	w.closed = w.state.TakeClosed(w.closed[:0])
	defer clear(w.closed)
	for _, r := range w.closed {
		if r.Tenant != schema.CanaryTenant {
			w.m.closedRuns.Inc()
		}
		// The position is after all calls of the record: the highest item that fits into a version.
		at := schema.CallRef{Partition: w.part, Offset: offset, Item: 0x1ff}
		if err := w.publish.findings(ctx, r, w.detectors.Close(r, at)); err != nil {
			return err
		}
	}
	return nil
}
