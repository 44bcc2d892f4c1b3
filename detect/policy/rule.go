package policy

import (
	"slices"
	"time"

	"flyball/schema"
)

// Rule chooses the action for a finding. A condition that is not set matches everything.
type Rule struct {
	Name string
	// Level of the finding: alert or trip. LevelNone matches both.
	Level schema.Level
	// Agent, Tag and Family are patterns: billing/*, payments, runaway.*.
	Agent, Tag, Family string
	Criticality        string // of the agent in the registry: low, normal, high
	// Reversibility of the worst call since the onset of the finding, as far as it is known:
	// irreversible if there was such a call, else that of the call that raised the finding.
	Reversibility schema.Reversibility
	Action        schema.Action
	TTL           time.Duration // 0: the TTL of Rules
}

// builtIn are the rules that apply where no rule of the operator matches.
var builtIn = []Rule{
	{Name: "alert annotates", Level: schema.LevelAlert, Action: schema.ActionAnnotate},
	{Name: "trip denies", Level: schema.LevelTrip, Action: schema.ActionDeny},
	{Name: "outside its scope asks", Family: schema.FamilyScope, Action: schema.ActionGate},
}

// specificity returns a number that orders rules: a rule that names the agent comes before one that
// names its tag, its criticality, the family, the reversibility and the level, in this order. Each
// condition weighs more than all conditions after it together.
func (r *Rule) specificity() int {
	n := 0
	for i, set := range [...]bool{r.Level != schema.LevelNone, r.Reversibility != schema.ReversibilityUnknown,
		r.Family != "", r.Criticality != "", r.Tag != "", r.Agent != ""} {
		if set {
			n |= 1 << i
		}
	}
	return n
}

func (r *Rule) matches(in *Input) bool {
	f := in.Finding
	return (r.Level == schema.LevelNone || r.Level == f.Level) &&
		(r.Agent == "" || matchesPattern(r.Agent, f.AgentID)) &&
		(r.Tag == "" || slices.ContainsFunc(in.Tags, func(t string) bool { return matchesPattern(r.Tag, t) })) &&
		(r.Family == "" || matchesPattern(r.Family, f.Family)) &&
		(r.Criticality == "" || r.Criticality == in.Criticality) &&
		(r.Reversibility == schema.ReversibilityUnknown || r.Reversibility == worstReversibility(in))
}

func worstReversibility(in *Input) schema.Reversibility {
	if in.Finding.Exposure.Irreversible > 0 || in.Call == nil {
		return schema.Irreversible
	}
	return in.Call.Reversibility
}

// chooseRule returns the rule that applies: the most specific one that matches, and among equally
// specific ones the one with the most severe action. The operator's rules come before the built-in
// ones.
func chooseRule(rules []Rule, in *Input) *Rule {
	for _, list := range [...][]Rule{rules, builtIn} {
		var best *Rule
		for i := range list {
			r := &list[i]
			if !r.matches(in) || !r.mayApply(in.Finding) {
				continue
			}
			if best == nil || r.specificity() > best.specificity() || r.specificity() == best.specificity() && r.Action > best.Action {
				best = r
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}
