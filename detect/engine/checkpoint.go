package engine

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// checkpointer writes a partition's state to flyball.state: the deltas of actors, and the
// partition's record with the offset that a restart replays from.
type checkpointer struct {
	cfg     *Config
	part    int32
	state   *stitch.Store
	log     *progressLog
	journal *journalWriter
	out     *outbox

	generation uint64
	committed  int64                            // the offset in the partition's record
	shown      *atomic.Pointer[kgo.EpochOffset] // committed as offset in Kafka, for other goroutines
	noted      func() logNote
	age        prometheus.Gauge
	written    stateWrites
	trim       trimmer
	anewBytes  int // about as many bytes of chains of earlier owners are written anew in one round

	lookedAt    time.Time
	currentAt   time.Time           // when the record was last written or found up to date
	samples     []sample            // offsets of the partition at recent checks, oldest first
	due         int64               // actors that are dirty since before this offset are due
	emptyActors []emptyActor        // actors that are kept until no replay can need them
	keptActors  []emptyActor        // actors that are kept for longer, for what is known of them
	keptLook    time.Time           // when keptActors were looked at last
	passed      int64               // committed, one record ago
	stale       map[string][]string // by actor: keys of earlier owners
	oldRecords  []string            // generations of earlier owners' partition records
	oldNotes    []string            // generations of earlier owners' notes
	oldCounts   []string            // keys of earlier owners' counters
	countsUntil int64               // the offset that counters include before those of earlier owners are deleted
}

type sample struct {
	at   time.Time
	next int64
}

// emptyActor is a stored actor that has no runs.
type emptyActor struct {
	actor    string
	included int64
}

// deltaKey and partitionKey return the keys of flyball.state. Each owner writes under its own
// generation, so that an earlier owner that still runs cannot overwrite anything. Up to version 10 of
// stored state, an actor had one entry under "a/", its generation and its key.
func deltaKey(generation, number uint64, actor string) []byte {
	return []byte("d/" + strconv.FormatUint(generation, 10) + "/" + strconv.FormatUint(number, 10) + "/" + actor)
}

// countsKey returns the key of a delta of the partition's counters.
func countsKey(generation, number uint64) []byte {
	return []byte("c/" + strconv.FormatUint(generation, 10) + "/" + strconv.FormatUint(number, 10))
}

func partitionKey(generation uint64) []byte {
	return []byte("p/" + strconv.FormatUint(generation, 10))
}

func (c *checkpointer) record(key, value []byte) *kgo.Record {
	return &kgo.Record{Topic: wire.StateTopic, Partition: c.part, Key: key, Value: value}
}

// freezeAfter is how many seconds after a checkpoint the runs are frozen that have not changed since. A run whose calls are further
// apart is decoded at most once in a checkpoint's interval.
const freezeAfter = 5

// saveIfDue does its work at most once a second: it writes the actors that have been dirty for
// CheckpointEvery, and then moves the committed offset. next is the offset of the next record.
func (c *checkpointer) saveIfDue(ctx context.Context, now time.Time, next int64) error {
	if now.Sub(c.lookedAt) < time.Second {
		return nil
	}
	c.lookedAt = now
	c.state.Freeze(freezeAfter)
	c.samples = append(c.samples, sample{now, next})
	for len(c.samples) > 1 && now.Sub(c.samples[0].at) >= c.cfg.CheckpointEvery {
		c.due = c.samples[0].next
		c.samples = c.samples[1:]
	}
	before := c.committed
	err := c.save(ctx, c.dueActors(), next)
	if c.committed > before || c.committed >= next {
		c.currentAt = now
	}
	c.age.Set(now.Sub(c.currentAt).Seconds())
	if err != nil {
		return err
	}
	return c.trimIfLong(ctx, now)
}

// maxAnewBytes is checkpointer.anewBytes of a worker.
const maxAnewBytes = 8 << 20

// dueActors returns how many of the dirty actors are written in this round: those that have been dirty for CheckpointEvery. After a
// takeover all of them become due at once, and each is written whole. These are divided among rounds: no call is judged meanwhile.
func (c *checkpointer) dueActors() (n int) {
	left := c.anewBytes
	for _, a := range c.state.Dirty() {
		if a.DirtyFrom >= c.due || n > 0 && left <= 0 {
			break
		}
		if _, next := c.state.StoredDeltas(a.Key); next == 0 {
			left -= a.StoredBytes()
		}
		n++
	}
	return n
}

