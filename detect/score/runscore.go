package score

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// RunScore is the scoring state of one run. The zero value has no calls.
type RunScore struct {
	feature       feature.RunMemory
	cusum         [numCusums]cusum
	maxIdentical  uint32  // largest count of one identical call
	maxNewOnRoute uint32  // largest count of new calls on one route
	rareWrites    cusum   // sum over the routes that the run writes on
	bytes         float64 // of the answers
	writes        float64
	tails         [numStatistics - numCusums]float64 // maximum of each statistic that is not a CUSUM
	scatter       cusum
	maxOnRoute    uint32 // largest count of calls on one route
	startAt       int64  // event time of the first call, Unix ns

	// Score is the maximum over the families. It never falls while the caller has one scale; see Bind.
	Score    float64
	Families [NumFamilies]float64   // maximum of each family's statistics, on the common scale
	leading  [NumFamilies]statistic // statistic with that maximum
	Touched  schema.Touched
	trials   [feature.NumCells]uint32 // calls that counted in each cell

	evidence evidenceList

	actorEvidence float64 // the run's share of the actor's evidence

	Reference Reference // with whom it is compared; not stored
	scoredAs  uint64    // scale of the last call; 0: not recorded
	agent     *agent
	model     *Model
}

// cusum is a Bernoulli CUSUM with the start of its current excursion from zero.
type cusum struct {
	w, max       float64
	onsetAt      int64  // event time of the call at which the excursion began, Unix ns
	onset        uint32 // number of that call
	irreversible uint32 // the run's irreversible calls before that call
	hits, trials uint32 // of the excursion
}

// Reference selects the counts with which a run is compared.
type Reference struct {
	Agent   string // baseline.AgentKey
	Group   string // baseline.PeerGroup
	Version string // of the agent, as the agent states it
	Task    string // scope.TrustedTaskType
}

// Calls returns the number of calls of the run so far.
func (r *RunScore) Calls() uint64 { return r.feature.Calls() }

// Add scores the run's next call and returns its features. at is its event time, Unix ns. With m nil (there is no
// baseline yet) the call is counted and not scored.
func (r *RunScore) Add(m *Model, who Reference, c *feature.Input, at int64, reversibility schema.Reversibility) feature.CallFeatures {
	s := r.feature.Add(c)
	r.addCall(m, who, &countedCall{CallFeatures: &s, usage: &r.feature.Usage, at: at, reversibility: reversibility})
	return s
}

// countedCall is a call as the scores of its run count it.
type countedCall struct {
	*feature.CallFeatures
	usage              *feature.Usage // of the run, with this call
	at                 int64          // event time, Unix ns
	reversibility      schema.Reversibility
	irreversibleBefore uint64 // the run's irreversible calls before this one
}

func (r *RunScore) addCall(m *Model, who Reference, s *countedCall) {
	if s.Number == 1 {
		r.startAt = s.at
	}
	s.irreversibleBefore = r.Touched.Irreversible
	r.countReversibility(s.reversibility)
	for e := range feature.NumEvents {
		if t, ok := s.Trial(e); ok {
			r.trials[t.Cell]++
		}
	}
	r.maxIdentical = max(r.maxIdentical, s.Identical)
	r.maxNewOnRoute = max(r.maxNewOnRoute, uint32(s.NewOnRoute))
	r.maxOnRoute = max(r.maxOnRoute, uint32(s.CallsOnRoute))
	r.bytes += float64(s.Bytes)
	if s.Write {
		r.writes++
	}
	if m == nil {
		r.Bind(nil, who)
		return
	}
	m.gained = [NumFamilies]float32{}
	r.Bind(m, who)
	route, newAPI := m.route(r.agent, s.Route), !m.knowsAPI(r.agent, s.API)
	for st := range numCusums {
		if newAPI && strangerSpecs[st].evidence {
			continue
		}
		event := specs[st].event
		t, eligible := s.Trial(event)
		if !eligible {
			continue
		}
		k := &r.cusum[st]
		hit := 0
		if t.Hit {
			hit = 1
		}
		k.add(route.increments.add(st, t), hit, s)
		k.limit(&r.agent.specs[st])
		r.raise(st, k.max)
	}
	if newAPI {
		r.addAtNewAPI(s)
		return
	}
	r.addCounts(s)
	r.raiseTail(statLength, logNormalTail(float64(s.Number), r.agent.length))
	r.addAmounts(route, s)
	r.addUsage(s.usage)
}

// Bind selects the counts of a baseline with which the run is compared. Add does it with every call. When another baseline
// puts the same caller on another scale, the score begins again: what was unusual for a stranger is not for a known agent.
func (r *RunScore) Bind(m *Model, who Reference) {
	if r.Reference != who {
		r.Reference, r.model, r.agent = who, nil, nil
	}
	if r.model != m && m != nil {
		key, _ := baseline.ComparisonKey(m.Baseline, who.Agent, who.Version, who.Task)
		r.model, r.agent = m, m.agent(key, who.Group)
		if now := r.agent.scale(who); now != r.scoredAs {
			if r.scoredAs != 0 && r.scoredAs>>1 == now>>1 {
				r.restart()
			}
			r.scoredAs = now
		}
	}
}

// restart sets the score and its statistics to 0. The counts of the run, which the next call compares, stay.
func (r *RunScore) restart() {
	r.cusum, r.rareWrites, r.scatter = [numCusums]cusum{}, cusum{}, cusum{}
	r.tails = [numStatistics - numCusums]float64{}
	r.Score, r.Families, r.leading = 0, [NumFamilies]float64{}, [NumFamilies]statistic{}
}

// limit limits the CUSUM of a statistic that is evidence only.
func (k *cusum) limit(sp *spec) {
	if sp.evidence {
		k.w, k.max = sp.limitEvidence(k.w), sp.limitEvidence(k.max)
	}
}

func (k *cusum) add(step float64, hit int, s *countedCall) {
	w := min(k.w+step, maxScore)
	if !(w > 0) { // also when w is NaN
		k.w = 0
		return
	}
	if k.w == 0 {
		k.onset, k.onsetAt, k.irreversible, k.hits, k.trials = uint32(s.Number), s.at, uint32(s.irreversibleBefore), 0, 0
	}
	k.w = w
	k.hits += uint32(hit)
	k.trials++
	k.max = max(k.max, w)
}

func (r *RunScore) raise(st statistic, x float64) {
	r.raiseTo(st, r.agent.specs[st].anchored(x))
}

// raiseTo raises a statistic's family to a value on the common scale.
func (r *RunScore) raiseTo(st statistic, v float64) {
	if f := familyOf[st]; v > r.Families[f] {
		r.model.gained[f] += float32(min(v-r.Families[f], maxScore))
		r.Families[f], r.leading[f] = v, st
		r.Score = max(r.Score, v)
	}
}

func (r *RunScore) countReversibility(v schema.Reversibility) {
	switch v {
	case schema.ReadOnly:
		r.Touched.ReadOnly++
	case schema.Reversible:
		r.Touched.Reversible++
	case schema.Compensable:
		r.Touched.Compensable++
	case schema.Irreversible:
		r.Touched.Irreversible++
	default:
		r.Touched.Unknown++
	}
}
