package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"flyball/detect/curve"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// takeOver sets the worker's state to what was stored.
func (w *worker) takeOver(r *restored, generation uint64) error {
	r.choose()
	w.log.base = r.base
	w.log.base.water.Lateness = w.cfg.Limits.Lateness
	w.log.now = w.log.base.clone()
	w.next = r.offset
	w.state.SetWatermark(w.log.base.watermark)
	c := &w.checkpoint
	c.generation, c.committed, c.passed = generation, r.offset, r.offset
	c.trim.begin(int64(generation), r.bytes)
	for key, stored := range r.actors {
		a, damaged, err := r.newestActor(key)
		for _, what := range damaged {
			w.beginsAnew("run goes on without what the detectors kept of it: its stored state cannot be read", key, what)
		}
		if errors.Is(err, wire.ErrMalformed) {
			w.beginsAnew("actor begins anew: its stored state cannot be read", key, err)
			a, err = nil, nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", wire.StateTopic, err)
		}
		for _, s := range stored {
			c.earlier.actors[key] = append(c.earlier.actors[key], s.keys(key)...)
		}
		delete(r.actors, key)
		if a == nil {
			continue
		}
		w.state.Adopt(a)
		if a.Empty() {
			c.emptyActors = append(c.emptyActors, emptyActor{key, a.Included})
		}
	}
	counts, keys, err := r.newestCounts(w.part)
	if err != nil {
		return fmt.Errorf("%s: %w", wire.StateTopic, err)
	}
	if c.earlier.counts = keys; counts != nil {
		w.journal.counts = counts
	}
	for generation := range r.records {
		c.earlier.records = append(c.earlier.records, strconv.FormatUint(generation, 10))
	}
	for generation := range r.notes {
		c.earlier.notes = append(c.earlier.notes, generation)
	}
	return nil
}

// beginsAnew reports stored state that cannot be read. The others of the partition go on: without them nobody would be judged.
func (w *worker) beginsAnew(what, actor string, err error) {
	w.m.unreadable.Inc()
	w.cfg.Logger.Error(what, "reason", "unreadable_state", "partition", w.part, "actor", actor, "error", err)
}

// writeFirst stores the partition's record under the worker's generation, before the worker writes anything else, and sets which
// calls are rows of the tables of schema version 4. end is the end of the partition at the takeover. Whatever a process of that
// version has written is of calls before it; if this owner is lost before the record is stored, nothing was written yet, and the
// next owner looks again.
func (w *worker) writeFirst(ctx context.Context, r *restored, end kafka.LogState) error {
	legacyTo := r.legacyTo()
	if legacyTo == unknownLegacy {
		// At least 0, because runs of that version may be open although all of its records are gone.
		legacyTo = max(w.epochs.Position(end.LeaderEpoch, end.End)-1, 0)
	}
	w.log.base.legacyTo, w.log.now.legacyTo = legacyTo, legacyTo
	w.checkpoint.earlier.countsUntil = w.epochs.Position(end.LeaderEpoch, end.End) - 1
	w.state.SetLegacyTo(legacyTo)
	w.journal.rows.SetLegacyTo(legacyTo)
	if w.journal.counts.Included() < legacyTo {
		w.journal.counts = curve.New(w.part, legacyTo)
	}
	if len(r.records) == 0 {
		if legacyTo < 0 {
			return nil
		}
		// A process was lost before its first checkpoint: the partition is read from where it began, in any epoch.
		w.checkpoint.committed = w.begin
		return w.checkpoint.writeRecord(ctx, w.begin)
	}
	return w.checkpoint.writeRecord(ctx, r.offset)
}

// legacyTo returns what the partition's records say, unknownLegacy if only a process of schema version 4 has stored something, and
// -1 if nobody has.
func (r *restored) legacyTo() int64 {
	known := int64(unknownLegacy)
	for _, rec := range r.records {
		known = max(known, rec.base.legacyTo)
	}
	if known == unknownLegacy && len(r.records) == 0 && !r.older {
		return -1
	}
	return known
}