// settleOutput makes durable what entries say was written before them: the rows of their calls and the snapshots of their runs.
func (c *checkpointer) settleOutput(ctx context.Context) error {
	if err := c.journal.writeRows(ctx); err != nil {
		return err
	}
	c.journal.writeStates(ctx)
	c.cfg.Stage("detect.output|checkpoint")
	return c.out.wait()
}

// save writes the entries of the first n dirty actors, and then the partition's record if
// the offset to replay from has moved.
func (c *checkpointer) save(ctx context.Context, n int, next int64) error {
	if n > 0 {
		if err := c.settleOutput(ctx); err != nil {
			return err
		}
		if err := c.writeEntries(ctx, n); err != nil {
			return err
		}
	}
	offset := next
	if dirty := c.state.Dirty(); len(dirty) > 0 {
		offset = dirty[0].DirtyFrom
	}
	if offset <= c.committed {
		return nil
	}
	if err := c.out.wait(); err != nil {
		return err
	}
	c.log.moveBase(offset)
	c.cfg.Stage("detect.entries|record")
	note, err := c.noteRecord()
	if err != nil {
		return err
	}
	if err := c.writeRecord(ctx, offset, note); err != nil {
		return err
	}
	c.passed, c.committed = c.committed, offset
	c.shown.Store(&kgo.EpochOffset{Epoch: max(int32(schema.PositionEpoch(offset))-c.noted().Shift, -1), Offset: schema.KafkaOffset(offset)})
	return c.writeTombstones(ctx)
}

// writeRecord writes the partition's record, after other records.
func (c *checkpointer) writeRecord(ctx context.Context, offset int64, before ...*kgo.Record) error {
	rec := c.record(partitionKey(c.generation), encodeProgress(c.log.base, offset, c.generation))
	if err := c.write(ctx, append(before, rec)...); err != nil {
		return fmt.Errorf("write record of partition %d to %s: %w", c.part, wire.StateTopic, err)
	}
	return nil
}

// maxEntriesBytes is how many bytes of deltas are encoded and written at a time: a partition can have
// tens of thousands of dirty actors.
const maxEntriesBytes = 1 << 20

// writeEntries writes the deltas of the first n dirty actors.
func (c *checkpointer) writeEntries(ctx context.Context, n int) error {
	for n > 0 {
		written, err := c.writeDeltas(ctx, c.state.Dirty()[:n])
		if err != nil {
			return err
		}
		c.state.Saved(written)
		n -= written
	}
	return nil
}

// writeDeltas writes deltas of the first of some actors, up to maxEntriesBytes, and returns of how many. The delta of the
// partition's counters is the first record: so they include every call that an actor's entry includes, and a replay counts all
// others.
func (c *checkpointer) writeDeltas(ctx context.Context, list []*stitch.Actor) (int, error) {
	var records, tombstones []*kgo.Record
	var began []begunChain
	var counts *kgo.Record // first of a chain
	size, actors := 0, 0
	if number, value, from, to := c.journal.counts.EncodeChanges(); value != nil {
		size += len(value)
		records = append(records, c.record(countsKey(c.generation, number), value))
		if number == to {
			counts = records[0]
		}
		for ; from < to; from++ {
			tombstones = append(tombstones, c.record(countsKey(c.generation, from), nil))
		}
		tombstones = c.clearOldCounts(tombstones)
	}
	for _, a := range list {
		if size >= maxEntriesBytes {
			break
		}
		deltas, from, to := c.state.EncodeChanges(a, c.generation)
		for _, d := range deltas {
			size += len(d.Value)
			records = append(records, c.record(deltaKey(c.generation, d.Number, a.Key), d.Value))
		}
		if first, _ := c.state.StoredDeltas(a.Key); first == deltas[0].Number {
			began = append(began, begunChain{chainStart{actor: a.Key, first: first}, records[len(records)-len(deltas)]})
		}
		actors++
		tombstones = c.clearDeltas(tombstones, a.Key, from, to)
		tombstones = c.clearStale(tombstones, a.Key)
		if a.Empty() {
			c.emptyActors = append(c.emptyActors, emptyActor{a.Key, a.Included})
		}
	}
	if err := c.write(ctx, records...); err != nil {
		return 0, fmt.Errorf("write %d deltas of partition %d to %s: %w", len(records), c.part, wire.StateTopic, err)
	}
	c.written.entries.Add(float64(len(records)))
	c.written.bytes.Add(float64(size))
	if counts != nil {
		c.trim.countsAt = counts.Offset
	}
	for _, b := range began {
		b.chainStart.offset = b.record.Offset
		c.trim.chains = append(c.trim.chains, b.chainStart)
	}
	if len(tombstones) > 0 {
		if err := c.write(ctx, tombstones...); err != nil {
			return 0, fmt.Errorf("clear what the deltas replace: %w", err)
		}
	}
	return actors, nil
}

