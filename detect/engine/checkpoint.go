package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema/wire"
)

// checkpoint is what a worker remembers of what it has written.
type checkpoint struct {
	generation uint64
	committed  int64 // the offset that the partition's record says

	at      time.Time           // of the last look
	samples []sample            // how far the partition was at recent looks, oldest first
	ghosts  []ghost             // empty entries waiting until no replay can need them
	stale   map[string][]string // per actor: generations of earlier owners' entries
	old     []string            // generations of earlier owners' partition records

	mu       sync.Mutex
	idle     *sync.Cond
	inflight int
	failure  error
}

type sample struct {
	at   time.Time
	next int64
}

type ghost struct {
	actor    string
	included int64
}

func (c *checkpoint) sent() {
	c.mu.Lock()
	c.inflight++
	c.mu.Unlock()
}

func (c *checkpoint) acked(err error) {
	c.mu.Lock()
	c.inflight--
	if err != nil && c.failure == nil {
		c.failure = fmt.Errorf("write %s: %w", wire.JournalTopic, err)
	}
	if c.idle != nil {
		c.idle.Broadcast()
	}
	c.mu.Unlock()
}

func (c *checkpoint) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// settled waits until everything sent has been acknowledged.
func (c *checkpoint) settled() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == nil {
		c.idle = sync.NewCond(&c.mu)
	}
	for c.inflight > 0 {
		c.idle.Wait()
	}
	return c.failure
}

// Keys of flyball.state. Each owner writes under its generation, so that a
// predecessor that does not know it was replaced cannot overwrite anything.
func actorKey(generation uint64, actor string) []byte {
	return []byte("a/" + strconv.FormatUint(generation, 10) + "/" + actor)
}

func partitionKey(generation uint64) []byte {
	return []byte("p/" + strconv.FormatUint(generation, 10))
}

func splitKey(key []byte) (kind, generation, actor string) {
	kind, rest, _ := strings.Cut(string(key), "/")
	generation, actor, _ = strings.Cut(rest, "/")
	return kind, generation, actor
}

// checkpointIfDue looks once a second: actors that have been dirty for
// CheckpointEvery are written, and the committed offset follows.
func (w *worker) checkpointIfDue(ctx context.Context, now time.Time) error {
	c := &w.checkpoint
	if now.Sub(c.at) < time.Second {
		return nil
	}
	c.at = now
	c.samples = append(c.samples, sample{now, w.next})
	due := int64(-1)
	for len(c.samples) > 1 && now.Sub(c.samples[0].at) >= w.cfg.CheckpointEvery {
		due = c.samples[0].next
		c.samples = c.samples[1:]
	}
	dirty := w.state.Dirty()
	n := 0
	for n < len(dirty) && dirty[n].DirtyFrom < due {
		n++
	}
	return w.save(ctx, n)
}

// drain writes everything out: the next owner replays nothing.
func (w *worker) drain(ctx context.Context) error {
	if err := w.cutJournal(ctx); err != nil {
		return err
	}
	w.cutSnapshots(ctx)
	w.gauges()
	return w.save(ctx, len(w.state.Dirty()))
}

// save writes the entries of the first n dirty actors, and then the
// partition's record if the offset to replay from has moved.
func (w *worker) save(ctx context.Context, n int) error {
	c := &w.checkpoint
	if n > 0 {
		// The entries will include calls whose rows must be durable first.
		if err := w.cutJournal(ctx); err != nil {
			return err
		}
		// An entry says which snapshots were handed out: those must be durable too.
		w.cutSnapshots(ctx)
		w.cfg.Stage("detect.output|checkpoint")
		if err := c.settled(); err != nil {
			return err
		}
		if err := w.writeEntries(ctx, n); err != nil {
			return err
		}
	}
	offset := w.next
	if dirty := w.state.Dirty(); len(dirty) > 0 {
		offset = dirty[0].DirtyFrom
	}
	if offset <= c.committed {
		return nil
	}
	if err := c.settled(); err != nil {
		return err
	}
	done := 0
	for done < len(w.steps) && w.steps[done].offset < offset {
		w.base.apply(&w.steps[done])
		done++
	}
	w.steps = append(w.steps[:0], w.steps[done:]...)
	w.cfg.Stage("detect.entries|record")
	rec := &kgo.Record{Topic: wire.StateTopic, Partition: w.part, Key: partitionKey(c.generation), Value: encodeProgress(w.base, offset, c.generation)}
	if err := w.insistAll(ctx, rec); err != nil {
		return fmt.Errorf("write record of partition %d to %s: %w", w.part, wire.StateTopic, err)
	}
	c.committed = offset
	w.committed.Store(offset)
	return w.bury(ctx)
}

func (w *worker) writeEntries(ctx context.Context, n int) error {
	c := &w.checkpoint
	records := make([]*kgo.Record, 0, n)
	var tombstones []*kgo.Record
	for _, a := range w.state.Dirty()[:n] {
		records = append(records, &kgo.Record{Topic: wire.StateTopic, Partition: w.part, Key: actorKey(c.generation, a.Key), Value: stitch.EncodeActor(nil, a, c.generation)})
		for _, generation := range c.stale[a.Key] {
			tombstones = append(tombstones, &kgo.Record{Topic: wire.StateTopic, Partition: w.part, Key: []byte("a/" + generation + "/" + a.Key)})
		}
		delete(c.stale, a.Key)
		if a.Empty() {
			c.ghosts = append(c.ghosts, ghost{a.Key, a.Included})
		}
	}
	if err := w.insistAll(ctx, records...); err != nil {
		return fmt.Errorf("write %d entries of partition %d to %s: %w", n, w.part, wire.StateTopic, err)
	}
	w.state.Saved(n)
	if len(tombstones) > 0 {
		if err := w.insistAll(ctx, tombstones...); err != nil {
			return fmt.Errorf("clear entries of earlier owners: %w", err)
		}
	}
	return nil
}

// bury removes the entries of actors of which nothing is remembered. They had
// to stay until the committed offset passed them: a replay would otherwise
// have taken their calls for new ones.
func (w *worker) bury(ctx context.Context) error {
	c := &w.checkpoint
	var tombstones []*kgo.Record
	rest := c.ghosts[:0]
	for _, g := range c.ghosts {
		if g.included >= c.committed {
			rest = append(rest, g)
			continue
		}
		done, later := w.state.Forget(g.actor)
		if later {
			rest = append(rest, g)
		}
		if done {
			tombstones = append(tombstones, &kgo.Record{Topic: wire.StateTopic, Partition: w.part, Key: actorKey(c.generation, g.actor)})
		}
	}
	c.ghosts = rest
	for _, generation := range c.old {
		tombstones = append(tombstones, &kgo.Record{Topic: wire.StateTopic, Partition: w.part, Key: []byte("p/" + generation)})
	}
	c.old = nil
	if len(tombstones) == 0 {
		return nil
	}
	if err := w.insistAll(ctx, tombstones...); err != nil {
		return fmt.Errorf("clear entries that nothing needs any more: %w", err)
	}
	return nil
}
