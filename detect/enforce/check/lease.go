package check

import (
	"sync"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// leaseLog is the part of the log that leases use; see Log.
type leaseLog interface {
	Send(command *schema.Command, written func(error))
	Answers() (answers, away bool)
	Folds() int64
	GiveUp(folds int64)
}

// leases holds the units of quotas that are reserved for this point. The point spends them without
// the log. When a lease is used up, one call requests another one in the log and the other calls of
// the same quota wait for the result.
//
// Callers of each standing have separate leases: claimed callers cannot use up the room of the
// others.
type leases struct {
	point string // name of the point that writes the commands
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
	spent   bool          // nothing is left of the quota in this window
	pending *leaseRequest // the request without a result yet; nil: none
}

// leaseRequest is a request for a lease that is in the log, or will be. There is one at a time for
// each quota and spender, however long the log takes. A late result still counts, so that a point
// that stops waiting loses nothing.
type leaseRequest struct {
	standing schema.Standing
	lease    *lease
	window   int64
	want     int64
	folds    int64         // records that this point had folded at the time of the request
	done     chan struct{} // closed when the result has arrived
}

const (
	// maxLeases is how many leases callers of one standing may have.
	maxLeases = 50_000
	// leaseShare is the part of a quota that is requested at a time (1/50): small enough that
	// little is lost when a point stops, large enough that only one call in fifty waits.
	leaseShare = 50
)

func newLeases(name string, log leaseLog, m *metrics) *leases {
	l := &leases{point: name, log: log, m: m, pending: map[string]*leaseRequest{}}
	for standing := range l.held {
		l.held[standing] = map[leaseKey]*lease{}
	}
	return l
}

// spending is the result of spending a call's units.
type spending uint8

const (
	spendDone  spending = iota
	spendOver           // the quota is spent
	spendLate           // the log is reachable, but the result was not in time
	spendAway           // the log is unreachable: the failure mode decides
	spendCrowd          // too many others of the standing wait for the log, or spend
)

// spend subtracts the units of a call, made by a caller of a standing, from a quota of the
// manifest of an agent or pattern.
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

// find returns the lease of a key in the spend's window; nil: there is no room for one more.
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

// take subtracts units from the lease. The result is undecided if more must be requested
// in the log, or already was.
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

// wait waits for the result of the pending request of a lease; false: it was not in time. The lock
// is held at the call and at the return.
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

// request writes the command for another lease. The lock is held at the call and at the return.
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

// settle applies the result of a lease request, also when no call waits for it any more.
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
		return // the window, and with it the lease, has ended meanwhile
	}
	switch r.Code {
	case enforce.Leased:
		h.left += r.Units
		h.spent = r.Units < p.want
	case enforce.QuotaSpent, enforce.TooManySpenders:
		h.spent = true
	default:
		h.spent = true // this call is denied; a later one requests again
		time.AfterFunc(point.ClaimTimeout, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if h.window == p.window {
				h.spent = false
			}
		})
	}
}

// removeEnded removes the leases of windows that had ended at a time of the log's clock.
func removeEnded(held map[leaseKey]*lease, now int64) {
	for k, h := range held {
		if h.ends <= now && h.pending == nil {
			delete(held, k)
		}
	}
}
