package score

import (
	"math"

	"flyball/detect/baseline"
	"flyball/detect/feature"
	"flyball/schema"
	"flyball/schema/topic"
)

// Run is the scoring state of one run. The zero value is a run without calls.
type Run struct {
	feature feature.Run
	cusum   [Cusums]cusum
	same    uint32  // largest count of one identical call
	fresh   uint32  // largest count of new calls on one route
	rare    cusum   // sum over the routes that the run writes on
	length  float64 // highest tail of the run's length
	bytes   float64 // that it was given
	writes  float64
	most    struct{ bytes, writes, onRoute, identical, fresh, distinct, switches, irreversible, inRow, tokens, money float64 } // highest tails
	scatter cusum
	busiest uint32 // largest count of calls on one route
	startAt int64  // event time of the first call, Unix ns

	// Score is the maximum over the families: it only grows.
	Score    float64
	Families [NFamilies]float64   // anchored maximum of each family's statistics
	stands   [NFamilies]Statistic // which of them it is
	Touched  schema.Touched
	trials   [feature.Cells]uint32 // calls that counted in each cell

	carried []carried
	gained  [NFamilies]float32 // by the last call

	weighed float64 // of its evidence, in that of its actor

	Who   Who // as whom it is compared; not stored
	agent *agent
	model *Model
}

// cusum is a Bernoulli CUSUM and where its present excursion from zero began.
type cusum struct {
	w, max       float64
	onsetAt      int64  // event time of the call at which the excursion began, Unix ns
	onset        uint32 // its number
	irreversible uint32 // the run's irreversible calls before it
	hits, trials uint32 // of the excursion
}

// Who a run is compared as.
type Who struct {
	Agent   string // baseline.AgentKey
	Group   string // baseline.PeerGroup
	Version string // of the agent, as it states it
}

// Calls of the run so far.
func (r *Run) Calls() uint64 { return r.feature.Calls() }

// Add takes in the run's next call and returns what the call was. Without a
// model (nothing was learned yet) the call is remembered and nothing is scored.
func (r *Run) Add(m *Model, who Who, c *feature.Call, at int64, reversibility schema.Reversibility) feature.Step {
	s := r.feature.Add(c)
	r.step(m, who, &s, &r.feature.Spent, at, reversibility)
	return s
}

func (r *Run) step(m *Model, who Who, s *feature.Step, spent *feature.Spent, at int64, reversibility schema.Reversibility) {
	if s.N == 1 {
		r.startAt = at
	}
	if r.Who != who {
		r.Who, r.model, r.agent = who, nil, nil
	}
	before := r.Touched.Irreversible
	r.touch(reversibility)
	for e := range feature.Events {
		if t, ok := s.Trial(e); ok {
			r.trials[t.Cell]++
		}
	}
	r.same, r.fresh, r.busiest = max(r.same, s.Identical), max(r.fresh, uint32(s.FreshOnRoute)), max(r.busiest, uint32(s.OnRoute))
	r.bytes += float64(s.Bytes)
	if s.Write {
		r.writes++
	}
	if m == nil {
		return
	}
	r.gained = [NFamilies]float32{}
	if r.model != m {
		key, _ := baseline.KeyFor(m.Body, who.Agent, who.Version)
		r.model, r.agent = m, m.agent(key, who.Group)
	}
	route := m.on(r.agent, s.Route)
	for st := range Cusums {
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
		k.add(route.steps.of(st, t), hit, s, at, before)
		r.raise(st, k.max)
	}
	r.counts(m, s, at, before)
	r.length = max(r.length, minusLogTail((math.Log(float64(s.N))-r.agent.length.Mean)/r.agent.length.SD))
	r.raise(Length, r.length)
	r.amounts(m, route, s, at, before)
	r.spent(spent)
}

// counts are the tails of how far the run has come.
func (r *Run) counts(m *Model, s *feature.Step, at int64, irreversible uint64) {
	r.most.identical = max(r.most.identical, r.agent.identical.at(uint64(s.Identical)))
	r.raise(Identical, r.most.identical)
	r.most.fresh = max(r.most.fresh, m.fresh(r.agent, s.Route).run.at(s.FreshOnRoute))
	r.raise(Fresh, r.most.fresh)
	r.most.distinct = max(r.most.distinct, r.agent.distinct.at(s.Distinct))
	r.raise(Distinct, r.most.distinct)
	r.most.switches = max(r.most.switches, r.agent.switches.at(s.Switches))
	r.raise(Switches, r.most.switches)
	if s.Write && s.OnRoute == 1 {
		r.rare.add(m.rareness(r.agent, s.Route, s.Target), 1, s, at, irreversible)
		r.raise(RareWrites, r.rare.max)
	}
}

// enoughLogged runs must have shown an amount before it is judged.
const enoughLogged = 20

