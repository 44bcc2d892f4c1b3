package sharedcredential

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Model holds counts of public data: how many sessions of people and of machines
// are in each bin of each feature. Weights are computed from it.
type Model struct {
	Version string `json:"version"`
	// Learned describes the data of the counts, and how to reproduce them.
	Learned string `json:"learned_from"`
	// Counts holds the counts by feature and set.
	Counts map[string]map[string]Counts `json:"counts"`
	// Usual holds the usual values by feature: the mean of the sets' medians.
	Usual map[string]Usual `json:"usual"`
	// Tails holds the distributions of people's highest scores by set. Each session was scored by counts without that
	// person, and without TenantPeople.
	Tails map[string]*Tail `json:"tails"`
}

// version names the definition of the features and their bins.
const version = "borrowed/1"

// Usual holds a feature's typical values; nil where no set has enough sessions.
type Usual struct {
	Humans   *float64 `json:"humans,omitempty"`
	Machines *float64 `json:"machines,omitempty"`
}

//go:embed model.json
var embedded []byte

// EmbeddedModel returns the model that is part of the binary.
func EmbeddedModel() *Model {
	m, err := parse(embedded)
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return m
}

// parse decodes a model and checks its counts and tails.
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

// Scale scores sessions by a model, and by the tenant's own people
// where enough of their sessions are known. It is not changed after it was made.
type Scale struct {
	model   *Model
	own     *TenantPeople
	weights [NumFeatures][]float64
	tails   []*Tail
}

// ScaleFor returns the scale of a tenant. It ignores own when that was calibrated with another model or is not
// consistent; nil means that the tenant's people are not known.
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

// UsesTenantPeople reports whether sessions are compared with the tenant's own people.
func (s *Scale) UsesTenantPeople() bool { return s.own != nil }

// Sessions returns the number of sessions of the tenant's people with which a score is compared; 0: there are none.
func (s *Scale) Sessions() int {
	if s.own == nil {
		return 0
	}
	return s.own.Tail.Sessions
}

// Version returns the name of the scale in findings.
func (s *Scale) Version() string {
	if s.own != nil {
		return s.model.Version + "+own"
	}
	return s.model.Version
}

// weight returns the weight of a feature's value: the log likelihood ratio of machine to
// human. known is false when the value or the weights are unknown.
func (s *Scale) weight(f Feature, v float64) (weight float64, known bool) {
	if s.weights[f] == nil || math.IsNaN(v) {
		return 0, false
	}
	return s.weights[f][bin(f, v)], true
}

// score returns the sum of the weights of the features. Those of repetition count once, by their mean
// (logarithmic opinion pool, Genest and Zidek 1986). The score is not a posterior, because the
// features depend on one another; P gives its meaning.
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

// P returns the share of people's sessions that reach a score. When the tenant's own people are not known, it is the
// highest share of all sets, and 1 without sets.
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

// Suspicious reports whether at most a share of people's sessions reach
// a score. It is false for a score that one feature alone can reach.
func (s *Scale) Suspicious(score, share float64) bool {
	return score > maxFeatureWeight && s.P(score) <= share
}

// Evidence is one feature of a session and its weight.
type Evidence struct {
	Feature  Feature
	Observed float64
	Humans   float64 // usual value for the tenant's own people, NaN unknown
	Weight   float64 // above 0 indicates a machine
}

// Explain returns the evidence for and against a machine, sorted by weight with the highest first. Pace is given in
// seconds. The usual values of the public data behind the weights are those of other APIs, and are not given.
func (s *Scale) Explain(session *Session) (out []Evidence) {
	v := session.values(s.own)
	for f := range NumFeatures {
		w, known := s.weight(f, v[f])
		if !known {
			continue
		}
		e := Evidence{Feature: f, Observed: v[f], Humans: math.NaN(), Weight: w}
		if s.own != nil {
			if u, there := s.own.Usual[f.String()]; there {
				e.Humans = u
			}
		}
		if f == Pace {
			e.Observed = session.gap()
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
