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
	logBytes   prometheus.Gauge // what is left of the log, if detect deletes its beginning
	trim       trimmer
	anewBytes  int // about as many bytes of chains of earlier owners are written anew in one round

	lookedAt    time.Time
	currentAt   time.Time    // when the record was last written or found up to date
	samples     []sample     // offsets of the partition at recent checks, oldest first
	due         int64        // actors that are dirty since before this offset are due
	emptyActors []emptyActor // actors that are kept until no replay can need them
	keptActors  []emptyActor // actors that are kept for longer, for what is known of them
	keptLook    time.Time    // when keptActors were looked at last
	passed      int64        // committed, one record ago
	earlier     earlierOwners
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
	err = c.trimIfLong(ctx, now)
	c.logBytes.Set(float64(c.trim.left()))
	return err
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
		tombstones = c.clearEarlierCounts(tombstones)
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
		tombstones = c.clearEarlier(tombstones, a.Key)
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
