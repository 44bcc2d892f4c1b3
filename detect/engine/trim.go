package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// trimLimits say when a partition of flyball.state is trimmed, and how fast.
type trimLimits struct {
	slack     int64         // bytes beyond twice what a restart needs from which the log is too long
	atLeast   int64         // bytes that a deletion frees at least
	eachRound int           // bytes of chains, about, that are written anew in one round
	after     time.Duration // how long what replaces deleted records has been written: a broker that does not sync has it on disk by then
}

var defaultTrimLimits = trimLimits{slack: 8 << 20, atLeast: 1 << 20, eachRound: 2 << 20, after: time.Minute}

// trimmer knows where in a partition of flyball.state that begins which a restart needs. When the log is more than twice as long as
// that, the chains at its beginning are written anew at its end, a few in each round, and the beginning is deleted. So the embedded
// broker does not need to compact the topic, during which it answers nobody.
//
// Only an owner that has written every record since its claim deletes: then nothing before its last record is of a later owner.
type trimmer struct {
	limits trimLimits
	remove func(ctx context.Context, before int64) error // deletes the records before an offset; nil: it is not done
	probed bool                                          // the broker does not refuse it

	next    int64 // offset after the last record of this owner
	alone   bool  // nobody else has written a record since the claim
	written int64 // bytes of all records up to next
	deleted int64 // bytes of the records that were deleted
	chains  []chainStart
	marks   []mark
	due     *cut  // is deleted when it is old enough
	anew    int64 // bytes that were written anew since the last cut

	countsAt, recordAt, noteAt int64 // offsets of the first delta of the counters, of the partition's record and of its note; -1: not written
}

// chainStart is the first delta of an actor's chain.
type chainStart struct {
	actor  string
	first  uint64 // number of the delta
	offset int64
}

// begunChain is a chainStart before its record has an offset.
type begunChain struct {
	chainStart
	record *kgo.Record
}

// mark says how many bytes are before an offset.
type mark struct{ offset, bytes int64 }

// cut is a beginning of the log that nothing needs.
type cut struct {
	mark
	at time.Time // when what replaces it was written
}

// errTrimRefused is the error of a broker that does not delete records of this topic.
var errTrimRefused = errors.New("the broker does not delete records of this topic")

// recordRemover returns a function that deletes the records of a partition of flyball.state before an offset.
func recordRemover(client *kgo.Client, part int32) func(context.Context, int64) error {
	adm := kadm.NewClient(client)
	return func(ctx context.Context, before int64) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		res, err := adm.DeleteRecords(ctx, kadm.Offsets{wire.StateTopic: {part: {Topic: wire.StateTopic, Partition: part, At: before}}})
		if err == nil {
			err = res.Error()
		}
		switch {
		case errors.Is(err, kerr.PolicyViolation), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.UnsupportedVersion):
			return fmt.Errorf("%w: %w", errTrimRefused, err)
		case errors.Is(err, kerr.OffsetOutOfRange): // they are deleted
			return nil
		}
		return err
	}
}

// begin sets the state after a takeover: the claim is at offset claim, and the log has so many bytes before it.
func (t *trimmer) begin(claim, bytes int64) {
	t.next, t.alone, t.written = claim+1, true, bytes
	t.countsAt, t.recordAt, t.noteAt = -1, -1, -1
	t.marks = []mark{{claim + 1, bytes}}
}

// wrote notes records that were acknowledged.
func (t *trimmer) wrote(records []*kgo.Record) {
	for _, r := range records {
		t.alone = t.alone && r.Offset == t.next
		t.next = r.Offset + 1
		t.written += int64(len(r.Key) + len(r.Value))
		switch {
		case len(r.Key) < 2 || r.Value == nil:
		case r.Key[0] == 'p':
			t.recordAt = r.Offset
		case r.Key[0] == 'n':
			t.noteAt = r.Offset
		}
	}
	if n := len(t.marks); n == 0 || t.written-t.marks[n-1].bytes >= t.limits.atLeast/4 {
		t.marks = append(t.marks, mark{t.next, t.written})
	}
}

// left returns how many bytes of records are not deleted; 0: the broker decides that.
func (t *trimmer) left() int64 {
	if t.remove == nil {
		return 0
	}
	return t.written - t.deleted
}

// beginning returns the last mark up to an offset; false: there is none that frees enough.
func (t *trimmer) beginning(offset int64) (last mark, ok bool) {
	for _, m := range t.marks {
		if m.offset > offset {
			break
		}
		last = m
	}
	return last, last.bytes-t.deleted >= t.limits.atLeast
}