// spent are the tails of what not every source logs. What the baseline has not seen
// often enough is not judged.
func (r *Run) spent(s *feature.Spent) {
	raise := func(st Statistic, most *float64, x float64) {
		*most = max(*most, x)
		r.raise(st, *most)
	}
	a := r.agent
	if s.Irreversible > 0 {
		raise(Irreversible, &r.most.irreversible, a.irreversible.at(s.Irreversible))
	}
	if s.InRow > 0 {
		raise(InRow, &r.most.inRow, a.inRow.at(s.InRow))
	}
	if s.Tokens > 0 && r.model.Body.Tokens.All.N >= enoughLogged {
		raise(Tokens, &r.most.tokens, tail(float64(s.Tokens), a.tokens))
	}
	if s.Money > 0 && r.model.Body.Money.All.N >= enoughLogged {
		raise(Money, &r.most.money, tail(s.Money+1, a.money))
	}
}

// tail is −ln P(X ≥ x).
func tail(x float64, of baseline.LogNormal) float64 {
	return minusLogTail((math.Log(x) - of.Mean) / of.SD)
}

// amounts are the tails of what the run adds up. A baseline that knows nothing of
// an amount says nothing of it.
func (r *Run) amounts(m *Model, route *onRoute, s *feature.Step, at int64, irreversible uint64) {
	if m.Body.Bytes.All.N == 0 {
		return
	}
	r.most.bytes = max(r.most.bytes, tail(r.bytes+1, r.agent.bytes))
	r.raise(Bytes, r.most.bytes)
	r.most.writes = max(r.most.writes, tail(r.writes+1, r.agent.writes))
	r.raise(Writes, r.most.writes)
	if s.OnRoute > 1 {
		// A count is a step: its tail begins half a call before it.
		r.most.onRoute = max(r.most.onRoute, tail(float64(s.OnRoute)-.5, route.calls))
		r.raise(OnRoute, r.most.onRoute)
	}
	r.scatter.add(m.follows(r.agent, route, s.Before, s.Route), 1, s, at, irreversible)
	r.raise(Scatter, r.scatter.max)
}

// spentBy is what a learned run had spent after a step: it is known at its end, and
// since it only grows, so is the most that came of it.
func spentBy(b *baseline.Run, step int) *feature.Spent {
	if step < len(b.Steps)-1 {
		return &feature.Spent{}
	}
	return &b.Spent
}

// whoOf is whom a run that is learned from is compared as.
func whoOf(b *baseline.Run) Who { return Who{b.Agent, b.Group, b.Version} }

// Final is the score of a whole run, from its steps.
func Final(m *Model, b *baseline.Run) float64 {
	var r Run
	who := whoOf(b)
	for i := range b.Steps {
		r.step(m, who, &b.Steps[i], spentBy(b, i), 0, schema.ReversibilityUnknown)
	}
	return r.Score
}

// episode is the score above which runs of an actor one after another are one
// episode of it.
const episode = 2 * decade

// Peaks are the highest scores of actors within runs, which stand in the order of
// their agents and, of each agent, of time. Of an episode only its highest counts:
// an alarm begins the actor anew, and what follows is no other alarm (declustering,
// Coles 2001, 5.3).
func Peaks(m *Model, runs []*baseline.Run) []float64 {
	peaks := make([]float64, len(runs))
	var actor Actor
	for n, b := range runs {
		if n == 0 || b.Agent != runs[n-1].Agent {
			actor.Begin()
		}
		var r Run
		who := whoOf(b)
		for i := range b.Steps {
			r.step(m, who, &b.Steps[i], spentBy(b, i), 0, schema.ReversibilityUnknown)
			actor.Add(&r, &b.Steps[i])
			peaks[n] = max(peaks[n], actor.Score)
		}
	}
	for n := 1; n < len(runs); n++ {
		if before, now := &peaks[n-1], &peaks[n]; runs[n].Agent == runs[n-1].Agent && *before > episode && *now > episode {
			*before, *now = min(*before, *now), max(*before, *now)
			*before = episode
		}
	}
	return peaks
}

func (k *cusum) add(step float64, hit int, s *feature.Step, at int64, irreversible uint64) {
	w := min(k.w+step, mostScore)
	if !(w > 0) { // no number says nothing
		k.w = 0
		return
	}
	if k.w == 0 {
		k.onset, k.onsetAt, k.irreversible, k.hits, k.trials = uint32(s.N), at, uint32(irreversible), 0, 0
	}
	k.w = w
	k.hits += uint32(hit)
	k.trials++
	k.max = max(k.max, w)
}

func (r *Run) raise(st Statistic, x float64) {
	v := st.anchored(x)
	if f := familyOf[st]; v > r.Families[f] {
		r.gained[f] += float32(min(v-r.Families[f], mostScore))
		r.Families[f], r.stands[f] = v, st
		r.Score = max(r.Score, v)
	}
}

