package breaker

import (
	"cmp"
	"slices"
	"time"

	"flyball/schema"
)

const (
	// maxProbes is how many reads a half-open breaker lets pass, one at a time.
	maxProbes     = 3
	probeInterval = int64(time.Second)
	// probeObservation is how long after the last probe the detector may still trip because of the
	// probes.
	probeObservation = int64(30 * time.Second)
	// halfOpenTTL is how long a half-open breaker waits for a request. Without a request for this
	// time the breaker closes, because the caller has stopped.
	halfOpenTTL  = 24 * hour
	maxOpening   = 24 * hour
	maxDoublings = 8 // of the TTL of a breaker that opens again

	// Bounds. Callers with a claimed identity have at most the same room, and never take the room
	// of the others.
	maxBreakers       = 50_000 // of both pools; those of claimed callers are dropped first
	maxHistory        = 1_000
	maxClaimedHistory = 500
	maxStrikes        = 50_000 // of each pool
)

type key struct {
	tenant string
	scope  schema.Scope
}

// State holds all breakers, bypasses and budgets. It is not safe for concurrent use. A breaker that
// was returned is never changed.
type State struct {
	index
	tenantBudgets
	bypasses
	recentStrikes
	pastStates
	due deadlines
}

// index holds the breakers that are not closed, by all keys of a look-up.
type index struct {
	open   map[key]*schema.Breaker
	held   map[holderKey]*heldRuns // those on runs, by the holders of further runs that they hold
	routes map[string][]onRoute    // by tenant
	canary int                     // those of the canary
	// runRoutes are those on a run's route.
	runRoutes map[runRoute][]*schema.Breaker
}

// New returns the state before any command.
func New(b Budget) *State {
	return &State{
		index: index{open: map[key]*schema.Breaker{}, held: map[holderKey]*heldRuns{}, routes: map[string][]onRoute{},
			runRoutes: map[runRoute][]*schema.Breaker{}},
		tenantBudgets: tenantBudgets{b, map[string]Budget{}, map[string]*spending{}},
		bypasses:      bypasses{map[bypassed]schema.Bypass{}},
		recentStrikes: recentStrikes{[pools]map[key]strike{{}, {}}},
	}
}

// put replaces the breaker of a scope.
func (s *index) put(b *schema.Breaker) {
	k := keyOf(b.Tenant, b.Scope)
	s.remove(k)
	s.open[k] = b
	if k.tenant == schema.CanaryTenant {
		s.canary++
	}
	s.addRoute(b)
	s.addHeld(b)
}

func (s *index) remove(k key) {
	if b := s.open[k]; b != nil {
		delete(s.open, k)
		if k.tenant == schema.CanaryTenant {
			s.canary--
		}
		s.removeRoute(b)
		s.removeHeld(b)
	}
}

// OpenCount returns how many breakers are not closed, without the canary's.
func (s *index) OpenCount() int { return len(s.open) - s.canary }

// Breakers returns the breakers that are not closed, the latest first.
func (s *index) Breakers() []*schema.Breaker {
	out := make([]*schema.Breaker, 0, len(s.open))
	for _, b := range s.open {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *schema.Breaker) int {
		return cmp.Or(cmp.Compare(b.Generation, a.Generation), cmp.Compare(a.Scope.String(), b.Scope.String()))
	})
	return out
}
