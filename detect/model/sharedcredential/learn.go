package sharedcredential

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
)

// LabelledSession is a recorded session that is known to be of a person or of a machine.
type LabelledSession struct {
	ID, Set, Identity string
	Human             bool
	Calls             []Input
}

// maxSessionsPerIdentity is the maximum number of sessions of an identity, so that one busy crawler does not dominate.
const maxSessionsPerIdentity = 3

// Folds is the number of folds into which identities are split. A session is scored by a model of the other folds.
const Folds = 5

// foldOf returns the fold of a session's identity in its set.
func foldOf(r *LabelledSession) int {
	sum := sha256.Sum256([]byte(r.Set + "/" + r.Identity))
	return int(sum[0]) % Folds
}

// CapPerIdentity returns the sessions that are long enough to be judged, at most maxSessionsPerIdentity of an identity,
// sorted by set and id.
func CapPerIdentity(all []*LabelledSession) []*LabelledSession {
	out := slices.DeleteFunc(slices.Clone(all), func(r *LabelledSession) bool { return len(r.Calls) < MinSessionCalls })
	slices.SortFunc(out, func(a, b *LabelledSession) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.ID, b.ID)) })
	n := map[[2]string]int{}
	return slices.DeleteFunc(out, func(r *LabelledSession) bool {
		k := [2]string{r.Set, r.Identity}
		n[k]++
		return n[k] > maxSessionsPerIdentity
	})
}

// Learn makes a model of labelled sessions. It calibrates on the sessions of people.
func Learn(all []*LabelledSession) *Model {
	all = CapPerIdentity(all)
	m := count(all)
	m.Tails = map[string]*Tail{}
	for fold := range Folds {
		kept, held := SplitFold(all, fold)
		by := count(kept).ScaleFor(nil)
		for _, r := range held {
			if s, ok := ScoreSession(by, r.Calls); ok && r.Human {
				t := m.Tails[r.Set]
				if t == nil {
					t = &Tail{}
					m.Tails[r.Set] = t
				}
				t.add(s.Highest)
			}
		}
	}
	for set, t := range m.Tails {
		if t.Sessions < MinTenantSessions { // too few to estimate a share of 1 %
			delete(m.Tails, set)
		}
	}
	return m
}

// SplitFold returns the sessions outside a fold (kept) and those in it (held).
func SplitFold(all []*LabelledSession, fold int) (kept, held []*LabelledSession) {
	for _, r := range all {
		if foldOf(r) == fold {
			held = append(held, r)
		} else {
			kept = append(kept, r)
		}
	}
	return kept, held
}

// HumanSessions returns the calls of a set's human sessions.
func HumanSessions(all []*LabelledSession, set string) (out [][]Input) {
	for _, r := range all {
		if r.Human && r.Set == set {
			out = append(out, r.Calls)
		}
	}
	return out
}

// count makes a model without tails. Pace and assets are measured against the people of the same set.
func count(all []*LabelledSession) *Model {
	m := &Model{Version: version, Counts: map[string]map[string]Counts{}, Usual: map[string]Usual{}}
	own := map[string]*TenantPeople{}
	values := [NumFeatures]map[string][2][]float64{}
	for f := range values {
		values[f] = map[string][2][]float64{}
	}
	for _, r := range all {
		o, known := own[r.Set]
		if !known {
			if people := HumanSessions(all, r.Set); len(people) > 0 {
				o = observePeople(people)
			}
			own[r.Set] = o
		}
		var s Session
		for _, c := range r.Calls {
			s.Add(c)
		}
		kind := 1
		if r.Human {
			kind = 0
		}
		for f, v := range s.values(o) {
			if !math.IsNaN(v) {
				of := values[f][r.Set]
				of[kind] = append(of[kind], v)
				values[f][r.Set] = of
			}
		}
	}
	for f := range NumFeatures {
		sets := map[string]Counts{}
		var usual [2][]float64
		for set, of := range values[f] {
			c := Counts{Humans: make([]int, len(edges[f])+1), Machines: make([]int, len(edges[f])+1)}
			for _, v := range of[0] {
				c.Humans[bin(f, v)]++
			}
			for _, v := range of[1] {
				c.Machines[bin(f, v)]++
			}
			for kind, least := range [2]int{minHumanSessions, minMachineSessions} {
				if len(of[kind]) >= least {
					usual[kind] = append(usual[kind], median(of[kind]))
				}
			}
			if c.teaches() {
				sets[set] = c
			}
		}
		if len(sets) > 0 {
			m.Counts[f.String()] = sets
		}
		m.Usual[f.String()] = Usual{mean(usual[0]), mean(usual[1])}
	}
	return m
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// mean returns the mean, rounded to three decimal places, or nil for no values. It does not depend on the order of x.
func mean(x []float64) *float64 {
	if len(x) == 0 {
		return nil
	}
	sum := 0.0
	for _, v := range slices.Sorted(slices.Values(x)) {
		sum += v
	}
	sum = math.Round(1e3*sum/float64(len(x))) / 1e3
	return &sum
}

func sorted[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
