package policy

import (
	"path"
	"slices"
	"strings"
)

// Arming selects the decisions that are enforced. All others are recorded only.
type Arming struct {
	All bool
	// Agents, Tags and Families are patterns in the syntax of path.Match: billing/*, payments,
	// runaway.*.
	Agents, Tags, Families []string
	// ExplicitOnly are families that are armed only by an entry for the family itself: an armed
	// agent or mode "armed" for everything does not arm them.
	ExplicitOnly []string
}

// ParseArming reads detect.mode and detect.armed. An entry is a name or pattern of agents,
// "tag:" and a pattern of tags, or "family:" and a pattern of families.
func ParseArming(all bool, list []string) Arming {
	a := Arming{All: all}
	for _, s := range list {
		if tag, ok := strings.CutPrefix(s, "tag:"); ok {
			a.Tags = append(a.Tags, tag)
		} else if family, ok := strings.CutPrefix(s, "family:"); ok {
			a.Families = append(a.Families, family)
		} else {
			a.Agents = append(a.Agents, s)
		}
	}
	return a
}

// Enforces reports whether findings of a family about an agent are enforced: everything is armed,
// or the agent, one of its tags, or the family is armed.
func (a Arming) Enforces(agent string, tags []string, family string) bool {
	if slices.Contains(a.ExplicitOnly, family) {
		return matchesAny(a.Families, family)
	}
	return a.All || matchesAny(a.Agents, agent) || matchesAny(a.Families, family) ||
		slices.ContainsFunc(tags, func(t string) bool { return matchesAny(a.Tags, t) })
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchesPattern(p, name) })
}

func matchesPattern(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name
}
