package baseline

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
	"flyball/detect/model/sharedcredential"
)

// ErrUnsound means that a baseline holds values that counting cannot produce.
var ErrUnsound = errors.New("the baseline is unsound")

// maxCount is the maximum of a count, so that sums and squares of counts stay finite.
const maxCount = 1e100

// Check returns an error for a baseline whose scores would have no meaning: with a number that is not finite, a count
// below zero, more hits than calls, a variance below zero, or an entry that is null. The error wraps ErrUnsound and
// contains the JSON path of the value. A baseline that passes gives scores that are numbers.
func (b *Baseline) Check() error {
	if b.Version == "" {
		return fmt.Errorf("%w: it has no version", ErrUnsound)
	}
	if bad := checkBody(b); bad != nil {
		return fmt.Errorf("%w: body%s", ErrUnsound, bad)
	}
	return nil
}

// unsound is a problem and the path to it; nil means that there is none.
type unsound struct{ path, problem string }

func (u *unsound) Error() string { return u.path + u.problem }

// at puts a path element in front of the path. u may be nil.
func (u *unsound) at(step string) *unsound {
	if u == nil {
		return nil
	}
	return &unsound{step + u.path, u.problem}
}

// first returns the first result that is not nil, or nil.
func first(results ...*unsound) *unsound {
	for _, u := range results {
		if u != nil {
			return u
		}
	}
	return nil
}

func checkBody(b *Baseline) *unsound {
	return first(checkCounts(b.All).at(".all"), checkMap(b.Groups, checkCounts).at(".groups"),
		checkMap(b.Agents, checkCounts).at(".agents"),
		checkMap(b.Routes, func(of map[string]Counts) *unsound { return checkMap(of, checkCounts) }).at(".routes"), checkAmounts(b),
		checkRunCounts(b), b.PerRoute.check().at(".on_route"), b.Sequence.check().at(".sequence"), b.KnownResources.check().at(".known"),
		checkMap(b.KnownAPIs, func(of map[uint64]float64) *unsound { return checkNumbers(slices.Collect(maps.Values(of))) }).at(".known_apis"),
		b.AcrossRuns.check().at(".across"), checkFit(&b.Calibration).at(".calibration"), checkRanks(&b.Ranks).at(".ranks"),
		checkByClass(b.ByClass).at(".by_class"),
		checkPeople(b.People).at(".people"), checkCallRates(b.CallRates).at(".pace"), checkScopes(b.Scopes).at(".scopes"),
		checkMap(b.Status, func(s AgentStatus) *unsound { return checkNumber(s.DriftAllowed).at(".drift_let_through") }).at(".life"))
}

func checkAmounts(b *Baseline) *unsound {
	return first(b.Lengths.check().at(".lengths"), b.Identical.check().at(".identical"), b.Bytes.check().at(".bytes"),
		b.Writes.check().at(".writes"), b.Tokens.check().at(".tokens"), b.Money.check().at(".money"))
}

func checkRunCounts(b *Baseline) *unsound {
	return first(b.IdenticalCalls.check().at(".repeated"), b.NewOnRoute.check().at(".fresh"), b.Distinct.check().at(".distinct"),
		b.Switches.check().at(".switches"), b.Irreversible.check().at(".irreversible"), b.Parallel.check().at(".in_row"))
}

func (a *AcrossRuns) check() *unsound {
	return first(a.Identical.check().at(".identical"), a.NewOnRoute.check().at(".fresh"), a.Deletions.check().at(".deletions"),
		a.Retries.check().at(".retries"), checkFit(&a.Calibration).at(".calibration"))
}

func (a *Amount) check() *unsound {
	return first(checkMoments(a.All).at(".all"), checkMap(a.Groups, checkMoments).at(".groups"),
		checkMap(a.Agents, checkMoments).at(".agents"))
}

func (d *RunCountDistribution) check() *unsound {
	within := func(of map[string]RunCounts) *unsound { return checkMap(of, checkReached) }
	return first(checkReached(d.All).at(".all"), checkMap(d.Groups, checkReached).at(".groups"), checkMap(d.Within, within).at(".within"))
}

func (o *CallsPerRoute) check() *unsound {
	group := func(of map[string]Moments) *unsound { return checkMap(of, checkMoments) }
	return first(checkMoments(o.All).at(".all"), checkMap(o.Groups, group).at(".groups"), checkMap(o.Offsets, checkNumber).at(".offsets"))
}

func (s *Sequence) check() *unsound {
	followers := func(f *RouteFollowers) *unsound {
		if f == nil {
			return null()
		}
		after := func(of map[string]float64) *unsound { return checkMap(of, checkNumber) }
		return first(checkNumber(f.Calls).at(".calls"), checkMap(f.By, checkNumber).at(".by"), checkMap(f.After, after).at(".after"))
	}
	return first(checkMap(s.Groups, followers).at(".groups"), checkMap(s.Agents, followers).at(".agents"))
}

