package point

import (
	"sync"

	"flyball/schema"
)

// maxTraces is how many openings of breakers are kept.
const maxTraces = 50

// traces holds the effects of the latest openings of breakers at this point, for receipts.
type traces struct {
	mu           sync.Mutex
	byGeneration map[uint64]*schema.PointTrace
	order        []uint64 // generations, the oldest first
}

func newTraces() *traces { return &traces{byGeneration: map[uint64]*schema.PointTrace{}} }

// applied records that a breaker was folded, at a time of this process's clock in Unix ns.
func (t *traces) applied(b *schema.Breaker, at int64) {
	if b.State != schema.BreakerOpen && b.State != schema.BreakerForcedOpen {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) >= maxTraces {
		delete(t.byGeneration, t.order[0])
		t.order = t.order[1:]
	}
	t.byGeneration[b.Generation] = &schema.PointTrace{Generation: b.Generation, Applied: at}
	t.order = append(t.order, b.Generation)
}

func (t *traces) denied(generation uint64, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.byGeneration[generation]
	if x == nil {
		return
	}
	if x.Denied++; x.FirstDenied == 0 {
		x.FirstDenied = at
	}
}

func (t *traces) list() []schema.PointTrace {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]schema.PointTrace, 0, len(t.order))
	for _, g := range t.order {
		out = append(out, *t.byGeneration[g])
	}
	return out
}
