package scope

import (
	"slices"

	"flyball/schema"
)

// TrainingRun is a run to learn scopes from.
type TrainingRun struct {
	ID    string
	Agent string // key of the agent in the baseline
	Group string // peer group
	Task  string // task type; empty: unknown
	// Declared is the task type that an orchestrator declared; Task is derived from it.
	Declared string
	Calls    []Access
	Names    []string // route names of Calls; may be nil when the scope is not published
	// ConfirmedBenign means that a person found the run benign: it is learned from in any case.
	ConfirmedBenign bool

	did *runUses
}

// LearnedScope counts in how many runs routes and targets were used.
type LearnedScope struct {
	Runs    uint32                // number of runs that it was learned from
	writes  map[uint64]uint32     // write routes
	reads   map[uint64]uint32     // read routes; nil: too many to keep
	touched map[uint64]uint32     // targets, on any route
	pairs   map[uint64]uint32     // write route and target
	recurs  map[uint64]Recurrence // by route and kind
	kinds   map[uint64]uint64     // kind by target
	sent    map[uint64]uint64     // kind by route and kind, the keys of recurs
	names   map[uint64]string     // route name by route

	routesCut, targetsCut bool // there were more than are kept
}

// Recurrence counts how often runs use the same targets of one kind on one route.
type Recurrence struct {
	Runs  uint32 `json:"runs"`  // runs that named any target
	Again uint32 `json:"again"` // runs that named a target which another run named too
}

// share returns the share of runs with a target that another run named too.
func (r Recurrence) share() float64 { return float64(r.Again) / float64(max(r.Runs, 1)) }

func newScope() *LearnedScope {
	return &LearnedScope{writes: map[uint64]uint32{}, reads: map[uint64]uint32{}, touched: map[uint64]uint32{}, pairs: map[uint64]uint32{},
		recurs: map[uint64]Recurrence{}, kinds: map[uint64]uint64{}, sent: map[uint64]uint64{}, names: map[uint64]string{}}
}

// LearnScope learns a scope from all of the runs.
func LearnScope(runs []*TrainingRun) *LearnedScope {
	s := newScope()
	for _, r := range runs {
		s.add(r)
	}
	s.countRecurrence(runs)
	return s
}

// runUses holds the routes and targets that a run used, each once, sorted.
type runUses struct {
	writes, reads, touched, pairs []uint64
	sent                          map[uint64][]uint64 // scope keys of targets by route and kind
}

// uses returns the routes and targets that the run used. It computes them once.
func (r *TrainingRun) uses() *runUses {
	if r.did != nil {
		return r.did
	}
	u := &runUses{sent: map[uint64][]uint64{}}
	for i := range r.Calls {
		c := &r.Calls[i]
		if c.Write {
			u.writes = append(u.writes, c.Route)
		} else {
			u.reads = append(u.reads, c.Route)
		}
		for j := range c.Targets {
			t := &c.Targets[j]
			u.touched = append(u.touched, t.scopeKey())
			if c.Write {
				u.pairs = append(u.pairs, schema.HashNumbers(c.Route, t.ID))
			}
			if c.leaves(t) {
				k := schema.HashNumbers(c.Route, t.Kind)
				u.sent[k] = append(u.sent[k], t.scopeKey())
			}
		}
	}
	for _, list := range [...]*[]uint64{&u.writes, &u.reads, &u.touched, &u.pairs} {
		*list = sortUnique(*list)
	}
	for k, places := range u.sent {
		u.sent[k] = sortUnique(places)
	}
	r.did = u
	return u
}

func sortUnique(list []uint64) []uint64 {
	slices.Sort(list)
	return slices.Compact(list)
}

func (s *LearnedScope) add(r *TrainingRun) {
	s.Runs++
	u := r.uses()
	count := func(into map[uint64]uint32, of []uint64) {
		for _, k := range of {
			into[k]++
		}
	}
	count(s.writes, u.writes)
	count(s.reads, u.reads)
	count(s.touched, u.touched)
	count(s.pairs, u.pairs)
	for i := range r.Calls {
		if r.Names != nil {
			s.names[r.Calls[i].Route] = r.Names[i]
		}
		for j := range r.Calls[i].Targets {
			t := &r.Calls[i].Targets[j]
			s.kinds[t.scopeKey()], s.sent[schema.HashNumbers(r.Calls[i].Route, t.Kind)] = t.Kind, t.Kind
		}
	}
}

// countRecurrence counts for each route and kind in how many runs a target was used that another run used too.
func (s *LearnedScope) countRecurrence(runs []*TrainingRun) {
	in := map[uint64]uint32{} // number of runs that named a target, by route, kind and target
	for _, r := range runs {
		for k, places := range r.uses().sent {
			for _, p := range places {
				in[schema.HashNumbers(k, p)]++
			}
		}
	}
	for _, r := range runs {
		for k, places := range r.uses().sent {
			n := s.recurs[k]
			n.Runs++
			if slices.ContainsFunc(places, func(p uint64) bool { return in[schema.HashNumbers(k, p)] > 1 }) {
				n.Again++
			}
			s.recurs[k] = n
		}
	}
}

// Recurrence returns how often targets of a route and kind recur in these runs. s may be nil.
func (s *LearnedScope) Recurrence(routeAndKind uint64) Recurrence {
	if s == nil {
		return Recurrence{}
	}
	return s.recurs[routeAndKind]
}
