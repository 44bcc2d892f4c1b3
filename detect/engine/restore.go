package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// restored holds what earlier owners of a partition stored, as far as it has been read.
type restored struct {
	limits  stitch.Limits
	actors  map[string]storedActor
	stale   map[string][]string // by actor: generations of its entries
	records map[string]bool     // generations of the partition's records
	notes   map[string]bool     // generations of the notes
	note    logNote             // the newest
	base    *progress
	offset  int64 // position from which a restart reads flyball.calls
}

// storedActor is an actor's newest entry and the generation of its key.
type storedActor struct {
	actor      *stitch.Actor
	generation string
}

func newRestored(limits stitch.Limits) *restored {
	return &restored{limits: limits, actors: map[string]storedActor{}, stale: map[string][]string{}, records: map[string]bool{},
		notes: map[string]bool{}, base: newProgress(limits)}
}

// add adds a record of flyball.state; state decodes actors.
func (r *restored) add(state *stitch.Partition, key, value []byte) error {
	switch kind, generation, actor := splitKey(key); {
	case kind == "a" && value == nil:
		// An owner deleted the entry: a later owner's entry has replaced it, or the actor has no
		// runs.
		if r.actors[actor].generation == generation {
			delete(r.actors, actor)
		}
		r.stale[actor] = without(r.stale[actor], generation)
	case kind == "a":
		a, _, err := state.Restore(value)
		if err != nil {
			return err
		}
		r.stale[actor] = append(without(r.stale[actor], generation), generation)
		if have := r.actors[actor]; have.actor == nil || a.Included >= have.actor.Included {
			r.actors[actor] = storedActor{a, generation}
		}
	case kind == "n":
		return r.addNote(generation, value)
	case kind == "p" && value == nil:
		delete(r.records, generation)
	case kind == "p":
		p, at, _, err := decodeProgress(value, r.limits)
		if err != nil {
			return err
		}
		r.records[generation] = true
		if at >= r.offset {
			r.base, r.offset = p, at
		}
	}
	return nil
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(list, func(x string) bool { return x == s })
}

// restore claims a partition and reads what earlier owners stored. It returns a worker that
// continues from the stored record.
func (e *Engine) restore(ctx context.Context, part int32) (*worker, error) {
	began := e.cfg.Now()
	generation, err := e.claim(ctx, part)
	if err != nil {
		return nil, err
	}
	w := newWorker(&e.cfg, e.m, part, e.callsID, e.out, e.baselines, &e.active)
	r := newRestored(e.cfg.Limits)
	if err := e.readState(ctx, part, generation, func(rec *kgo.Record) error { return r.add(w.state, rec.Key, rec.Value) }); err != nil {
		return nil, err
	}
	w.takeOver(r, uint64(generation))
	if err := e.findBegin(ctx, w, r); err != nil {
		return nil, err
	}
	if err := w.activate(ctx); err != nil {
		return nil, err
	}
	took := e.cfg.Now().Sub(began)
	e.m.restore.Observe(took.Seconds())
	e.cfg.Logger.Info("partition restored", "partition", part, "offset", w.begin, "actors", len(r.actors),
		"open_runs", w.state.OpenRuns(), "took", took.Round(time.Millisecond))
	if unknown := w.detectors.UnknownStates(); len(unknown) > 0 {
		e.cfg.Logger.Warn("keeping state of detectors that this version does not have", "reason", "unknown_detector_state",
			"partition", part, "detectors", unknown)
	}
	return w, nil
}

// claim writes a claim of a partition to flyball.state and returns its offset: the new owner's
// generation. All entries that earlier owners stored are before this offset.
func (e *Engine) claim(ctx context.Context, part int32) (int64, error) {
	rec := &kgo.Record{Topic: wire.StateTopic, Partition: part, Key: []byte("claim"), Value: []byte(e.member)}
	if err := e.out.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return 0, fmt.Errorf("claim partition %d in %s: %w", part, wire.StateTopic, err)
	}
	return rec.Offset, nil
}

// readState calls each for the records of a partition of flyball.state up to a claim.
func (e *Engine) readState(ctx context.Context, part int32, claim int64, each func(*kgo.Record) error) error {
	_, err := kafka.ReadToEnd(ctx, e.cfg.Kafka, readerName, wire.StateTopic, map[int32]int64{part: 0}, func(r *kgo.Record) error {
		if r.Offset > claim {
			return nil
		}
		if err := each(r); err != nil {
			return fmt.Errorf("%s/%d at offset %d: %w", wire.StateTopic, part, r.Offset, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("restore partition %d: %w", part, err)
	}
	return nil
}

// takeOver sets the worker's state to what was stored.
func (w *worker) takeOver(r *restored, generation uint64) {
	w.log.base = r.base
	w.log.base.water.Lateness = w.cfg.Limits.Lateness
	w.log.now = w.log.base.clone()
	w.next = r.offset
	w.state.SetWatermark(w.log.base.watermark)
	c := &w.checkpoint
	c.generation, c.committed, c.stale = generation, r.offset, r.stale
	for key, s := range r.actors {
		w.state.Adopt(s.actor)
		if s.actor.Empty() {
			c.emptyActors = append(c.emptyActors, emptyActor{key, s.actor.Included})
		}
	}
	for generation := range r.records {
		c.oldRecords = append(c.oldRecords, generation)
	}
	for generation := range r.notes {
		c.oldNotes = append(c.oldNotes, generation)
	}
}
