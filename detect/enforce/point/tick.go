package point

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

const (
	tickEvery     = time.Second
	snapshotEvery = 30 * time.Second
	// maxPendingTicks is how many ticks may wait to be written: more of them carry no information
	// while no broker is reachable.
	maxPendingTicks = 5
)

// ticks numbers the ticks of this process.
type ticks struct {
	session    atomic.Pointer[string] // prefix of the ids of this process's ticks
	sent, done atomic.Int64
}

// number returns the number of a tick; false if this process did not write it.
func (t *ticks) number(c *schema.Command) (int64, bool) {
	session := t.session.Load()
	if session == nil || c.Kind != schema.CommandTick {
		return 0, false
	}
	text, own := strings.CutPrefix(c.ID, *session)
	if !own {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func (t *ticks) begin() {
	session := NewCommandID("t_") + "_"
	t.session.Store(&session)
}

// ticker does the work of a point that is due once a second.
type ticker struct{ *Point }

// run advances the log's clock with ticks, announces the point's position, and stores snapshots,
// until ctx ends.
func (p ticker) run(ctx context.Context) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	p.ticks.begin()
	stored, storedAt, stale := int64(-1), p.o.Now(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		beat := p.Heartbeat()
		if p.ticks.sent.Load()-p.ticks.done.Load() < maxPendingTicks {
			p.writeTick(ctx, &beat)
		}
		stale = p.updateGauges(stale)
		p.subscriber.Tick(beat.At)
		p.writeSettings()
		now := p.o.Now()
		if since := now.Sub(storedAt); since < 0 {
			storedAt = now // the clock was set back
		} else if beat.Applied > stored && (since >= snapshotEvery || p.snapshotDue.Swap(false)) && p.storeSnapshot(ctx) {
			stored, storedAt = beat.Applied, now
		}
	}
}

// writeTick writes a tick to the log, and the heartbeat.
func (p ticker) writeTick(ctx context.Context, beat *schema.PointState) {
	n := p.ticks.sent.Add(1)
	command := &schema.Command{ID: *p.ticks.session.Load() + strconv.FormatInt(n, 10), Kind: schema.CommandTick, By: p.o.Name}
	p.log.send(command, "tick", func(error) { p.ticks.done.Add(1) })
	if value, err := wire.EncodeDocument(wire.PointVersion, beat); err == nil {
		p.log.produce(ctx, &kgo.Record{Topic: wire.PointsTopic, Key: []byte(p.o.Name), Value: value}, "heartbeat", nil)
	}
}

// oldestSnapshot is the version of snapshots that name their log, which older binaries would not compare.
const oldestSnapshot = 3

// storeSnapshot writes the state to flyball.breakers; false if it cannot be encoded. The
// lock is held only to collect the state, not to encode it.
func (p ticker) storeSnapshot(ctx context.Context) bool {
	v := p.Acquire()
	snap := v.Snapshot()
	v.Release()
	value, err := wire.EncodeDocument(max(snap.Version(), oldestSnapshot),
		&snapshot{Snapshot: *snap, Log: &logNote{TopicID: p.commandsID.String(), Shift: p.epochs.Shift}})
	if err != nil {
		p.o.Logger.Error("the state cannot be encoded, and is not stored", "error", err)
		return false
	}
	p.log.produce(ctx, &kgo.Record{Topic: wire.BreakersTopic, Key: []byte("snapshot"), Value: value}, "snapshot", nil)
	return true
}
