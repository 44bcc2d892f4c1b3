package scope

import "flyball/schema"

// Placement is the position of a call with respect to a scope.
type Placement uint8

// Placements, from the mildest to the most severe. Abstain means that the call was not placed.
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
// scope is only evidence and is not held.
func (v Placement) NeedsApproval() bool { return v >= TargetOutside }

// RuleName returns the name of the rule that holds the call, for metrics; empty: none.
func (v Placement) RuleName() string {
	switch v {
	case WriteOutside:
		return "task"
	case TargetOutside:
		return "targets"
	}
	return ""
}

// Rules configures what a scope holds.
type Rules struct {
	// Targets: judge the targets of a call in addition to its route.
	Targets bool
	// Pairs: a target is known only on the route on which it was written to, sites are
	// distinguished by their full address, and only writes are judged.
	Pairs bool
	// Recur is the minimum share of runs with recurring targets for targets of the
	// route and kind to be judged; 0 judges all targets.
	Recur float64
}

// TaskRules returns rules that hold a write on a route that the task does not use.
func TaskRules() Rules { return Rules{} }

// TargetRules returns rules that also hold a write to a target for which the route was not used.
func TargetRules() Rules { return Rules{Targets: true, Pairs: true} }

// DefaultRules returns the rules of a Guard. The measurements for each choice are in detect/adr/0005.
func DefaultRules() Rules { return Rules{Targets: true, Recur: .8} }

// minRecurrenceRuns is the minimum number of runs that named targets of a route and kind
// before their recurrence is used.
const minRecurrenceRuns = 5

// Named reasons why a call or its targets were not judged.
const (
	WhyNoHistory     = "no_history"
	WhyFewRuns       = "too_few_runs"
	WhyManyRoutes    = "too_many_routes"
	WhyManyTargets   = "too_many_targets"
	WhyTargetsNew    = "targets_do_not_recur"
	WhyTargetsUnseen = "targets_not_seen_often_enough"
	WhyDeclared      = "targets_are_declared"
)

// place returns the placement of a call in the scope. wider returns how the targets of a
// route and kind recur in all runs of the peers; it is used when the scope's runs are too few. A route or target is
// in the scope when more than `more` runs used it; 0 is for a call of a run that is not in the scope. why is
// set when targets were not judged.
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

// targetOutside reports whether the call changes or sends to a target that too few runs used. why
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

// usedTarget returns how many runs used a target: on this route with Rules.Pairs, else on any route.
func (s *LearnedScope) usedTarget(r Rules, c *Access, t *Target) uint32 {
	if r.Pairs {
		return s.pairs[schema.HashNumbers(c.Route, t.ID)]
	}
	return s.touched[t.scopeKey()]
}

// abstains returns the reason why an unknown target is not judged, or empty when it is judged.
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

// FirstHeld returns the index of the first call of a run that the scope holds, or −1 when there is none.
func (s *LearnedScope) FirstHeld(r Rules, calls []Access, wider func(routeAndKind uint64) Recurrence) int {
	for i := range calls {
		if is, _ := s.place(r, &calls[i], 0, wider); is.NeedsApproval() {
			return i
		}
	}
	return -1
}