// forget removes what is known about the records before a mark.
func (t *trimmer) forget(m mark) {
	t.deleted = m.bytes
	for len(t.marks) > 1 && t.marks[1].offset <= m.offset {
		t.marks = t.marks[1:]
	}
}

// write writes records of flyball.state and waits for them.
func (c *checkpointer) write(ctx context.Context, records ...*kgo.Record) error {
	if err := c.out.write(ctx, records...); err != nil {
		return err
	}
	c.trim.wrote(records)
	return nil
}

// holds reports whether a chain still begins where it began.
func (c *checkpointer) holds(s *chainStart) bool {
	first, _ := c.state.StoredDeltas(s.actor)
	return first == s.first
}

// trimIfLong writes the oldest chains anew if the log is too long, and deletes its beginning. A broker that does not delete records of
// a compacted topic compacts it itself.
func (c *checkpointer) trimIfLong(ctx context.Context, now time.Time) error {
	t := &c.trim
	if t.remove == nil || !t.alone {
		return nil
	}
	if t.due != nil {
		if now.Sub(t.due.at) >= t.limits.after {
			c.deleteBeginning(ctx)
		}
		return nil
	}
	live := c.state.StoredBytes()
	if t.written-t.deleted <= 2*live+t.limits.slack {
		return nil
	}
	if !t.probed {
		t.probed = c.removeBefore(ctx, 0)
		return nil
	}
	for len(t.chains) > 0 && !c.holds(&t.chains[0]) {
		t.chains = t.chains[1:]
	}
	m, ok := t.beginning(c.needed())
	if ok && t.written-m.bytes <= live*3/2+t.limits.slack {
		t.due, t.anew = &cut{m, now}, 0
		return nil
	}
	if t.anew > 2*live+t.limits.slack { // something that is not written anew holds the beginning
		return nil
	}
	return c.writeOldestAnew(ctx)
}

// needed returns the offset of the first record that a restart needs; -1: it may be one of an earlier owner.
func (c *checkpointer) needed() int64 {
	t := &c.trim
	if !c.earlier.none(c.state) {
		return -1
	}
	first := min(t.countsAt, t.recordAt, t.noteAt)
	for i := range t.chains {
		if c.holds(&t.chains[i]) {
			return min(first, t.chains[i].offset)
		}
	}
	return first
}

// writeOldestAnew writes some of the chains that begin first in the log anew. Those of actors with calls that are not stored yet
// begin again with their next checkpoint.
func (c *checkpointer) writeOldestAnew(ctx context.Context) error {
	if t := &c.trim; len(t.chains) > 0 && t.countsAt < t.chains[0].offset {
		c.journal.counts.StoreAnew()
	}
	var list []*stitch.Actor
	left := c.trim.limits.eachRound
	add := func(actor string) {
		a := c.state.Actor(actor)
		if a == nil {
			return
		}
		if a.StoreAnew(); a.DirtyFrom < 0 {
			list = append(list, a)
			left -= a.StoredBytes() + 1
			c.trim.anew += int64(a.StoredBytes())
		}
	}
	for actor := range c.earlier.actors {
		if add(actor); left <= 0 {
			break
		}
	}
	for i := range c.trim.chains {
		if left <= 0 {
			break
		}
		if s := &c.trim.chains[i]; c.holds(s) {
			add(s.actor)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := c.settleOutput(ctx); err != nil {
		return err
	}
	for len(list) > 0 {
		n, err := c.writeDeltas(ctx, list)
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// deleteBeginning deletes the beginning of the log up to the cut that is due.
func (c *checkpointer) deleteBeginning(ctx context.Context) {
	t := &c.trim
	done := t.due.mark
	t.due = nil
	if c.removeBefore(ctx, done.offset) {
		c.written.deleted.Add(float64(done.bytes - t.deleted))
		t.forget(done)
	}
}

// removeBefore deletes the records before an offset. It is not fatal if that fails.
func (c *checkpointer) removeBefore(ctx context.Context, offset int64) bool {
	err := c.trim.remove(ctx, offset)
	switch {
	case err == nil:
		return true
	case errors.Is(err, errTrimRefused):
		c.trim.remove = nil
		c.cfg.Logger.Info("the broker compacts "+wire.StateTopic+": detect does not delete its beginning", "partition", c.part, "reason", err)
	case ctx.Err() == nil && !kafka.IsUnreachable(err):
		c.cfg.Logger.Warn("the beginning of "+wire.StateTopic+" was not deleted, trying again", "partition", c.part, "error", err)
	}
	return false
}
