package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wire"
)

// ActorScore is the scoring state of an actor across its runs. It detects a runaway that is split into
// runs which are too short to alarm. The zero value has no calls.
//
// Unlike the score of a run, its score falls again when the actor returns to usual behaviour.
type ActorScore struct {
	recent    feature.ActorMemory
	evidence  float64 // CUSUM of the evidence of its runs' scores, in nats
	Score     float64
	statistic actorStatistic
	now       feature.ActorCounts // of the last call
}

// actorStatistic is a statistic of an actor.
type actorStatistic uint8

const (
	actorIdentical   actorStatistic = iota // −ln P(at least as many of its latest calls are identical)
	actorNewOnRoute                        // −ln P(at least as many of them are new calls on one route)
	actorDeletions                         // −ln P(at least as many of them delete)
	actorRetries                           // −ln P(at least as many of them are failing retries)
	actorEvidenceSum                       // CUSUM of the evidence of its runs' scores
	numActorStatistics
)

// actorSpec describes a statistic. at is the value that about one clean run in a thousand
// reaches: three decades of rarity on the common scale.
type actorSpec struct {
	name string
	at   float64
}

var actorSpecs = [numActorStatistics]actorSpec{
	actorIdentical:   {"identical_calls_over_runs", 11.5},
	actorNewOnRoute:  {"new_calls_on_route_over_runs", 6.7},
	actorDeletions:   {"deletions_over_runs", 10},
	actorRetries:     {"failing_retries_over_runs", 14.5},
	actorEvidenceSum: {"evidence_of_runs", 17.5},
}

func (s actorStatistic) String() string { return actorSpecs[s].name }

// Add scores a call of the actor. RunScore.Add must be called with the call before.
func (a *ActorScore) Add(r *RunScore, s *feature.CallFeatures) {
	a.now = a.recent.Add(s)
	if r.model == nil {
		return
	}
	m, of := r.model, r.agent
	if !r.Stranger() { // the calibration is that of agents whose peers are known
		a.addEvidence(r, evidence(m, r.Score))
	}
	a.Score = 0
	a.raise(actorIdentical, of.across.identical.at(a.now.Identical))
	a.raise(actorNewOnRoute, m.newOnRoute(of, s.Route).across.at(a.now.NewOnRoute))
	a.raise(actorDeletions, of.across.deletions.at(a.now.Deletions))
	a.raise(actorRetries, of.across.retries.at(a.now.Retries))
	a.raise(actorEvidenceSum, a.evidence)
}

func (a *ActorScore) raise(st actorStatistic, x float64) {
	if v := min(3*decade*x/actorSpecs[st].at, maxScore); v > a.Score {
		a.Score, a.statistic = v, st
	}
}

// evidence returns the evidence of a score against the hypothesis that the run is clean: the logarithm of
// the e-value ½·p^−½ of its p-value (Vovk and Wang 2021, κ = ½), in nats.
func evidence(m *Model, score float64) float64 {
	p, _ := m.Baseline.Calibration.P(score)
	return min(math.Log(.5)-.5*math.Log(max(p, math.SmallestNonzeroFloat64)), maxEvidence)
}

// maxEvidence limits the evidence of one run, in nats, so that one run alone does not alarm.
const maxEvidence = 5

// addEvidence adds a run's evidence to that of the earlier runs: a CUSUM of log
// e-values (an e-detector, Shin, Ramdas and Rinaldo 2022). With each call of the run, its
// share is replaced, so that each run is in the sum once.
func (a *ActorScore) addEvidence(r *RunScore, e float64) {
	sum := max(0, a.evidence+e-r.actorEvidence)
	r.actorEvidence += sum - a.evidence
	a.evidence = sum
}

// Reset clears the state after an alarm, so that the next alarm is caused by other calls.
func (a *ActorScore) Reset() { *a = ActorScore{} }

// Explain returns the statistic with the highest score: its value over the actor's latest calls, and the usual values
// of the actor and its peers. route is the hash of the route of the last call.
func (a *ActorScore) Explain(r *RunScore, route uint64) schema.Contribution {
	c := unknownContribution(a.statistic.String(), a.Score)
	if a.statistic == actorEvidenceSum {
		c.Observed = figure(a.evidence)
		return c
	}
	learned := &r.learned().AcrossRuns
	source := [...]struct {
		observed uint64
		usual    *baseline.RunCountDistribution
	}{
		actorIdentical: {a.now.Identical, &learned.Identical}, actorNewOnRoute: {a.now.NewOnRoute, &learned.NewOnRoute},
		actorDeletions: {a.now.Deletions, &learned.Deletions}, actorRetries: {a.now.Retries, &learned.Retries},
	}[a.statistic]
	within := r.agent.key
	if a.statistic == actorNewOnRoute { // stored by route
		within = r.agent.peers.routes[route]
	}
	levels := source.usual.Levels(r.agent.group, within)
	c.Observed, c.Usual, c.Peers = schema.OptionalFloat(source.observed), medianCount(levels[2]), medianCount(levels[1])
	return c
}

// Code encodes or decodes the state.
func (a *ActorScore) Code(c *wire.Coder) {
	a.recent.Code(c)
	codeNumber(c, &a.evidence)
}
