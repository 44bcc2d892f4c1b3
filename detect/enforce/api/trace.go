package api

import (
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// traces remember what the latest openings of breakers did at this point, for
// receipts. Written under the point's lock, but for denied.
type traces struct {
	mu   sync.Mutex
	by   map[uint64]*schema.PointTrace
	ring []uint64
}

const mostTraces = 50

func newTraces() *traces { return &traces{by: map[uint64]*schema.PointTrace{}} }

func (t *traces) applied(b *schema.Breaker, at int64) {
	if b.State != schema.BreakerOpen && b.State != schema.BreakerForcedOpen {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) >= mostTraces {
		delete(t.by, t.ring[0])
		t.ring = t.ring[1:]
	}
	t.by[b.Generation] = &schema.PointTrace{Generation: b.Generation, Applied: at}
	t.ring = append(t.ring, b.Generation)
}

func (t *traces) denied(generation uint64, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.by[generation]; x != nil {
		if x.Denied++; x.FirstDenied == 0 {
			x.FirstDenied = at
		}
	}
}

func (t *traces) list() []schema.PointTrace {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]schema.PointTrace, 0, len(t.ring))
	for _, g := range t.ring {
		out = append(out, *t.by[g])
	}
	return out
}

// points are the heartbeats of every point.
type points struct {
	mu sync.Mutex
	by map[string]schema.PointState
	// read: the heartbeats that stood in the log when this point started are in by.
	read atomic.Bool
}

const mostPoints = 1000

func newPoints() *points { return &points{by: map[string]schema.PointState{}} }

func (p *points) fold(r *kgo.Record) {
	state, err := wire.DecodeDocument[schema.PointState](r.Value, wire.PointVersion)
	if err != nil || state.Point == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.by[state.Point]; known || len(p.by) < mostPoints {
		p.by[state.Point] = state
	}
}

// live are the points that have spoken within a while of the log's clock, this
// one as it is now.
func (c *Control) live() []schema.PointState {
	own := c.Point()
	out := []schema.PointState{own}
	c.others.mu.Lock()
	defer c.others.mu.Unlock()
	for name, p := range c.others.by {
		if name != own.Point && own.At-p.At < int64(pointGone) {
			out = append(out, p)
		}
	}
	return out
}

// pointGone is when a point that does not speak is taken off the lists.
const pointGone = 10 * 60 * 1e9
