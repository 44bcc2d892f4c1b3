// Package quota is the state machine of leases: a point spends the units of a quota that it has
// leased, and requests more in the log. Leased units count as spent, so that all points together
// never exceed a quota. The units of a point that stops are lost until the window ends.
//
// It does not lease units for a window that does not contain the log's time. The number of spenders
// is bounded. Package manifest decides what a call costs and what the limits are.
package quota

import (
	"cmp"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Bounds of the spenders in their windows: of one agent's quotas, and in total. Spenders with a
// claimed identity have separate bounds, a quarter of these.
const (
	maxPerAgent, maxTotal               = 20_000, 200_000
	maxClaimedPerAgent, maxClaimedTotal = maxPerAgent / 4, maxTotal / 4
)

// Limits returns the limit of a tenant's quota and the length of its window in ns. It must return
// the same values at every point for the same position in the log.
type Limits func(tenant, agent, quota string) (limit, per int64, ok bool)

// Key identifies what is counted: a spender's units of a quota.
type Key struct {
	Tenant string `json:"tenant"`
	Agent  string `json:"agent"`
	Quota  string `json:"quota"`
	// Spender of the units: an agent, a run, a principal, a credential or an address.
	Spender string `json:"of"`
}

// Count reports how much of a quota is leased in a window.
type Count struct {
	Key
	Window int64 `json:"window"`  // number of the window since 1970
	Ends   int64 `json:"ends_ns"` // end of the window on the log's clock, Unix ns
	Units  int64 `json:"units"`   // leased
	Limit  int64 `json:"limit"`
	// Claimed: only the spender itself vouches for its identity.
	Claimed bool `json:"claimed,omitempty"`
}

// pool is the key by which spenders are counted: those of an agent's quotas, or all if the agent is
// empty.
type pool struct {
	tenant, agent string
	claimed       bool
}

func (c *Count) pools() [2]pool { return [2]pool{{c.Tenant, c.Agent, c.Claimed}, {claimed: c.Claimed}} }

// State holds the leased units. It is not safe for concurrent use.
type State struct {
	limits   Limits
	counts   map[Key]*Count
	spenders map[pool]int
	swept    int64
}

// New returns the state before any command.
func New(limits Limits) *State {
	return &State{limits: limits, counts: map[Key]*Count{}, spenders: map[pool]int{}}
}

// Apply leases units of a quota. Result.Units is the number of leased units, 0 unless the code is
// enforce.Leased. The last units of a quota are leased even if they are fewer than requested.
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
	ends := (l.Window + 1) * per
	have := s.counts[Key{c.Tenant, l.Agent, l.Quota, l.Spender}]
	switch {
	case have == nil:
		if have = s.add(now, c, ends); have == nil {
			return enforce.TooManySpenders, 0
		}
	case have.Window != l.Window:
		have.Window, have.Ends, have.Units = l.Window, ends, 0
	}
	have.Limit = limit
	units = min(l.Units, limit-have.Units)
	if units <= 0 {
		return enforce.QuotaSpent, 0
	}
	have.Units += units
	return enforce.Leased, units
}

// add adds the spender of a lease whose window ends at a time; nil: a bound is reached.
func (s *State) add(now int64, c *schema.Command, ends int64) *Count {
	s.sweep(now)
	l := c.Lease
	x := &Count{Key: Key{c.Tenant, l.Agent, l.Quota, l.Spender}, Window: l.Window, Ends: ends,
		Claimed: l.Standing != nil && *l.Standing == schema.StandingClaimed}
	perAgent, total := maxPerAgent, maxTotal
	if x.Claimed {
		perAgent, total = maxClaimedPerAgent, maxClaimedTotal
	}
	if p := x.pools(); s.spenders[p[0]] >= perAgent || s.spenders[p[1]] >= total {
		return nil
	}
	s.put(x)
	return x
}

func (s *State) put(c *Count) {
	s.counts[c.Key] = c
	for _, p := range c.pools() {
		s.spenders[p]++
	}
}

// sweep removes windows that have ended, at most once per second of the log's clock.
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

// List returns the leased units in windows that have not ended at a time, by agent, quota and
// spender.
func (s *State) List(now int64) []Count {
	out := make([]Count, 0, len(s.counts))
	for _, c := range s.counts {
		if now < c.Ends {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Quota, b.Quota),
			cmp.Compare(a.Spender, b.Spender))
	})
	return out
}

// Snapshot returns all leased units.
func (s *State) Snapshot() []Count { return s.List(0) }

// Restore returns the state of a snapshot.
func Restore(limits Limits, from []Count) *State {
	s := New(limits)
	for _, c := range from {
		s.put(&c)
	}
	return s
}
