package policy

import "slices"

// Usage records which parts of the rules applied to the findings of a history.
type Usage struct {
	found                  []string // families
	rules                  *Rules
	matched, chosen        []bool // of Graded
	agents, tags, families []bool // of Arming
	covered, covers        []bool // of Exceptions: covered: it matched a finding; covers: it was the one that applied
}

// Unused is a part of the rules that decided nothing.
type Unused struct {
	Kind string `json:"kind"` // policy, armed, exception
	Name string `json:"name"`
	// Why is matched_nothing; hidden: it matched, but each time another part applied; mode_armed:
	// everything is armed without it; not_replayed: it is for families that a replay of history
	// does not find.
	Why string `json:"why"`
}

// Named reasons of Unused.
const (
	MatchedNothing = "matched_nothing"
	Hidden         = "hidden"
	ModeArmed      = "mode_armed"
	NotReplayed    = "not_replayed"
)

// NewUsage returns an empty usage of rules; families are those that the history can contain.
func NewUsage(r *Rules, families []string) *Usage {
	n, a := len(r.Graded), &r.Arming
	return &Usage{found: families, rules: r, matched: make([]bool, n), chosen: make([]bool, n),
		agents: make([]bool, len(a.Agents)), tags: make([]bool, len(a.Tags)), families: make([]bool, len(a.Families)),
		covered: make([]bool, len(r.Exceptions)), covers: make([]bool, len(r.Exceptions))}
}

// Record records which parts of the rules apply to one input.
func (u *Usage) Record(in Input) {
	r, f := u.rules, in.Finding
	excepted := r.exceptionFor(findingSubject(f), in.Call)
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		u.covers[i] = u.covers[i] || e == excepted
		u.covered[i] = u.covered[i] || e.matches(findingSubject(f), in.Call)
	}
	best := chooseRule(r.Graded, &in)
	for i := range r.Graded {
		g := &r.Graded[i]
		u.chosen[i] = u.chosen[i] || g == best && excepted == nil
		u.matched[i] = u.matched[i] || g.matches(&in)
	}
	for i, p := range r.Arming.Agents {
		u.agents[i] = u.agents[i] || matchesPattern(p, f.AgentID)
	}
	for i, p := range r.Arming.Tags {
		u.tags[i] = u.tags[i] || slices.ContainsFunc(in.Tags, func(t string) bool { return matchesPattern(p, t) })
	}
	for i, p := range r.Arming.Families {
		u.families[i] = u.families[i] || matchesPattern(p, f.Family)
	}
}

// Unused returns the parts that decided nothing, in the order of the configuration.
func (u *Usage) Unused() []Unused {
	out := []Unused{}
	add := func(kind, name, family string, used, matched bool) {
		switch {
		case used:
		case matched:
			out = append(out, Unused{kind, name, Hidden})
		case family != "" && !slices.ContainsFunc(u.found, func(f string) bool { return matchesPattern(family, f) }):
			out = append(out, Unused{kind, name, NotReplayed})
		default:
			out = append(out, Unused{kind, name, MatchedNothing})
		}
	}
	for i := range u.matched {
		add("policy", u.rules.Graded[i].Name, u.rules.Graded[i].Family, u.chosen[i], u.matched[i])
	}
	a := &u.rules.Arming
	for _, l := range [...]struct {
		prefix string
		list   []string
		met    []bool
	}{{"", a.Agents, u.agents}, {"tag:", a.Tags, u.tags}, {"family:", a.Families, u.families}} {
		for i, p := range l.list {
			if a.All {
				out = append(out, Unused{"armed", l.prefix + p, ModeArmed})
				continue
			}
			family := ""
			if l.prefix == "family:" {
				family = p
			}
			add("armed", l.prefix+p, family, l.met[i], false)
		}
	}
	for i := range u.covers {
		add("exception", u.rules.Exceptions[i].Name, u.rules.Exceptions[i].Family, u.covers[i], u.covered[i])
	}
	return out
}