// clearOldCounts adds to the tombstones those of earlier owners' counters. They are kept until this owner has counted all that a
// replaced owner can have read before the takeover: its last entries can come after the claim, and include more. They are also kept while
// an earlier owner's chain of an actor is the one that counts: a replaced owner that wakes up can add calls to it that were read since,
// and its counters must be whole to include them, too.
//
// What is left: such an owner stores an actor that no other owner has stored, after everything of it was cleared here. It writes only
// actors that have been dirty for CheckpointEvery, so it must have run for that long without noticing that it was replaced, which a
// member of the group does within kafka.SessionTimeout. Then these calls are missing in the counts by minute, and not in calls and runs.
func (c *checkpointer) clearOldCounts(tombstones []*kgo.Record) []*kgo.Record {
	if len(c.oldCounts) == 0 || c.journal.counts.Included() < c.countsUntil || c.hasStale() {
		return tombstones
	}
	for _, key := range c.oldCounts {
		tombstones = append(tombstones, c.record([]byte(key), nil))
	}
	c.oldCounts = nil
	return tombstones
}

// hasStale reports whether an actor is stored by an earlier owner only.
func (c *checkpointer) hasStale() bool {
	for actor := range c.stale {
		if c.state.Actor(actor) != nil {
			return true
		}
	}
	return false
}

// clearDeltas adds to the tombstones those of this owner's deltas of an actor with the numbers [from, to).
func (c *checkpointer) clearDeltas(tombstones []*kgo.Record, actor string, from, to uint64) []*kgo.Record {
	for ; from < to; from++ {
		tombstones = append(tombstones, c.record(deltaKey(c.generation, from, actor), nil))
	}
	return tombstones
}

// clearStale adds to the tombstones those of what earlier owners stored of an actor.
func (c *checkpointer) clearStale(tombstones []*kgo.Record, actor string) []*kgo.Record {
	for _, key := range c.stale[actor] {
		tombstones = append(tombstones, c.record([]byte(key), nil))
	}
	delete(c.stale, actor)
	return tombstones
}

// keptEvery is how often the actors are looked at that are kept without runs: there can be as many as there are actors.
const keptEvery = time.Minute

// writeTombstones deletes the deltas of actors that have no runs, and the partition records of
// earlier owners. The deltas are kept until the committed offset has passed them, otherwise a
// replay would apply their calls again; and until the next record after that, so that a replaced owner
// that does not know it yet deletes nothing in its first round.
func (c *checkpointer) writeTombstones(ctx context.Context) error {
	var tombstones []*kgo.Record
	if c.lookedAt.Sub(c.keptLook) >= keptEvery {
		c.emptyActors, c.keptActors, c.keptLook = append(c.emptyActors, c.keptActors...), c.keptActors[:0], c.lookedAt
	}
	rest := c.emptyActors[:0]
	for _, e := range c.emptyActors {
		if e.included >= c.passed {
			rest = append(rest, e)
			continue
		}
		if a := c.state.Actor(e.actor); a == nil || a.Included != e.included {
			continue // forgotten, or it had calls since: a later entry stands for it
		}
		first, next := c.state.StoredDeltas(e.actor)
		done, later := c.state.Forget(e.actor)
		if later {
			c.keptActors = append(c.keptActors, e)
		}
		if done {
			tombstones = c.clearStale(c.clearDeltas(tombstones, e.actor, first, next), e.actor)
		}
	}
	c.emptyActors = rest
	for _, generation := range c.oldRecords {
		tombstones = append(tombstones, c.record([]byte("p/"+generation), nil))
	}
	for _, generation := range c.oldNotes {
		tombstones = append(tombstones, c.record([]byte(notePrefix+generation), nil))
	}
	c.oldRecords, c.oldNotes = nil, nil
	if len(tombstones) == 0 {
		return nil
	}
	if err := c.write(ctx, tombstones...); err != nil {
		return fmt.Errorf("clear entries that nothing needs any more: %w", err)
	}
	return nil
}
