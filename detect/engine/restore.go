package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// restored holds what earlier owners of a partition stored, as far as it has been read.
type restored struct {
	limits  stitch.Limits
	state   *stitch.Store             // whose actors are decoded
	actors  map[string][]*storedActor // by key: one for each generation
	records map[uint64]storedRecord   // the partition's records by generation
	newest  uint64                    // highest generation that has stored a delta
	counts  []*storedCounts           // the partition's counters, one for each generation
	notes   map[string]bool           // generations of the notes
	note    logNote                   // the newest
	older   bool                      // a process of schema version 4 has claimed the partition
	bytes   int64                     // of all records

	// Of the newest record, once all have been read.
	base   *progress
	offset int64 // position from which a restart reads flyball.calls
}

// storedActor is what one owner has stored of an actor.
type storedActor struct {
	generation uint64
	entry      []byte // up to version 10; nil: none
	chain      *stitch.Chain
	stored     map[uint64]bool // numbers of the deltas whose keys are there
	unreadable error           // of the last delta whose beginning cannot be read; nil: none
	at         uint64          // its number
}

// storedRecord is a partition's record.
type storedRecord struct {
	base   *progress
	offset int64
}

func newRestored(limits stitch.Limits, state *stitch.Partition) *restored {
	return &restored{limits: limits, state: &state.Store, actors: map[string][]*storedActor{},
		records: map[uint64]storedRecord{}, notes: map[string]bool{},
		base: newProgress(limits)}
}

// splitKey divides a key of flyball.state. number is that of a delta.
func splitKey(key []byte) (kind, generation, number, actor string) {
	kind, rest, _ := strings.Cut(string(key), "/")
	generation, actor, _ = strings.Cut(rest, "/")
	if kind == "d" {
		number, actor, _ = strings.Cut(actor, "/")
	}
	return kind, generation, number, actor
}

// add adds a record of flyball.state.
func (r *restored) add(key, value []byte) error {
	r.bytes += int64(len(key) + len(value))
	kind, of, number, actor := splitKey(key)
	switch kind {
	case "a", "d", "p", "c":
	case "n":
		return r.addNote(of, value)
	case "claim":
		r.older = r.older || of == ""
		return nil
	default:
		return nil
	}
	generation, err := strconv.ParseUint(of, 10, 64)
	if err != nil {
		return fmt.Errorf("key %q: its generation is no number", key)
	}
	switch {
	case kind == "a":
		r.actor(actor, generation).entry = bytes.Clone(value)
	case kind == "c":
		return r.addCounts(generation, actor, value)
	case kind == "d":
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return fmt.Errorf("key %q: the number of its delta is none", key)
		}
		return r.addDelta(r.actor(actor, generation), n, value)
	case value == nil:
		delete(r.records, generation)
	default:
		p, at, _, err := decodeProgress(value, r.limits)
		if err != nil {
			return err
		}
		r.records[generation] = storedRecord{p, at}
	}
	return nil
}

// actor returns what a generation has stored of an actor.
func (r *restored) actor(key string, generation uint64) *storedActor {
	for _, s := range r.actors[key] {
		if s.generation == generation {
			return s
		}
	}
	s := &storedActor{generation: generation, chain: r.state.NewChain(), stored: map[uint64]bool{}}
	r.actors[key] = append(r.actors[key], s)
	return s
}

func (r *restored) addDelta(s *storedActor, number uint64, value []byte) error {
	if value == nil {
		s.chain.Remove(number)
		delete(s.stored, number)
		return nil
	}
	if err := s.chain.Add(number, value); err != nil {
		if !errors.Is(err, wire.ErrMalformed) {
			return err
		}
		s.unreadable, s.at = err, number
	}
	r.newest = max(r.newest, s.generation)
	s.stored[number] = true
	return nil
}

// keys returns the keys that a generation has stored of an actor.
func (s *storedActor) keys(actor string) (out []string) {
	if s.entry != nil {
		out = append(out, "a/"+strconv.FormatUint(s.generation, 10)+"/"+actor)
	}
	for n := range s.stored {
		out = append(out, string(deltaKey(s.generation, n, actor)))
	}
	return out
}

