package sharedcredential

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Model is what was counted in public data: how people's sessions and machines'
// fall into the bins of each feature. Everything else follows from it.
type Model struct {
	Version string `json:"version"`
	// Learned says of what the counts are, and how they are made again.
	Learned string `json:"learned_from"`
	// Counts by feature and set.
	Counts map[string]map[string]Counts `json:"counts"`
	// Usual values, the mean of the sets' medians.
	Usual map[string]Usual `json:"usual"`
	// Tails of people's highest scores by set, each scored by counts that had not
	// seen the person, without knowing the set's own people.
	Tails map[string]*Tail `json:"tails"`
}

// version of what the features and their bins are.
const version = "borrowed/1"

// Usual is a feature's typical value; nil where no set has it.
type Usual struct {
	Humans   *float64 `json:"humans,omitempty"`
	Machines *float64 `json:"machines,omitempty"`
}

//go:embed model.json
var embedded []byte

// EmbeddedModel is the model that comes with the program.
func EmbeddedModel() *Model {
	m, err := parse(embedded)
	if err != nil {
		panic(err) // it is part of the program
	}
	return m
}

// parse reads a model and refuses one that cannot be scored by.
func parse(b []byte) (*Model, error) {
	var m Model
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("model of borrowed credentials: %w", err)
	}
	for name, sets := range m.Counts {
		f := slices.Index(featureNames[:], name)
		if f < 0 {
			return nil, fmt.Errorf("model of borrowed credentials: counts.%s is none of %v; it was made by another version", name, featureNames)
		}
		for set, c := range sets {
			for _, n := range [][]int{c.Humans, c.Machines} {
				if len(n) != len(edges[f])+1 || slices.Min(n) < 0 {
					return nil, fmt.Errorf("model of borrowed credentials: counts.%s.%s: %v is not %d counts of at least 0", name, set, n, len(edges[f])+1)
				}
			}
		}
	}
	for set, t := range m.Tails {
		if t == nil || !t.consistent() {
			return nil, fmt.Errorf("model of borrowed credentials: tails.%s is not %d counts that sum up to its sessions", set, steps)
		}
	}
	return &m, nil
}

// Scale is what sessions are judged by: a model, and the tenant's own people
// where enough of them are known. It is read only.
type Scale struct {
	model   *Model
	own     *TenantPeople
	weights [NumFeatures][]float64
	tails   []*Tail
}

// ScaleFor is the scale of a tenant. Own people that are not known, or were calibrated
// by another model, are as nil.
func (m *Model) ScaleFor(own *TenantPeople) *Scale {
	if own != nil && !own.usableWith(m) {
		own = nil
	}
	return m.scale(own)
}

func (m *Model) scale(own *TenantPeople) *Scale {
	s := &Scale{model: m, own: own}
	for f := range NumFeatures {
		s.weights[f] = weights(f, m.Counts[f.String()])
	}
	if own != nil {
		s.tails = []*Tail{&own.Tail}
		return s
	}
	for _, name := range sorted(m.Tails) {
		s.tails = append(s.tails, m.Tails[name])
	}
	return s
}

// UsesTenantPeople reports whether the tenant's own people are what sessions are compared with.
func (s *Scale) UsesTenantPeople() bool { return s.own != nil }

// Version names the scale in findings.
func (s *Scale) Version() string {
	if s.own != nil {
		return s.model.Version + "+own"
	}
	return s.model.Version
}

// weight is what a feature's value weighs: a log likelihood ratio, machine over
// human; 0 where it is unknown.
func (s *Scale) weight(f Feature, v float64) (weight float64, known bool) {
	if s.weights[f] == nil || math.IsNaN(v) {
		return 0, false
	}
	return s.weights[f][bin(f, v)], true
}

// score sums what the features say; those of sameness count as one, their mean
// (a logarithmic opinion pool, Genest and Zidek 1986). It is no posterior: the
// features depend on one another. What it means, P says.
func (s *Scale) score(v *Values) float64 {
	sum, same, n := 0.0, 0.0, 0.0
	for f := range NumFeatures {
		w, known := s.weight(f, v[f])
		switch {
		case !known:
		case f < numSamenessFeatures:
			same += w
			n++
		default:
			sum += w
		}
	}
	if n > 0 {
		sum += same / n
	}
	return sum
}

// P is the share of people's sessions that come as far: in the set where most
// do, when the tenant's own people are not known.
func (s *Scale) P(score float64) float64 {
	p := 0.0
	for _, t := range s.tails {
		p = max(p, t.p(score))
	}
	if len(s.tails) == 0 {
		return 1
	}
	return p
}

// Suspicious reports whether at most a share of people's sessions come as far as
// a score. One feature alone, whatever it says, never does.
func (s *Scale) Suspicious(score, share float64) bool {
	return score > maxFeatureWeight && s.P(score) <= share
}

// Evidence is one feature of a session and its weight.
type Evidence struct {
	Feature  Feature
	Observed float64
	Humans   float64 // usual for people, NaN unknown
	Machines float64
	Weight   float64 // above 0 for a machine
}

// Explain returns the evidence for and against a machine, the strongest first.
func (s *Scale) Explain(session *Session) (out []Evidence) {
	v := session.values(s.own)
	for f := range NumFeatures {
		w, known := s.weight(f, v[f])
		if !known {
			continue
		}
		e := Evidence{Feature: f, Observed: v[f], Humans: math.NaN(), Machines: math.NaN(), Weight: w}
		if u := s.model.Usual[f.String()]; u.Humans != nil {
			e.Humans = *u.Humans
		}
		if u := s.model.Usual[f.String()]; u.Machines != nil {
			e.Machines = *u.Machines
		}
		if f == Pace { // in seconds, as people think of it
			e.Observed, e.Humans, e.Machines = session.gap(), math.Exp(s.own.Pace.Mean+e.Humans*s.own.Pace.SD), math.Exp(
				s.own.Pace.Mean+e.Machines*s.own.Pace.SD,
			)
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Evidence) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return 0
	})
	return out
}
