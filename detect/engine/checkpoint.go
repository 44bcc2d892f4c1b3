package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// checkpointer writes a partition's state to flyball.state: the entries of actors, and the
// partition's record with the offset that a restart replays from.
type checkpointer struct {
	cfg     *Config
	part    int32
	state   *stitch.Partition
	log     *progressLog
	journal *journalWriter
	out     *outbox

	generation uint64
	committed  int64         // the offset in the partition's record
	shown      *atomic.Int64 // committed as offset in Kafka, for other goroutines
	noted      func() logNote
	age        prometheus.Gauge
	written    stateWrites
	entries    []byte // space for entries; nothing holds it between two writes

	lookedAt    time.Time
	currentAt   time.Time           // when the record was last written or found up to date
	samples     []sample            // offsets of the partition at recent checks, oldest first
	emptyActors []emptyActor        // entries that are kept until no replay can need them
	stale       map[string][]string // by actor: generations of earlier owners' entries
	oldRecords  []string            // generations of earlier owners' partition records
	oldNotes    []string            // generations of earlier owners' notes
}

type sample struct {
	at   time.Time
	next int64
}

// emptyActor is the stored entry of an actor that has no runs.
type emptyActor struct {
	actor    string
	included int64
}

// actorKey and partitionKey return the keys of flyball.state. Each owner writes under its own
// generation, so that an earlier owner that still runs cannot overwrite anything.
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

func (c *checkpointer) record(key, value []byte) *kgo.Record {
	return &kgo.Record{Topic: wire.StateTopic, Partition: c.part, Key: key, Value: value}
}

// saveIfDue does its work at most once a second: it writes the actors that have been dirty for
// CheckpointEvery, and then moves the committed offset. next is the offset of the next record.
func (c *checkpointer) saveIfDue(ctx context.Context, now time.Time, next int64) error {
	if now.Sub(c.lookedAt) < time.Second {
		return nil
	}
	c.lookedAt = now
	c.samples = append(c.samples, sample{now, next})
	due := int64(-1)
	for len(c.samples) > 1 && now.Sub(c.samples[0].at) >= c.cfg.CheckpointEvery {
		due = c.samples[0].next
		c.samples = c.samples[1:]
	}
	dirty := c.state.Dirty()
	n := 0
	for n < len(dirty) && dirty[n].DirtyFrom < due {
		n++
	}
	before := c.committed
	err := c.save(ctx, n, next)
	if c.committed > before || c.committed >= next {
		c.currentAt = now
	}
	c.age.Set(now.Sub(c.currentAt).Seconds())
	return err
}

// save writes the entries of the first n dirty actors, and then the partition's record if
// the offset to replay from has moved.
func (c *checkpointer) save(ctx context.Context, n int, next int64) error {
	if n > 0 {
		// The entries include calls whose rows must be durable first.
		if err := c.journal.writeRows(ctx); err != nil {
			return err
		}
		// An entry records which snapshots were written: these must be durable, too.
		c.journal.writeSnapshots(ctx)
		c.cfg.Stage("detect.output|checkpoint")
		if err := c.out.wait(); err != nil {
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
	rec := c.record(partitionKey(c.generation), encodeProgress(c.log.base, offset, c.generation))
	note, err := c.noteRecord()
	if err != nil {
		return err
	}
	if err := c.out.write(ctx, note, rec); err != nil {
		return fmt.Errorf("write record of partition %d to %s: %w", c.part, wire.StateTopic, err)
	}
	c.committed = offset
	c.shown.Store(schema.KafkaOffset(offset))
	return c.writeTombstones(ctx)
}

// maxEntriesBytes is how many bytes of entries are encoded and written at a time: a partition can have
// tens of thousands of dirty actors, and their entries together take as much memory as their runs.
const maxEntriesBytes = 1 << 20

// maxKeptEntries is the largest space for entries that is kept: one actor's entry can be larger than maxEntriesBytes.
const maxKeptEntries = 16 << 20

// writeEntries writes the entries of the first n dirty actors.
func (c *checkpointer) writeEntries(ctx context.Context, n int) error {
	for n > 0 {
		written, err := c.writeSomeEntries(ctx, n)
		if err != nil {
			return err
		}
		n -= written
	}
	return nil
}

// writeSomeEntries writes entries of the first n dirty actors up to maxEntriesBytes, and returns how many.
func (c *checkpointer) writeSomeEntries(ctx context.Context, n int) (int, error) {
	var records, tombstones []*kgo.Record
	// write returns when its records are acknowledged: then the bytes are free for the next entries.
	buf := c.entries[:0]
	saved := c.state.Dirty()
	for _, a := range saved[:n] {
		if len(buf) >= maxEntriesBytes {
			break
		}
		from := len(buf)
		buf = stitch.EncodeActor(buf, a, c.generation)
		records = append(records, c.record(actorKey(c.generation, a.Key), buf[from:len(buf):len(buf)]))
		for _, generation := range c.stale[a.Key] {
			tombstones = append(tombstones, c.record([]byte("a/"+generation+"/"+a.Key), nil))
		}
		delete(c.stale, a.Key)
		if a.Empty() {
			c.emptyActors = append(c.emptyActors, emptyActor{a.Key, a.Included})
		}
	}
	if err := c.out.write(ctx, records...); err != nil {
		c.entries = nil // the client may still hold them
		return 0, fmt.Errorf("write %d entries of partition %d to %s: %w", len(records), c.part, wire.StateTopic, err)
	}
	if c.entries = buf; cap(buf) > maxKeptEntries {
		c.entries = nil
	}
	for i, r := range records {
		c.state.NoteStored(saved[i], len(r.Value))
	}
	c.written.entries.Add(float64(len(records)))
	c.written.bytes.Add(float64(len(buf)))
	c.state.Saved(len(records))
	if len(tombstones) > 0 {
		if err := c.out.write(ctx, tombstones...); err != nil {
			return 0, fmt.Errorf("clear entries of earlier owners: %w", err)
		}
	}
	return len(records), nil
}

// writeTombstones deletes the entries of actors that have no runs, and the partition records of
// earlier owners. The entries are kept until the committed offset has passed them: otherwise a
// replay would apply their calls again.
func (c *checkpointer) writeTombstones(ctx context.Context) error {
	var tombstones []*kgo.Record
	rest := c.emptyActors[:0]
	for _, e := range c.emptyActors {
		if e.included >= c.committed {
			rest = append(rest, e)
			continue
		}
		done, later := c.state.Forget(e.actor)
		if later {
			rest = append(rest, e)
		}
		if done {
			tombstones = append(tombstones, c.record(actorKey(c.generation, e.actor), nil))
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
	if err := c.out.write(ctx, tombstones...); err != nil {
		return fmt.Errorf("clear entries that nothing needs any more: %w", err)
	}
	return nil
}
