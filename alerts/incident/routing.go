package incident

import (
	"path"
	"slices"

	"flyball/schema"
)

// Routes is the answer of the routes about a finding at a time.
type Routes struct {
	Receivers []string
	// By names the routes that matched, for people: routes[2] (nights).
	By []string
	// Timed is set if the answer can be another one at another time, because a route has hours.
	Timed bool
}

// Registry returns what the registry says about an agent with an established identity.
type Registry struct {
	Owner func(agent string) string
	Tags  func(agent string) []string
}

func (r Registry) owner(agent string) string {
	if r.Owner == nil {
		return ""
	}
	return r.Owner(agent)
}

func (r Registry) tags(agent string) []string {
	if r.Tags == nil {
		return nil
	}
	return r.Tags(agent)
}

// Established reports whether the caller of a finding cannot choose its name.
func Established(f *schema.Finding) bool { return classOf(f) == established }

// matches reports whether a finding matches all matchers. Agent, Owner and Tag match only agents with an established identity, unless
// Claimed selects the others: nobody can claim a name to be silenced, and a silence of claimed names matches no established agent.
func matches(m *schema.Matchers, f *schema.Finding, r Registry) bool {
	if m.Level != "" && m.Level != f.Level.String() || m.Family != "" && !Fits(m.Family, f.Family) {
		return false
	}
	is := Established(f)
	if m.Claimed {
		return !is && (m.Agent == "" || Fits(m.Agent, f.AgentID)) && m.Owner == "" && m.Tag == ""
	}
	if m.Agent == "" && m.Owner == "" && m.Tag == "" {
		return true
	}
	return is && (m.Agent == "" || Fits(m.Agent, f.AgentID)) && (m.Owner == "" || Fits(m.Owner, r.owner(f.AgentID))) &&
		(m.Tag == "" || slices.ContainsFunc(r.tags(f.AgentID), func(t string) bool { return Fits(m.Tag, t) }))
}

// Fits reports whether a name is or fits a pattern of path.Match; * fits every name.
func Fits(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == name || pattern == "*"
}

// routed returns the routes of a finding, and whether this receiver is among its receivers.
func (f *Fold) routed(v *schema.Finding) (Routes, bool) {
	if f.Route == nil {
		return Routes{}, true
	}
	r := f.Route(v, f.now)
	return r, slices.Contains(r.Receivers, f.Receiver)
}
