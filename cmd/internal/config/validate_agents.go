package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"flyball/detect/playbook"
)

// policyFamilies are the families of what manifests and tasks decide at the check. They can be armed;
// package manifest has them as the first part of its reasons.
var policyFamilies = []string{"policy.autonomy", "policy.failure", "policy.hours", "policy.quota", "policy.scope", "policy.task"}

// armableFamilies returns the families that detect.armed can name.
func armableFamilies() []string {
	all := append(playbook.Families(), policyFamilies...)
	slices.Sort(all)
	return slices.Compact(all)
}

// family reports a pattern that matches no family: it would have no effect, most likely because of a
// typing error. An empty pattern is allowed.
func (p *problems) family(key, pattern string, families []string) {
	if pattern != "" && !slices.ContainsFunc(families, func(f string) bool { return matches(pattern, f) }) {
		p.add("%s: %q matches no family; one of %s, or a pattern such as runaway.*", key, pattern, strings.Join(families, ", "))
	}
}

// matches reports whether a name is matched by a pattern of path.Match, or equal to it.
func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name
}

// identifier is a way by which the registry recognizes an agent.
type identifier struct{ kind, value string }

func (a Agent) identifiers() []identifier {
	var out []identifier
	for _, i := range []identifier{{"credential", a.Credential}, {"spiffe", a.SPIFFE}, {"consumer", a.Consumer}} {
		if i.value != "" {
			out = append(out, i)
		}
	}
	return out
}

// validateAgents checks the registry. An identifier of two agents is an error: whose call it is would
// depend on their order.
func (c Config) validateAgents(p *problems) {
	seen := map[identifier]int{}
	for i, a := range c.Agents {
		p.oneOf(fmt.Sprintf("agents[%d].criticality", i), a.Criticality, criticalities...)
		if a.ID == "" {
			p.add("agents[%d].id: empty; name the agent", i)
		}
		for _, id := range a.identifiers() {
			if other, ok := seen[id]; ok && c.Agents[other].ID != a.ID {
				p.add("agents[%d].%s and agents[%d].%s are both %q: one %s is of one agent, %s or %s", other, id.kind, i, id.kind, id.value,
					id.kind, c.Agents[other].ID, a.ID)
			} else if !ok {
				seen[id] = i
			}
		}
	}
}
