package baseline

import (
	"cmp"
	"math"
	"slices"

	"flyball/detect/feature"
	"flyball/schema"
)

// Figure is a usual value of an agent for display: of the agent itself (shrunk to its
// peers as in scoring), of its peers, and of humans.
type Figure struct {
	What   string               `json:"what"`
	Share  bool                 `json:"share,omitempty"` // a share of calls; else the median over runs
	Own    schema.OptionalFloat `json:"own,omitzero"`
	OwnOf  string               `json:"own_of,omitempty"` // whose past Own is of: own, shrunk, peers, everybody
	Peers  schema.OptionalFloat `json:"peers,omitzero"`
	Humans schema.OptionalFloat `json:"humans,omitzero"`
}

var eventWords = [feature.NumEvents]string{
	feature.Repeats:   "repeat an earlier call with the same answer",
	feature.Retries:   "fail, and were tried before",
	feature.Failures:  "fail",
	feature.Sweeps:    "go to the next resource of the route just called",
	feature.SweepsAny: "go to a new resource of a route called before",
	feature.Deletions: "delete",
}

// amounts returns the amounts with their display names. plus is the number that was added before taking the logarithm.
func (b *Baseline) amounts() []struct {
	what string
	of   *Amount
	plus float64
} {
	return []struct {
		what string
		of   *Amount
		plus float64
	}{{"calls", &b.Lengths, 0}, {"identical calls at most", &b.Identical, 0}, {"bytes given", &b.Bytes, 1}, {"writes", &b.Writes, 1},
		{"tokens", &b.Tokens, 0}, {"money moved", &b.Money, 1}}
}

// minHumanSamples is the minimum number of calls or runs of humans for a usual value of humans.
const minHumanSamples = 20

// UsualFigures returns the usual values of an agent. With agent "" it returns only those of the group.
func (b *Baseline) UsualFigures(agent, group string) []Figure {
	var out []Figure
	own, known := b.Agents[agent]
	peers, humans := b.Groups[group], b.Groups[Humans]
	for e := range feature.NumEvents {
		k := &shrinkages[e]
		of := peers.ForEvent(e).towards(b.All.overallRate(e), k.level)
		f := Figure{What: eventWords[e], Share: true, Own: schema.Unknown, Peers: schema.OptionalFloat(of), Humans: schema.Unknown}
		if known {
			f.Own, f.OwnOf = schema.OptionalFloat(own.ForEvent(e).towards(of, k.agent)), b.UsualOf(e, agent, group)
		}
		if h := humans.ForEvent(e); h.Calls >= minHumanSamples {
			f.Humans = schema.OptionalFloat(h.Hits / h.Calls)
		}
		out = append(out, f)
	}
	for _, a := range b.amounts() {
		f := Figure{
			What:   a.what,
			Own:    schema.Unknown,
			Peers:  schema.OptionalFloat(max(math.Exp(a.of.ForGroup(group, 0).Mean)-a.plus, 0)),
			Humans: schema.Unknown,
		}
		if a.of.All.N == 0 {
			continue
		}
		if known {
			f.Own = schema.OptionalFloat(max(math.Exp(a.of.ForAgent(agent, group, 0).Mean)-a.plus, 0))
			f.OwnOf = a.of.UsualOf(agent, group)
		}
		if a.of.Groups[Humans].N >= minHumanSamples {
			f.Humans = schema.OptionalFloat(max(math.Exp(a.of.ForGroup(Humans, 0).Mean)-a.plus, 0))
		}
		out = append(out, f)
	}
	return out
}

// FigureChange is the change of an agent's figure between two versions.
type FigureChange struct {
	Agent string  `json:"agent"`
	What  string  `json:"what"`
	Share bool    `json:"share,omitempty"`
	Was   float64 `json:"was"`
	Is    float64 `json:"is"`
	// Factor is the ratio of the new to the old odds of a share, or of an amount plus one.
	Factor float64 `json:"factor"`
}

// CompareFigures returns the changes of the figures of agents that are in both versions, sorted by the size of the
// change, largest first. agent "" means all agents.
func CompareFigures(was, is *Baseline, agent string) []FigureChange {
	out := []FigureChange{}
	for _, name := range is.AgentNames() {
		if agent != "" && name != agent || !was.Has(name) || !is.Has(name) {
			continue
		}
		before := map[string]Figure{}
		for _, f := range was.UsualFigures(name, was.AgentGroup(name)) {
			before[f.What] = f
		}
		for _, f := range is.UsualFigures(name, is.AgentGroup(name)) {
			b, ok := before[f.What]
			if !ok || f.Own.IsZero() || b.Own.IsZero() {
				continue
			}
			c := FigureChange{Agent: name, What: f.What, Share: f.Share, Was: float64(b.Own), Is: float64(f.Own)}
			if f.Share {
				c.Factor = math.Exp(logit(clip(c.Is)) - logit(clip(c.Was)))
			} else {
				c.Factor = (c.Is + 1) / (c.Was + 1)
			}
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b FigureChange) int {
		return cmp.Compare(math.Abs(math.Log(b.Factor)), math.Abs(math.Log(a.Factor)))
	})
	return out
}

// clip limits a share to 0.001 … 0.999, so that changes of very small shares do not count.
func clip(p float64) float64 { return min(max(p, 1e-3), 1-1e-3) }
