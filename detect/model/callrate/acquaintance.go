package callrate

import (
	"maps"
	"math"
	"strings"

	"flyball/schema"
)

// Limits of the classes of acquaintance of a caller's pace.
const (
	// MinOwnDays is the minimum number of days with calls of an agent whose own rate is used, a working week.
	MinOwnDays = 5
	// MinPeerAgents is the minimum number of such agents in a group whose rate is used for its other agents. One agent alone
	// does not show how much agents of its kind differ.
	MinPeerAgents = 2
)

// Named reasons for which a count of calls is not judged.
const (
	// WhyNothingLearned: neither the agent nor its peers have a learned rate, so that only the rates of others are known.
	WhyNothingLearned = "nothing_learned"
	// WhyNotCalibrated: too few days of actors are known to say how rare a count is.
	WhyNotCalibrated = "not_calibrated"
)

// Names of whose past a usual rate is of.
const (
	usualOwn   = "own"
	usualPeers = "peers"
)

// Acquaintance returns how well the model knows the pace of a caller: known_agent from MinOwnDays days of its own calls
// on, new_agent if only its peers are known so, new_population if neither is, and nothing_learned without a model. It
// depends on hours with calls and not on runs: an agent whose only run lasts for weeks has a known pace. b may be nil.
func (b *Model) Acquaintance(agent, group string) schema.Acquaintance {
	if b == nil {
		return schema.NothingLearned
	}
	peers, learned := b.Groups[group]
	if !learned { // the hours of the week are those of the group
		return schema.NewPopulation
	}
	if own, ok := b.Agents[rateKey(agent, group)]; ok && own.known() {
		return schema.KnownAgent
	}
	if peers.Agents >= MinPeerAgents {
		return schema.NewAgent
	}
	return schema.NewPopulation
}

// known reports whether enough days of the agent's own calls are in the rate. Rates of releases before Days was stored
// have none; they are known.
func (a AgentRate) known() bool { return a.Days == 0 || a.Days >= MinOwnDays }

// Abstains returns the named reason for which the counts of a caller are not judged, or "" if they are. What the rates
// of other agents say about the caller is no answer. b may be nil.
func (b *Model) Abstains(agent, group string) (why string) {
	switch class := b.Acquaintance(agent, group); {
	case class < schema.NewAgent:
		return WhyNothingLearned
	case !b.Calibrated():
		return WhyNotCalibrated
	}
	return ""
}

// Calibrated reports whether enough days of actors are known to say how rare a count is.
func (b *Model) Calibrated() bool { return b.Calibration.Runs >= minDays }

// Usual holds the usual numbers of calls in a quarter of an hour as they are shown.
type Usual struct {
	Calls float64 // of the caller; NaN if nothing was learned
	Peers float64 // of its peers; NaN if they are not known
	// Of names whose past Calls is of: own, peers, or nothing_learned.
	Of string
}

// ShownAt returns the usual rate of a caller in an hour of the week as it is shown. It has no number that comes only
// from agents outside of the caller's group. b may be nil.
func (b *Model) ShownAt(agent, group string, hour int) Usual {
	out := Usual{Calls: math.NaN(), Peers: math.NaN(), Of: WhyNothingLearned}
	class := b.Acquaintance(agent, group)
	if class < schema.NewAgent {
		return out
	}
	u, peers := b.UsualAt(agent, group, hour), b.Groups[group]
	if peers.Agents >= MinPeerAgents {
		out.Peers = u.Peers
		if peers.OwnLevel > 0 {
			out.Peers = peers.OwnLevel * peers.factor(hour)
		}
	}
	switch {
	case class == schema.NewAgent:
		out.Calls, out.Of = out.Peers, usualPeers
	case agent == "": // the rate of all callers of the group that have no name
		out.Calls, out.Of = u.Calls, usualPeers
	default:
		out.Calls, out.Of = u.Calls, usualOwn
	}
	return out
}

// namelessIn is the prefix of the key of a group's callers without a name. No agent's key begins with it.
const namelessIn = "\x1fin "

// rateKey returns the key under which the rate of a caller is kept. Callers without a name are kept by group: the rate of
// programs without a name says nothing about people.
func rateKey(agent, group string) string {
	if agent == "" && group != "" {
		return namelessIn + group
	}
	return agent
}

// Forget removes what was learned of an agent; of the empty name, what was learned of all callers without a name.
func (b *Model) Forget(agent string) {
	delete(b.Agents, agent)
	if agent == "" {
		b.forgetNameless()
	}
}

func (b *Model) forgetNameless() {
	maps.DeleteFunc(b.Agents, func(key string, _ AgentRate) bool { return strings.HasPrefix(key, namelessIn) })
}

// CopyShared completes the copy of an agent's rate from an earlier model: the rate of its group, if this model has none
// (the hours of the week of the agent are those of its group), and for the empty name the rates of callers without a name.
func (b *Model) CopyShared(from *Model, agent, group string) {
	if rate, there := from.Groups[group]; there && b.Groups[group].Level == 0 {
		b.addGroup(group, rate)
	}
	if agent != "" {
		return
	}
	b.forgetNameless()
	if b.Agents == nil {
		b.Agents = map[string]AgentRate{}
	}
	for key, rate := range from.Agents {
		if in, nameless := strings.CutPrefix(key, namelessIn); nameless {
			b.Agents[key] = rate
			if g, there := from.Groups[in]; there && b.Groups[in].Level == 0 {
				b.addGroup(in, g)
			}
		}
	}
}

func (b *Model) addGroup(name string, rate GroupRate) {
	if b.Groups == nil {
		b.Groups = map[string]GroupRate{}
	}
	b.Groups[name] = rate
}

// Learned returns how many agents have a rate of their own, and how many groups one that is used for new agents. b may be
// nil.
func (b *Model) Learned() (agents, groups int) {
	if b == nil {
		return 0, 0
	}
	for key, a := range b.Agents {
		if a.known() && key != "" && !strings.HasPrefix(key, namelessIn) {
			agents++
		}
	}
	for _, g := range b.Groups {
		if g.Agents >= MinPeerAgents {
			groups++
		}
	}
	return agents, groups
}

// ShownOverWeek returns the mean of ShownAt over the hours of a week. b may be nil.
func (b *Model) ShownOverWeek(agent, group string) Usual {
	var out Usual
	for h := range HoursPerWeek {
		u := b.ShownAt(agent, group, h)
		out.Calls += u.Calls / HoursPerWeek
		out.Peers += u.Peers / HoursPerWeek
		out.Of = u.Of
	}
	return out
}
