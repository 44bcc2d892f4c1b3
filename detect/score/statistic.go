package score

import (
	"math"

	"flyball/detect/feature"
	"flyball/schema"
)

// Statistic is a number of a run that only grows.
type Statistic uint8

// The first Cusums statistics are CUSUMs, the others are not.
const (
	Loop Statistic = iota
	LoopLow
	Retry
	RetryLow
	Error
	Sweep
	SweepLow
	Destroy
	Cusums
	Same    Statistic = iota - 1 // largest count of one identical call
	Length                       // −ln P(a run has at least as many calls)
	Bytes                        // −ln P(a run is given at least as much)
	Writes                       // −ln P(a run writes at least as often)
	OnRoute                      // the same of the calls on one route, where it is used: the largest
	Scatter                      // CUSUM of the order of routes: any order against the usual one
	Statistics
)

// spec of a statistic: what it counts, against which alternative rate, the
// anchors of its scale, and the family of finding that it argues for. The
// anchors split the budget of false alarms among the statistics: the first
// stands where about 1 % of clean runs would stand, the second at 0.1 %.
type spec struct {
	name   string
	event  feature.Event
	p1     float64
	t1     float64
	t01    float64
	family string
}

var specs = [Statistics]spec{
	Loop:     {"repeats", feature.Repeats, .98, 6.5, 18, schema.FamilyLoop},
	LoopLow:  {"repeats_slow", feature.Repeats, .3, 16, 32, schema.FamilyLoop},
	Retry:    {"failing_retries", feature.Retries, .9, 10, 15, schema.FamilyRetry},
	RetryLow: {"failing_retries_slow", feature.Retries, .25, 9.7, 18, schema.FamilyRetry},
	Error:    {"errors", feature.Failures, .8, 20, 30, schema.FamilyRetry},
	Sweep:    {"new_resources", feature.Sweeps, .97, 12, 19, schema.FamilySweep},
	SweepLow: {"new_resources_slow", feature.SweepsAny, .3, 14, 25, schema.FamilySweep},
	Destroy:  {"deletions", feature.Deletions, .5, 6, 9, schema.FamilyDestroy},
	Same:     {name: "identical_calls", t1: 6.9, t01: 7.6, family: schema.FamilyLoop},
	Length:   {name: "calls", t1: 10, t01: 15, family: schema.FamilyFlood},
	Bytes:    {name: "bytes_out", t1: 7.2, t01: 10, family: schema.FamilyExfiltration},
	Writes:   {name: "writes", t1: 16, t01: 22, family: schema.FamilyFlood},
	OnRoute:  {name: "calls_on_route", t1: 21, t01: 36, family: schema.FamilyFlood},
	Scatter:  {name: "unusual_order", t1: 30, t01: 50, family: schema.FamilyFanout},
}

func (s Statistic) String() string { return specs[s].name }

// Decade of rarity on the common scale: the anchors lie at 2 and 3 of them.
const decade = math.Ln10

// anchored puts a statistic's value on the common scale.
func (s Statistic) anchored(x float64) float64 {
	sp := &specs[s]
	if x < sp.t1 {
		return 2 * decade * x / sp.t1
	}
	return 2*decade + decade*(x-sp.t1)/(sp.t01-sp.t1)
}

// Family is an index of Families.
type Family uint8

// Families of findings in the order of their index.
var Families = [...]string{schema.FamilyLoop, schema.FamilyRetry, schema.FamilySweep, schema.FamilyDestroy, schema.FamilyFlood, schema.FamilyExfiltration, schema.FamilyFanout}

// NFamilies is how many there are.
const NFamilies = 7

func (f Family) String() string { return Families[f] }

var familyOf = func() (out [Statistics]Family) {
	for s := range Statistics {
		for f, name := range Families {
			if specs[s].family == name {
				out[s] = Family(f)
			}
		}
	}
	return out
}()
