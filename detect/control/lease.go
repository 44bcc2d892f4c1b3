package control

import (
	"sync"
	"time"

	"flyball/detect/manifest"
	"flyball/detect/quota"
	"flyball/schema"
)

// leases are what this point holds of quotas. What it holds it spends without
// asking anybody; when it runs out, one call asks the log for more and the others
// of the same quota wait for its answer.
type leases struct {
	mu  sync.Mutex
	all map[leaseKey]*held
}

type leaseKey struct{ tenant, of, quota, spender string }

type held struct {
	window int64
	ends   int64 // of the window, the log's clock
	left   int64
	spent  bool          // the log had nothing left in this window
	asking chan struct{} // closed when the answer is there; nil: nobody asks
}

const (
	mostHeld = 50_000
	// leaseShare of a quota is asked for at a time: small enough that a point that
	// dies takes little with it, large enough that one call in fifty waits.
	leaseShare = 50
)

func newLeases() *leases { return &leases{all: map[leaseKey]*held{}} }

// spend takes a call's units out of a quota and reports whether there were enough.
func (c *Control) spend(tenant, of string, s *manifest.Spend) bool {
	if s.Units > s.Limit {
		return false
	}
	l, k := c.leases, leaseKey{tenant, of, s.Quota, s.Of}
	deadline := c.o.Now().Add(claimWithin)
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		h := l.all[k]
		if h == nil || h.window != s.Window {
			if h == nil && len(l.all) >= mostHeld {
				l.forget(s.Window * s.Per)
			}
			if len(l.all) >= mostHeld {
				return false
			}
			if h == nil {
				h = &held{}
				l.all[k] = h
			}
			h.window, h.ends, h.left, h.spent = s.Window, (s.Window+1)*s.Per, 0, false
		}
		if h.left >= s.Units {
			h.left -= s.Units
			return true
		}
		if h.spent || !c.o.Now().Before(deadline) {
			return false
		}
		if h.asking == nil {
			c.lease(k, h, s)
			continue
		}
		asking := h.asking
		l.mu.Unlock()
		select {
		case <-asking:
		case <-time.After(claimWithin):
		}
		l.mu.Lock()
	}
}

// lease asks the log for more; called and left with the lock held.
func (c *Control) lease(k leaseKey, h *held, s *manifest.Spend) {
	done := make(chan struct{})
	h.asking = done
	window := h.window
	want := max(s.Units-h.left, s.Limit/leaseShare, 1)
	c.leases.mu.Unlock()
	r, err := c.claim(schema.StandingEstablished, &schema.Command{ID: newID("l_"), Kind: schema.CommandLease, Tenant: k.tenant, By: c.o.Name,
		Lease: &schema.Lease{Agent: k.of, Quota: k.quota, Of: k.spender, Units: want, Window: window}})
	c.leases.mu.Lock()
	h.asking = nil
	close(done)
	if h.window != window {
		return // the window ended meanwhile, and the lease with it
	}
	switch {
	case err != nil || r.Outcome != string(quota.Leased):
		h.spent = r.Outcome == string(quota.Spent) || r.Outcome == string(quota.Full)
		if err != nil || !h.spent {
			h.spent = true // a no for this call; the next one asks again
			time.AfterFunc(claimWithin, func() {
				c.leases.mu.Lock()
				defer c.leases.mu.Unlock()
				if h.window == window {
					h.spent = false
				}
			})
		}
	default:
		h.left += r.Units
		h.spent = r.Units < want
	}
}

// forget drops what was held in windows that were over at a time of the log's clock.
func (l *leases) forget(now int64) {
	for k, h := range l.all {
		if h.ends <= now && h.asking == nil {
			delete(l.all, k)
		}
	}
}
