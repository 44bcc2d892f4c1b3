package check

import (
	"sync"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// leaseLog is what leases need of the log; see Log.
type leaseLog interface {
	Send(command *schema.Command, written func(error))
	Answers() (answers, away bool)
	Folds() int64
	GiveUp(folds int64)
}

// leases are what this point holds of quotas. What it holds it spends without asking the
// log; when that runs out, one call asks the log for more and the others of the same quota
// wait for the result.
//
// Callers of each standing have leases of their own: what claimed callers fill up takes no
// place of the others.
type leases struct {
	point string // that writes the commands
	log   leaseLog
	m     *metrics

	mu      sync.Mutex
	held    [point.Standings]map[leaseKey]*lease
	pending map[string]*leaseRequest // by the id of the command
	n       [point.Standings]int     // of pending
}

type leaseKey struct{ tenant, of, quota, spender string }

type lease struct {
	window  int64
	ends    int64 // of the window, the log's time
	left    int64
	spent   bool          // the log had nothing left in this window
	pending *leaseRequest // what the log was asked for and has not answered; nil: nothing
}

// leaseRequest is a lease that is in the log, or will be. There is one at a time for each
// quota and spender, however long the log takes. Its result counts whenever it comes, so
// that a point that stops waiting loses nothing.
type leaseRequest struct {
	standing schema.Standing
	lease    *lease
	window   int64
	want     int64
	folds    int64         // records that this point had folded when it asked
	done     chan struct{} // closed when the result is there
}

const (
	// maxLeases is how many leases callers of one standing may have.
	maxLeases = 50_000
	// leaseShare of a quota is asked for at a time: small enough that a point that dies
	// takes little with it, large enough that one call in fifty waits.
	leaseShare = 50
)

func newLeases(name string, log leaseLog, m *metrics) *leases {
	l := &leases{point: name, log: log, m: m, pending: map[string]*leaseRequest{}}
	for standing := range l.held {
		l.held[standing] = map[leaseKey]*lease{}
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

// spend takes the units of a call by a caller of a standing out of a quota of the manifest
// of an agent or pattern.
func (l *leases) spend(standing schema.Standing, tenant, of string, s *manifest.Spend) spending {
	if s.Units > s.Limit {
		return spendOver
	}
	k := leaseKey{tenant, of, s.Quota, s.Of}
	var timeout <-chan time.Time
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		h := l.find(standing, k, s)
		if h == nil {
			return spendCrowd
		}
		if got, decided := l.take(standing, h, s); decided {
			return got
		}
		if h.pending == nil {
			l.request(standing, k, h, s)
			continue
		}
		if timeout == nil {
			t := time.NewTimer(point.ClaimTimeout)
			defer t.Stop()
			timeout = t.C
		}
		if !l.wait(h, timeout) {
			return spendLate
		}
	}
}

// find is the lease of a key in the spend's window; nil: there is no room for one more.
func (l *leases) find(standing schema.Standing, k leaseKey, s *manifest.Spend) *lease {
	held := l.held[standing]
	h := held[k]
	if h != nil && h.window >= s.Window {
		return h
	}
	if h == nil {
		if len(held) >= maxLeases {
			removeEnded(held, s.Window*s.Per)
		}
		if len(held) >= maxLeases {
			return nil
		}
		h = &lease{}
		held[k] = h
	}
	h.window, h.ends, h.left, h.spent = s.Window, (s.Window+1)*s.Per, 0, false
	return h
}

// take takes units out of what is held. It is not decided if the log must be asked for
// more, or was.
func (l *leases) take(standing schema.Standing, h *lease, s *manifest.Spend) (got spending, decided bool) {
	if h.left >= s.Units {
		h.left -= s.Units
		return spendDone, true
	}
	if h.spent {
		return spendOver, true
	}
	switch answers, away := l.log.Answers(); {
	case away:
		return spendAway, true
	case !answers:
		return spendLate, true
	}
	if h.pending == nil && l.n[standing] >= point.MaxClaims(standing) {
		return spendCrowd, true
	}
	return 0, false
}

// wait waits for the result of what was asked for a lease; false: not in time. Called and
// left with the lock held.
func (l *leases) wait(h *lease, timeout <-chan time.Time) bool {
	pending := h.pending
	l.mu.Unlock()
	late := false
	select {
	case <-pending.done:
	case <-timeout:
		late = true
	}
	l.mu.Lock()
	if late && h.pending == pending {
		l.m.claims.WithLabelValues(schema.CommandLease.String(), "not_in_time").Inc()
		l.log.GiveUp(pending.folds)
	}
	return !late
}

// request asks the log for more. Called and left with the lock held.
func (l *leases) request(standing schema.Standing, k leaseKey, h *lease, s *manifest.Spend) {
	id := point.NewCommandID("l_")
	r := &leaseRequest{standing: standing, lease: h, window: h.window, want: max(s.Units-h.left, s.Limit/leaseShare, 1),
		folds: l.log.Folds(), done: make(chan struct{})}
	h.pending, l.pending[id] = r, r
	l.n[standing]++
	l.mu.Unlock()
	defer l.mu.Lock()
	l.log.Send(&schema.Command{ID: id, Kind: schema.CommandLease, Tenant: k.tenant, By: l.point,
		Lease: &schema.Lease{Agent: k.of, Quota: k.quota, Spender: k.spender, Units: r.want, Window: r.window, Standing: &standing}},
		func(err error) {
			if err != nil {
				l.settle(id, enforce.Result{}) // it is not in the log
			}
		})
}

// settle takes in the result of a lease, also when nobody waits for it any more.
func (l *leases) settle(id string, r enforce.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[id]
	if p == nil {
		return
	}
	delete(l.pending, id)
	l.n[p.standing]--
	h := p.lease
	h.pending = nil
	close(p.done)
	if h.window != p.window {
		return // the window ended meanwhile, and the lease with it
	}
	switch r.Code {
	case enforce.Leased:
		h.left += r.Units
		h.spent = r.Units < p.want
	case enforce.QuotaSpent, enforce.TooManySpenders:
		h.spent = true
	default:
		h.spent = true // a denial of this call; a later one asks again
		time.AfterFunc(point.ClaimTimeout, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if h.window == p.window {
				h.spent = false
			}
		})
	}
}

// removeEnded removes leases of windows that were over at a time of the log's clock.
func removeEnded(held map[leaseKey]*lease, now int64) {
	for k, h := range held {
		if h.ends <= now && h.pending == nil {
			delete(held, k)
		}
	}
}
