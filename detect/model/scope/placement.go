package scope

import "flyball/schema"

// Placement says where a call lies with respect to a scope.
type Placement uint8

// Placements, from the mildest to the most severe; Abstain is none.
const (
	Abstain Placement = iota
	Inside
	ReadOutside
	TargetOutside
	WriteOutside
)

var placementWords = []string{"abstain", "inside", "read_outside", "target_outside", "write_outside"}

func (v Placement) String() string { return placementWords[v] }

// NeedsApproval reports whether a call is held until it is approved. A read outside the
// scope is evidence and is not held.
func (v Placement) NeedsApproval() bool { return v >= TargetOutside }

// RuleName is the name of the rule that holds the call, for metrics; empty: none.
func (v Placement) RuleName() string {
	switch v {
	case WriteOutside:
		return "task"
	case TargetOutside:
		return "targets"
	}
	return ""
}

// Rules of a guard.
type Rules struct {
	// Targets: what is written to is judged, and not the route alone.
	Targets bool
	// Pairs: a target is known only on the route that it was written on, sites are
	// told apart by their whole address, and only writes are judged.
	Pairs bool
	// Recur is the least share of runs whose targets came back for targets of that
	// route and kind to be judged at all; 0 judges all of them.
	Recur float64
}

// TaskRules holds a write on a route that the task does not use.
func TaskRules() Rules { return Rules{} }

// TargetRules holds, too, a write to a target that the route was not used for.
func TargetRules() Rules { return Rules{Targets: true, Pairs: true} }

// DefaultRules is what is deployed; the figures of each choice are in detect/adr/0005.
func DefaultRules() Rules { return Rules{Targets: true, Recur: .8} }

// minRecurrenceRuns is how many runs must have named targets of a route and kind
// before their recurrence is judged by.
const minRecurrenceRuns = 5

// Named reasons of an abstention.
const (
	WhyNoHistory     = "no_history"
	WhyFewRuns       = "too_few_runs"
	WhyManyRoutes    = "too_many_routes"
	WhyManyTargets   = "too_many_targets"
	WhyTargetsNew    = "targets_do_not_recur"
	WhyTargetsUnseen = "targets_not_seen_often_enough"
	WhyDeclared      = "targets_are_declared"
)

// place says where a call lies by what some runs did. wider returns how the targets of a
// route and kind recur in all runs of the peers, for where these runs are too few. more is
// how many runs besides one must have done the same: 0 for a call of another run. why is
// set where targets were not judged.
func (s *LearnedScope) place(r Rules, c *Access, more uint32, wider func(routeAndKind uint64) Recurrence) (is Placement, why string) {
	used := s.reads
	if c.Write {
		used = s.writes
	}
	inside := used[c.Route] > more || !c.Write && s.reads == nil
	if c.Write && !inside {
		if s.routesCut {
			return Abstain, WhyManyRoutes
		}
		return WriteOutside, ""
	}
	if r.Targets {
		var outside bool
		if outside, why = s.targetOutside(r, c, more, wider); outside {
			return TargetOutside, ""
		}
	}
	if !inside {
		return ReadOutside, why
	}
	return Inside, why
}

// targetOutside reports whether the call is sent to a target that too few runs used. why
// is the last reason for which a target was not judged.
func (s *LearnedScope) targetOutside(r Rules, c *Access, more uint32, wider func(uint64) Recurrence) (outside bool, why string) {
	for i := range c.Targets {
		t := &c.Targets[i]
		if r.Pairs && !c.Write || !c.leaves(t) || s.usedTarget(r, c, t) > more {
			continue
		}
		abstained := s.abstains(r, c, t, wider)
		if abstained == "" {
			return true, why
		}
		why = abstained
	}
	return false, why
}

// usedTarget is how many runs used a target: on this route, or on any.
func (s *LearnedScope) usedTarget(r Rules, c *Access, t *Target) uint32 {
	if r.Pairs {
		return s.pairs[schema.HashNumbers(c.Route, t.ID)]
	}
	return s.touched[t.scopeKey()]
}

// abstains says why an unknown target is not judged; empty: it is.
func (s *LearnedScope) abstains(r Rules, c *Access, t *Target, wider func(uint64) Recurrence) string {
	if s.targetsCut {
		return WhyManyTargets
	}
	if r.Recur == 0 {
		return ""
	}
	k := schema.HashNumbers(c.Route, t.Kind)
	n := s.recurs[k]
	if n.Runs < minRecurrenceRuns && wider != nil {
		n = wider(k)
	}
	switch {
	case n.Runs < minRecurrenceRuns:
		return WhyTargetsUnseen
	case n.share() < r.Recur:
		return WhyTargetsNew
	}
	return ""
}

// FirstHeld is the index of the first call of a run that a scope holds; -1: none.
func (s *LearnedScope) FirstHeld(r Rules, calls []Access, wider func(routeAndKind uint64) Recurrence) int {
	for i := range calls {
		if is, _ := s.place(r, &calls[i], 0, wider); is.NeedsApproval() {
			return i
		}
	}
	return -1
}