// choose sets base and offset to those of the newest owner's record. An owner writes a record before its first delta, if it
// has found one: records of earlier generations than that of a delta, with none of its own, were written by a replaced owner.
func (r *restored) choose() {
	newest, found := uint64(0), false
	for generation := range r.records {
		if generation >= r.newest && (!found || generation > newest) {
			newest, found = generation, true
		}
	}
	if found {
		r.base, r.offset = r.records[newest].base, r.records[newest].offset
	}
}

// newestActor returns the state of an actor by the newest owner that has stored it as a whole; nil: there is none. damaged are what of
// its runs cannot be read.
func (r *restored) newestActor(key string) (a *stitch.Actor, damaged []error, err error) {
	slices.SortFunc(r.actors[key], func(x, y *storedActor) int { return cmp.Compare(y.generation, x.generation) })
	for _, s := range r.actors[key] {
		if s.entry != nil {
			a, _, err = r.state.Restore(s.entry)
			return a, nil, err
		}
		if s.unreadable != nil && !s.chain.Void(s.at) {
			return nil, nil, fmt.Errorf("state of actor %q: delta %d: %w", key, s.at, s.unreadable)
		}
		if a, damaged, err = s.chain.Actor(); a != nil || err != nil {
			return a, damaged, err
		}
	}
	return nil, nil, nil
}

// restoreWithRetry calls restore again while no broker can be reached: a broker that stops while a partition is assigned
// must not end the process.
func (e *Engine) restoreWithRetry(ctx context.Context, part int32) (w *worker, err error) {
	err = kafka.Retry(ctx, backoff, func(ctx context.Context) error {
		if w, err = e.restore(ctx, part); err != nil && !kafka.IsUnreachable(err) {
			return kafka.Permanent(err)
		}
		return err
	}, func(err error, wait time.Duration) {
		e.cfg.Logger.Warn("partition not restored, trying again", "partition", part, "error", err, "again_in", wait.Round(time.Millisecond))
	})
	return w, err
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
	w.checkpoint.trim.remove = recordRemover(e.out, part)
	w.turns = e.turns
	r := newRestored(e.cfg.Limits, w.state)
	e.cfg.Stage("detect.claim|record")
	progress := e.restoring.restart(part)
	progress.claim.Store(generation)
	err = e.readState(ctx, part, generation, func(rec *kgo.Record) error {
		progress.read(rec.Offset, len(rec.Key)+len(rec.Value))
		return r.add(rec.Key, rec.Value)
	})
	if err != nil {
		return nil, fmt.Errorf("restore partition %d (%s): %w", part, progress, err)
	}
	if err := w.takeOver(r, uint64(generation)); err != nil {
		return nil, fmt.Errorf("restore partition %d: %w", part, err)
	}
	end, err := e.findBegin(ctx, w, r)
	if err != nil {
		return nil, err
	}
	if err := w.writeFirst(ctx, r, end); err != nil {
		return nil, err
	}
	if err := w.activate(ctx); err != nil {
		return nil, err
	}
	progress.done.Store(true)
	took := e.cfg.Now().Sub(began)
	e.m.restore.Observe(took.Seconds())
	e.cfg.Logger.Info("partition restored", "partition", part, "offset", w.begin, "actors", w.state.Actors(),
		"open_runs", w.state.OpenRuns(), "read_mib", r.bytes>>20, "took", took.Round(time.Millisecond))
	if unknown := w.detectors.UnknownStates(); len(unknown) > 0 {
		e.cfg.Logger.Warn("keeping state of detectors that this version does not have", "reason", "unknown_detector_state",
			"partition", part, "detectors", unknown)
	}
	return w, nil
}

// claimKey is the key of a claim. Up to version 11 of stored state it was "claim".
const claimKey = "claim/12"

// claim writes a claim of a partition to flyball.state and returns its offset: the new owner's
// generation. All entries that earlier owners stored are before this offset.
func (e *Engine) claim(ctx context.Context, part int32) (int64, error) {
	rec := &kgo.Record{Topic: wire.StateTopic, Partition: part, Key: []byte(claimKey), Value: []byte(e.member)}
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
	return err
}
