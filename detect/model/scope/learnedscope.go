package scope

import (
	"slices"

	"flyball/schema"
)

// TrainingRun is a run that may teach.
type TrainingRun struct {
	ID    string
	Agent string // under the name that it is learned by
	Group string // its peers
	Task  string // type of its task, empty: none that is known
	// Declared is the type that an orchestrator declared, before Task is known.
	Declared string
	Calls    []Access
	Names    []string // of the calls' routes; may be nil where nothing is published
	// ConfirmedBenign runs were found benign by a person: they teach whatever they did.
	ConfirmedBenign bool

	did *runUses
}

// LearnedScope is what some runs did.
type LearnedScope struct {
	Runs    uint32 // that taught
	writes  map[uint64]uint32
	reads   map[uint64]uint32
	touched map[uint64]uint32     // targets, on whatever route
	pairs   map[uint64]uint32     // write route and target
	recurs  map[uint64]Recurrence // route and kind
	kinds   map[uint64]uint64     // kind of each target
	sent    map[uint64]uint64     // kind of each route and kind in recurs
	names   map[uint64]string

	routesCut, targetsCut bool // there were more than may be kept
}

// Recurrence is how often the targets of one kind on one route come back: of so many
// runs that named any, in how many was one that another run named, too.
type Recurrence struct {
	Runs  uint32 `json:"runs"`
	Again uint32 `json:"again"`
}

// share of runs whose targets came back.
func (r Recurrence) share() float64 { return float64(r.Again) / float64(max(r.Runs, 1)) }

func newScope() *LearnedScope {
	return &LearnedScope{writes: map[uint64]uint32{}, reads: map[uint64]uint32{}, touched: map[uint64]uint32{}, pairs: map[uint64]uint32{},
		recurs: map[uint64]Recurrence{}, kinds: map[uint64]uint64{}, sent: map[uint64]uint64{}, names: map[uint64]string{}}
}

// LearnScope makes a scope of runs. Every one of them teaches.
func LearnScope(runs []*TrainingRun) *LearnedScope {
	s := newScope()
	for _, r := range runs {
		s.add(r)
	}
	s.countRecurrence(runs)
	return s
}

// runUses is what a run did, each thing once and in ascending order.
type runUses struct {
	writes, reads, touched, pairs []uint64
	sent                          map[uint64][]uint64 // places by route and kind
}

// uses of a run are worked out once.
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

// countRecurrence counts in how many runs a target of a route and kind came back.
func (s *LearnedScope) countRecurrence(runs []*TrainingRun) {
	in := map[uint64]uint32{} // runs that named a place on a route
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

// Recurrence is how targets of a route and kind recur, as far as these runs know.
func (s *LearnedScope) Recurrence(routeAndKind uint64) Recurrence {
	if s == nil {
		return Recurrence{}
	}
	return s.recurs[routeAndKind]
}
