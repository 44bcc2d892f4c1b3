package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/schema"
)

// statistic identifies a number of a run that only grows.
type statistic uint8

// The first numCusums statistics are CUSUMs, the others are not.
const (
	statRepeats statistic = iota
	statRepeatsSlow
	statRetries
	statRetriesSlow
	statErrors
	statSweep
	statSweepSlow
	statDeletions
	numCusums
	statIdentical    statistic = iota - 1 // −ln P(a run makes one identical call at least as often)
	statLength                            // −ln P(a run has at least as many calls)
	statBytes                             // −ln P(the answers of a run have at least as many bytes)
	statWrites                            // −ln P(a run writes at least as often)
	statOnRoute                           // −ln P(a run that uses a route calls it at least as often): maximum over routes
	statOrder                             // CUSUM of the order of routes: any order against the usual one
	statNewOnRoute                        // −ln P(a run that uses a route makes at least as many new calls on it): maximum over routes
	statDistinct                          // −ln P(a run makes at least as many calls that are not repeats)
	statRareWrites                        // sum of −ln P(a run of the peers uses the route), over the routes that the run writes on
	statSwitches                          // −ln P(a run changes its route at least as often)
	statIrreversible                      // −ln P(a run makes at least as many calls that cannot be undone)
	statParallel                          // −ln P(a run has at least as long a series of calls that begin before the previous one ended)
	statTokens                            // −ln P(a run uses at least as many tokens)
	statMoney                             // −ln P(a run moves at least as much money)
	numStatistics
)

// spec describes a statistic: the event that it counts, the alternative rate p1, the
// anchors of its scale, and the family of findings for which it is evidence. The
// anchors divide the budget of false alarms among the statistics: t1 corresponds to
// 1 % of clean runs in the whole budget, and t01 to 0.1 %. adr/0001 describes how they were found.
type spec struct {
	name  string
	event feature.Event
	p1    float64
	// t10, if set, is the value that about 10 % of clean runs reach, and changes the slope of the scale below t1. It only
	// affects the order of low scores and does not use the budget.
	t10    float64
	t1     float64
	t01    float64
	family string
	// evidence: the statistic is shown and never reaches a level.
	evidence bool
}

var specs = [numStatistics]spec{
	statRepeats:     {name: "repeats", event: feature.Repeats, p1: .98, t1: 6.8, t01: 16.5, family: schema.FamilyLoop},
	statRepeatsSlow: {name: "repeats_slow", event: feature.Repeats, p1: .3, t1: 18.5, t01: 37, family: schema.FamilyLoop},
	statRetries:     {name: "failing_retries", event: feature.Retries, p1: .9, t1: 7.5, t01: 14.5, family: schema.FamilyRetry},
	statRetriesSlow: {name: "failing_retries_slow", event: feature.Retries, p1: .25, t1: 8.6, t01: 30, family: schema.FamilyRetry},
	statErrors:      {name: "errors", event: feature.Failures, p1: .8, t1: 26, t01: 33, family: schema.FamilyRetry},
	statSweep:       {name: "new_resources", event: feature.Sweeps, p1: .97, t1: 12, t01: 18.5, family: schema.FamilySweep},
	statSweepSlow:   {name: "new_resources_slow", event: feature.SweepsAny, p1: .3, t1: 12, t01: 21, family: schema.FamilySweep},
	statDeletions:   {name: "deletions", event: feature.Deletions, p1: .5, t1: 6, t01: 6.7, family: schema.FamilyDestroy},
	statIdentical:   {name: "identical_calls", t1: 7.1, t01: 7.6, family: schema.FamilyLoop},
	statLength:      {name: "calls", t1: 9, t01: 10, family: schema.FamilyFlood},
	statBytes:       {name: "bytes_out", t1: 6, t01: 9.7, family: schema.FamilyExfiltration},
	statWrites:      {name: "writes", t1: 22, t01: 27, family: schema.FamilyFlood},
	statOnRoute:     {name: "calls_on_route", t1: 21, t01: 36, family: schema.FamilyFlood},
	statOrder:       {name: "unusual_order", t1: 35, t01: 50, family: schema.FamilyFanout},
	statNewOnRoute:  {name: "new_calls_on_route", t1: 5.8, t01: 7.3, family: schema.FamilySweep},
	statDistinct:    {name: "distinct_calls", t1: 5.8, t01: 15, family: schema.FamilyFlood},
	statRareWrites:  {name: "rare_writes", t10: 5, t1: 32, t01: 75, family: schema.FamilyHijack},
	statSwitches:    {name: "changes_of_route", t1: 7.5, t01: 8.1, family: schema.FamilyFanout},
	// No public data has these quantities: the anchors give them a small share of the budget.
	statIrreversible: {name: "irreversible_calls", t1: 9, t01: 14, family: schema.FamilyFlood},
	// Only evidence: parallel workers alone are not a runaway.
	statParallel: {name: "parallel_calls", t1: 40, t01: 80, family: schema.FamilyFlood},
	statTokens:   {name: "tokens", t1: 10, t01: 15, family: schema.FamilyFlood},
	statMoney:    {name: "money", t1: 9, t01: 12, family: schema.FamilyFlood},
}

func (s statistic) String() string { return specs[s].name }

// decade is a factor of ten in rarity on the common scale: the anchors t1 and t01 are at 2 and 3 decades.
const decade = math.Ln10

// maxScore is the maximum of the scale, far above the values of a million calls, so that a score is finite with any
// baseline.
const maxScore = 1e9

// anchored converts a value of the statistic to the common scale.
func (sp *spec) anchored(x float64) float64 {
	if sp.evidence {
		return min(sp.scaled(x), evidenceLimit)
	}
	return min(sp.scaled(x), maxScore)
}

func (sp *spec) scaled(x float64) float64 {
	switch {
	case x < sp.t10:
		return decade * x / sp.t10
	case x < sp.t1 && sp.t10 > 0:
		return decade + decade*(x-sp.t10)/(sp.t1-sp.t10)
	case x < sp.t1:
		return 2 * decade * x / sp.t1
	}
	return 2*decade + decade*(x-sp.t1)/(sp.t01-sp.t1)
}

// Family is an index into Families.
type Family uint8

// Families holds the names of the families of findings.
var Families = [...]string{
	schema.FamilyLoop,
	schema.FamilyRetry,
	schema.FamilySweep,
	schema.FamilyDestroy,
	schema.FamilyFlood,
	schema.FamilyExfiltration,
	schema.FamilyFanout,
	schema.FamilyHijack,
}

// NumFamilies is the length of Families.
const NumFamilies = 8

func (f Family) String() string { return Families[f] }

var familyOf = func() (out [numStatistics]Family) {
	for s := range numStatistics {
		for f, name := range Families {
			if specs[s].family == name {
				out[s] = Family(f)
			}
		}
	}
	return out
}()
