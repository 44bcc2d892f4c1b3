// Package quota shares quotas out among enforcement points: a point spends what
// it has leased and asks the log for more. What was leased counts as spent, so
// that points together never pass a quota; the lease of a point that dies is lost
// until the window ends.
//
// It refuses to lease for a window that the log's clock is not in, and to
// remember more spenders than can be meant.
package quota

import (
	"cmp"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Bounds on spenders within their windows: of one agent's quotas, and of all. Those of
// a claimed identity have a quarter as many places beside the others'.
const (
	maxPerAgent, maxTotal               = 20_000, 200_000
	maxClaimedPerAgent, maxClaimedTotal = maxPerAgent / 4, maxTotal / 4
)

// Limits returns a quota of a tenant: its limit and the length of its window in ns. It
// must return the same at every point for the same position in the log.
type Limits func(tenant, agent, quota string) (limit, per int64, ok bool)

// Key is what is counted.
type Key struct {
	Tenant string `json:"tenant"`
	Agent  string `json:"agent"`
	Quota  string `json:"quota"`
	Of     string `json:"of"`
}

// Count is how much of a quota is given out in a window.
type Count struct {
	Key
	Window int64 `json:"window"`
	Ends   int64 `json:"ends_ns"`
	Units  int64 `json:"units"`
	Limit  int64 `json:"limit"`
	// Claimed: the spender's identity is its own word.
	Claimed bool `json:"claimed,omitempty"`
}

// pool is where spenders are counted: those of an agent's quotas, or with an empty
// agent of all.
type pool struct {
	tenant, agent string
	claimed       bool
}

func (c *Count) pools() [2]pool { return [2]pool{{c.Tenant, c.Agent, c.Claimed}, {claimed: c.Claimed}} }

// State holds what is given out. It is not for concurrent use.
type State struct {
	limits   Limits
	counts   map[Key]*Count
	spenders map[pool]int
	swept    int64
}

// New is a state before any command.
func New(limits Limits) *State {
	return &State{limits: limits, counts: map[Key]*Count{}, spenders: map[pool]int{}}
}

// Apply leases units of a quota: Result.Units is how many, 0 unless enforce.Leased. The
// last units of a quota are leased even when they are fewer than requested.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	code, units := s.lease(at.Time, c)
	return enforce.Result{Code: code, Units: units}, nil
}

func (s *State) lease(now int64, c *schema.Command) (code enforce.ResultCode, units int64) {
	l := c.Lease
	if l == nil || l.Units <= 0 {
		return enforce.NoSuchQuota, 0
	}
	limit, per, ok := s.limits(c.Tenant, l.Agent, l.Quota)
	if !ok || per <= 0 {
		return enforce.NoSuchQuota, 0
	}
	if now/per != l.Window {
		return enforce.NotInWindow, 0
	}
	k := Key{c.Tenant, l.Agent, l.Quota, l.Spender}
	have := s.counts[k]
	if have == nil {
		s.sweep(now)
		have = &Count{Key: k, Window: l.Window, Ends: (l.Window + 1) * per, Claimed: l.Standing != nil && *l.Standing == schema.StandingClaimed}
		ofAgent, all := maxPerAgent, maxTotal
		if have.Claimed {
			ofAgent, all = maxClaimedPerAgent, maxClaimedTotal
		}
		if p := have.pools(); s.spenders[p[0]] >= ofAgent || s.spenders[p[1]] >= all {
			return enforce.TooManySpenders, 0
		}
		s.put(have)
	}
	if have.Window != l.Window {
		have.Window, have.Ends, have.Units = l.Window, (l.Window+1)*per, 0
	}
	have.Limit = limit
	units = min(l.Units, limit-have.Units)
	if units <= 0 {
		return enforce.QuotaSpent, 0
	}
	have.Units += units
	return enforce.Leased, units
}

func (s *State) put(c *Count) {
	s.counts[c.Key] = c
	for _, p := range c.pools() {
		s.spenders[p]++
	}
}

// sweep forgets windows that are over, at most once a second of the log's clock.
func (s *State) sweep(now int64) {
	if now < s.swept+1e9 {
		return
	}
	s.swept = now
	for k, c := range s.counts {
		if now >= c.Ends {
			delete(s.counts, k)
			for _, p := range c.pools() {
				if s.spenders[p]--; s.spenders[p] <= 0 {
					delete(s.spenders, p)
				}
			}
		}
	}
}

// List is what is given out in windows that a time is in, by agent, quota and spender.
func (s *State) List(now int64) []Count {
	out := make([]Count, 0, len(s.counts))
	for _, c := range s.counts {
		if now < c.Ends {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Quota, b.Quota), cmp.Compare(a.Of, b.Of))
	})
	return out
}

// Snapshot is what is given out.
func (s *State) Snapshot() []Count { return s.List(0) }

// Restore is the state of a snapshot.
func Restore(limits Limits, from []Count) *State {
	s := New(limits)
	for _, c := range from {
		s.put(&c)
	}
	return s
}
