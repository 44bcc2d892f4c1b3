package api

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// leases are what this point holds of quotas. What it holds it spends without
// asking anybody; when it runs out, one call asks the log for more and the others
// of the same quota wait for its answer.
//
// Callers of each standing have leases of their own: what claimed callers fill up
// takes no place of the others.
type leases struct {
	mu    sync.Mutex
	all   [standings]map[leaseKey]*held
	asked map[string]*leaseAsked // by the id of the command
	n     [standings]int         // of those that were asked for
}

type leaseKey struct{ tenant, of, quota, spender string }

type held struct {
	window int64
	ends   int64 // of the window, the log's clock
	left   int64
	spent  bool        // the log had nothing left in this window
	asked  *leaseAsked // what the log was asked and has not answered; nil: nothing
}

// leaseAsked is a lease that stands in the log, or will. There is one at a time for
// each quota and spender, however long the log takes: its answer counts whenever it
// comes, so that a point that stops waiting loses nothing.
type leaseAsked struct {
	of     schema.Standing
	h      *held
	window int64
	want   int64
	folds  int64         // records that this point had folded when it asked
	done   chan struct{} // closed when the answer is there
}

const (
	mostHeld = 50_000 // of callers of one standing
	// leaseShare of a quota is asked for at a time: small enough that a point that
	// dies takes little with it, large enough that one call in fifty waits.
	leaseShare = 50
)

func newLeases() *leases {
	l := &leases{asked: map[string]*leaseAsked{}}
	for of := range l.all {
		l.all[of] = map[leaseKey]*held{}
	}
	return l
}

// spending is what became of a call's units.
type spending uint8

const (
	spendDone  spending = iota
	spendOver           // the quota is spent
	spendLate           // the log answers, and not in time
	spendAway           // the log is away: the failure mode decides
	spendCrowd          // too many others of the standing wait for the log, or spend
)

// spend takes the units of a call by a caller of a standing out of a quota of a manifest.
func (c *Control) spend(by schema.Standing, tenant, of string, s *manifest.Spend) spending {
	if s.Units > s.Limit {
		return spendOver
	}
	l, k := c.leases, leaseKey{tenant, of, s.Quota, s.Of}
	all := l.all[by]
	var timeout <-chan time.Time
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		h := all[k]
		if h == nil || h.window < s.Window {
			if h == nil && len(all) >= mostHeld {
				forget(all, s.Window*s.Per)
			}
			if h == nil && len(all) >= mostHeld {
				return spendCrowd
			}
			if h == nil {
				h = &held{}
				all[k] = h
			}
			h.window, h.ends, h.left, h.spent = s.Window, (s.Window+1)*s.Per, 0, false
		}
		if h.left >= s.Units {
			h.left -= s.Units
			return spendDone
		}
		if h.spent {
			return spendOver
		}
		switch answers, away := c.answers(); {
		case away:
			return spendAway
		case !answers:
			return spendLate
		}
		if h.asked == nil {
			if l.n[by] >= mostClaims[by] {
				return spendCrowd
			}
			c.lease(by, k, h, s)
			continue
		}
		if timeout == nil {
			t := time.NewTimer(claimWithin)
			defer t.Stop()
			timeout = t.C
		}
		asked := h.asked
		l.mu.Unlock()
		given := false
		select {
		case <-asked.done:
		case <-timeout:
			given = true
		}
		l.mu.Lock()
		if given && h.asked == asked {
			c.m.claims.WithLabelValues(schema.CommandLease.String(), "not_in_time").Inc()
			c.gaveUp(asked.folds)
		}
		if given {
			return spendLate
		}
	}
}

// lease asks the log for more; called and left with the lock held.
func (c *Control) lease(by schema.Standing, k leaseKey, h *held, s *manifest.Spend) {
	id := newID("l_")
	want := max(s.Units-h.left, s.Limit/leaseShare, 1)
	a := &leaseAsked{of: by, h: h, window: h.window, want: want, folds: c.folds.Load(), done: make(chan struct{})}
	h.asked, c.leases.asked[id] = a, a
	c.leases.n[by]++
	c.leases.mu.Unlock()
	defer c.leases.mu.Lock()
	written := c.faults.written("lease")
	c.send(&schema.Command{ID: id, Kind: schema.CommandLease, Tenant: k.tenant, By: c.o.Name,
		Lease: &schema.Lease{Agent: k.of, Quota: k.quota, Spender: k.spender, Units: a.want, Window: a.window, Standing: &by}}, func(r *kgo.Record, err error) {
		if written(r, err); err != nil {
			c.leases.settle(id, enforce.Result{}) // it is not in the log
		}
	})
}

// settle takes in what the log said to a lease, also when nobody waits for it any more.
func (l *leases) settle(id string, r enforce.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.asked[id]
	if a == nil {
		return
	}
	delete(l.asked, id)
	l.n[a.of]--
	h := a.h
	h.asked = nil
	close(a.done)
	if h.window != a.window {
		return // the window ended meanwhile, and the lease with it
	}
	switch r.Code {
	case enforce.Leased:
		h.left += r.Units
		h.spent = r.Units < a.want
	case enforce.QuotaSpent, enforce.TooManySpenders:
		h.spent = true
	default:
		h.spent = true // a no for this call; the next one asks again
		time.AfterFunc(claimWithin, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if h.window == a.window {
				h.spent = false
			}
		})
	}
}

// forget drops what was held in windows that were over at a time of the log's clock.
func forget(all map[leaseKey]*held, now int64) {
	for k, h := range all {
		if h.ends <= now && h.asked == nil {
			delete(all, k)
		}
	}
}