func (k *KnownResources) check() *unsound {
	return first(checkMap(k.Groups, notNull).at(".groups"), checkMap(k.Runs, checkNumber).at(".runs"))
}

func checkFit(f *calibrate.Fit) *unsound {
	return first(checkNumber(f.Runs).at(".runs"), checkNumbers(f.Scores).at(".scores"), checkNumbers(f.At).at(".at"),
		checkNumber(f.T5).at(".t5"), checkNumber(f.T1).at(".t1"), checkNumber(f.U).at(".u"), checkNumber(f.Beta).at(".beta"),
		checkNumber(f.PU).at(".pu"))
}

func checkRanks(r *calibrate.Ranks) *unsound {
	return first(checkRank(r.All).at(".all"), checkMap(r.Groups, checkRank).at(".groups"), checkMap(r.Agents, checkRank).at(".agents"))
}

func checkRank(r calibrate.Rank) *unsound {
	return first(checkNumber(r.Runs).at(".runs"), checkNumbers(r.Scores).at(".scores"), checkNumbers(r.Above).at(".above"))
}

func checkByClass(c *ByClass) *unsound {
	if c == nil {
		return nil
	}
	return first(checkRank(c.KnownAgent).at(".known_agent"), checkRank(c.NewAgent).at(".new_agent"),
		checkMap(c.NewPopulation.Groups, checkRank).at(".new_population.groups"))
}

func checkPeople(p *sharedcredential.TenantPeople) *unsound {
	if p == nil {
		return nil
	}
	return first(checkNumber(p.Pace.Mean).at(".pace.mean"), checkNumber(p.Pace.SD).at(".pace.sd"), checkNumber(p.Assets).at(".assets"))
}

func checkCallRates(m *callrate.Model) *unsound {
	if m == nil {
		return nil
	}
	group := func(g callrate.GroupRate) *unsound {
		return first(checkNumber(g.Level).at(".level"), checkNumber(g.RelVariance).at(".doubt"), checkNumber(g.Spread).at(".spread"),
			checkNumber(g.ActiveQuarters).at(".seen"), checkNumbers(g.Factors).at(".factors"), checkNumber(g.OwnLevel).at(".own_level"))
	}
	agent := func(a callrate.AgentRate) *unsound {
		return first(checkNumber(a.Level).at(".level"), checkNumber(a.RelVariance).at(".doubt"), checkNumber(a.Spread).at(".spread"),
			checkNumber(a.ActiveQuarters).at(".seen"))
	}
	return first(group(m.All).at(".all"), checkMap(m.Groups, group).at(".groups"), checkMap(m.Agents, agent).at(".agents"),
		checkFit(&m.Calibration).at(".calibration"))
}

func checkScopes(m *scope.Model) *unsound {
	if m == nil {
		return nil
	}
	tasks := func(of map[string]*scope.LearnedScope) *unsound { return checkMap(of, notNull) }
	return first(checkMap(m.Own, tasks).at(".own"), checkMap(m.Peers, tasks).at(".peers"))
}

// checkMap checks every value, sorted by key.
func checkMap[T any](m map[string]T, check func(T) *unsound) *unsound {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if bad := check(m[key]); bad != nil {
			return bad.at("[" + key + "]")
		}
	}
	return nil
}

func checkCounts(counts Counts) *unsound {
	for _, c := range counts {
		if !(c.Hits >= 0 && c.Hits <= c.Calls*(1+1e-9)+1e-9 && c.Calls <= maxCount) {
			return &unsound{problem: fmt.Sprintf(": %g hits in %g calls", c.Hits, c.Calls)}
		}
	}
	return nil
}

// checkMoments allows for rounding in N·Σx² ≥ (Σx)².
func checkMoments(m Moments) *unsound {
	if !(m.N >= 0 && m.N <= maxCount && math.Abs(m.Sum) <= maxCount && m.Sum2 >= 0 && m.Sum2 <= maxCount &&
		m.N*m.Sum2-m.Sum*m.Sum >= -1e-6*(1+m.Sum*m.Sum)) {
		return &unsound{problem: fmt.Sprintf(": sums %g and %g of %g", m.Sum, m.Sum2, m.N)}
	}
	return nil
}

func checkReached(counts RunCounts) *unsound {
	for n, runs := range counts {
		if !(runs >= 0 && runs <= maxCount) || n >= maxReached {
			return &unsound{problem: fmt.Sprintf(": %g runs came to %d", runs, n)}
		}
	}
	return nil
}

func checkNumber(x float64) *unsound {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return &unsound{problem: fmt.Sprintf(" is %g", x)}
	}
	return nil
}

func checkNumbers(list []float64) *unsound {
	for _, x := range list {
		if bad := checkNumber(x); bad != nil {
			return bad
		}
	}
	return nil
}

// notNull returns a problem for a nil pointer, which scoring would dereference.
func notNull[T any](v *T) *unsound {
	if v == nil {
		return null()
	}
	return nil
}

func null() *unsound { return &unsound{problem: " is null"} }