func (r *Run) touch(v schema.Reversibility) {
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

// Top is the family that makes the score.
func (r *Run) Top() Family {
	best := Family(0)
	for f := range Family(NFamilies) {
		if r.Families[f] > r.Families[best] {
			best = f
		}
	}
	return best
}

// Onset is where what a family stands on began: call number, event time and
// the irreversible calls since then. A count of the whole run began where the
// family's events began to come one after another, or else with the run.
func (r *Run) Onset(f Family) (call uint64, at int64, exposed schema.Exposure) {
	k := r.since(f)
	n := r.Calls()
	if k == nil {
		return 1, r.startAt, schema.Exposure{Calls: n, Irreversible: r.Touched.Irreversible}
	}
	return uint64(k.onset), k.onsetAt, schema.Exposure{Calls: n - uint64(k.onset) + 1, Irreversible: r.Touched.Irreversible - uint64(k.irreversible)}
}

// since is the excursion that a family stands on; nil: the run as a whole.
func (r *Run) since(f Family) *cusum {
	switch st := r.stands[f]; {
	case st < Cusums:
		return &r.cusum[st]
	case st == RareWrites:
		return &r.rare
	case st == Scatter:
		return &r.scatter
	}
	var earliest *cusum
	for st := range Cusums {
		if k := &r.cusum[st]; familyOf[st] == f && k.w > 0 && (earliest == nil || k.onset < earliest.onset) {
			earliest = k
		}
	}
	return earliest
}

// Value of a statistic as it stands.
func (r *Run) Value(st Statistic) float64 {
	switch st {
	case Identical:
		return r.most.identical
	case Fresh:
		return r.most.fresh
	case Distinct:
		return r.most.distinct
	case RareWrites:
		return r.rare.max
	case Irreversible:
		return r.most.irreversible
	case InRow:
		return r.most.inRow
	case Tokens:
		return r.most.tokens
	case Money:
		return r.most.money
	case Switches:
		return r.most.switches
	case Length:
		return r.length
	case Bytes:
		return r.most.bytes
	case Writes:
		return r.most.writes
	case OnRoute:
		return r.most.onRoute
	case Scatter:
		return r.scatter.max
	}
	return r.cusum[st].max
}

// Rising reports whether the family's statistic stands at its maximum: the run
// goes on as it did, and has not recovered since.
func (r *Run) Rising(f Family) bool {
	st := r.stands[f]
	if st == Scatter {
		return r.scatter.w >= r.scatter.max
	}
	return st >= Cusums || r.cusum[st].w >= r.cusum[st].max
}

func (k *cusum) code(c *topic.Coder) {
	number(c, &k.w)
	number(c, &k.max)
	topic.Num(c, &k.onset)
	c.Int(&k.onsetAt)
	topic.Num(c, &k.irreversible)
	topic.Num(c, &k.hits)
	topic.Num(c, &k.trials)
}

// Code writes or reads the run. What follows from the rest is not written.
func (r *Run) Code(c *topic.Coder) {
	r.feature.Code(c)
	for i := range r.cusum {
		r.cusum[i].code(c)
	}
	r.codeSame(c)
	number(c, &r.length)
	c.Int(&r.startAt)
	for i := range r.trials {
		hits, calls := 0.0, float64(r.trials[i])
		number(c, &hits) // nobody asks for them any more
		number(c, &calls)
		r.trials[i] = uint32(calls)
	}
	for _, v := range [...]*uint64{&r.Touched.ReadOnly, &r.Touched.Reversible, &r.Touched.Compensable, &r.Touched.Irreversible, &r.Touched.Unknown} {
		c.Uint(v)
	}
	number(c, &r.Score)
	families := NFamilies
	if c.Version < 5 {
		families = 7
	}
	if c.Version < 4 {
		families = 5
	} else {
		for _, v := range [...]*float64{&r.bytes, &r.writes, &r.most.bytes, &r.most.writes, &r.most.onRoute} {
			number(c, v)
		}
		topic.Num(c, &r.busiest)
		r.scatter.code(c)
	}
	if c.Version >= 5 {
		for _, v := range [...]*float64{&r.most.identical, &r.most.fresh, &r.most.distinct, &r.most.switches, &r.most.irreversible, &r.most.inRow, &r.most.tokens, &r.most.money} {
			number(c, v)
		}
		topic.Num(c, &r.fresh)
		r.rare.code(c)
		number(c, &r.weighed)
		r.codeCarried(c)
	}
	for f := range families {
		number(c, &r.Families[f])
		topic.Small(c, &r.stands[f])
		if r.stands[f] >= Statistics {
			c.Refuse("a statistic that does not exist")
		}
	}
}

// codeSame writes or reads a count that was a floating number before version 5.
func (r *Run) codeSame(c *topic.Coder) {
	if c.Version >= 5 {
		topic.Num(c, &r.same)
		return
	}
	same := float64(r.same)
	number(c, &same)
	r.same = uint32(same)
}
