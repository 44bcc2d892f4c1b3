package calibrate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// skewed makes scores with a skewed distribution and ties, like the scores of runs.
func skewed(r *rand.Rand) float64 {
	if r.Float64() < .2 {
		return 1
	}
	return math.Exp(r.NormFloat64())
}

func ranked(agent string, scores ...float64) []HeldOutScore {
	out := make([]HeldOutScore, len(scores))
	for i, s := range scores {
		out[i] = HeldOutScore{agent, "g", s, 1, 1}
	}
	return out
}

// When the next run of an agent is like the earlier ones, P ≤ a has at most the probability a,
// for any distribution of scores. Simulated; four standard errors are allowed.
func TestRankOfTheNextRunKeepsItsShare(t *testing.T) {
	const rounds = 40_000
	for _, n := range []int{60, 99, 200} {
		r := rand.New(rand.NewPCG(7, uint64(n)))
		shares := []float64{1 / float64(n+1), .02, .05, .1, .3}
		hits := make([]float64, len(shares))
		for range rounds {
			var scores []float64
			for range n {
				scores = append(scores, skewed(r))
			}
			ranks := NewRanks(ranked("g/a", scores...))
			by := ranks.Agents["g/a"]
			p, _ := by.P(skewed(r))
			for i, a := range shares {
				if p <= a {
					hits[i]++
				}
			}
		}
		for i, a := range shares {
			got := hits[i] / rounds
			if got > a+4*math.Sqrt(a*(1-a)/rounds) {
				t.Errorf("of %d runs: P ≤ %.4f in %.4f of runs", n, a, got)
			}
			if floor := math.Floor(a*float64(n+1)) / float64(n+1); i < 2 && got < .8*floor {
				t.Errorf("of %d runs: P ≤ %.4f in only %.4f of runs", n, a, got)
			}
		}
	}
}

func TestThinnedRankNeverMakesARunLookRarer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for round := range 300 {
		n := 1 + r.IntN(400)
		scores, weights := make([]float64, n), make([]float64, n)
		total := 0.0
		for i := range scores {
			scores[i], weights[i] = skewed(r), 1
			if round%2 == 0 {
				weights[i] = []float64{1, .5, 1. / 3, .0371}[r.IntN(4)]
			}
			total += weights[i]
		}
		by := newRank(scores, weights)
		for range 50 {
			s := skewed(r)
			at := 0.0
			for i, x := range scores {
				if x >= s {
					at += weights[i]
				}
			}
			p, reached := by.P(s)
			want := (1 + at) / (1 + total)
			if p < want*(1-1e-3/(1+total))-1e-9 || p > 1.4*want+3/(1+total) {
				t.Fatalf("%d runs: P(S ≥ %v) is %v, of all scores %v", n, s, p, want)
			}
			if at > 0 && !reached {
				t.Fatalf("%d runs: nobody came to %v", n, s)
			}
		}
	}
	if p, reached := (&Rank{}).P(3); p != 1 || reached {
		t.Errorf("of no run: %v %v", p, reached)
	}
	by := newRank([]float64{5, 4, 3, 2, 1}, []float64{1, 1, 1, 1, 1})
	for s, want := range map[float64]float64{6: 1. / 6, 5: 2. / 6, 4.5: 2. / 6, 3: 4. / 6, 1: 1, -1: 1, math.NaN(): 1} {
		if p, _ := by.P(s); math.Abs(p-want) > 1e-12 {
			t.Errorf("P(S ≥ %v) is %v, want %v", s, p, want)
		}
	}
}

func TestRateIsOfTheAgentsOwnRunsWhereEnoughAreKnown(t *testing.T) {
	var held []HeldOutScore
	add := func(agent, group string, n int, scale float64) {
		for i := range n {
			held = append(held, HeldOutScore{agent, group, scale * float64(i+1) / float64(n), 1, 1})
		}
	}
	add("g/steady", "g", 100, 1)
	add("g/wild", "g", 100, 10)
	add("g/new", "g", 59, 1)
	add("h/alone", "h", 20, 1)
	ranks := NewRanks(held)
	scores, weights := make([]float64, len(held)), make([]float64, len(held))
	for i, h := range held {
		scores[i], weights[i] = h.Score, h.Weight
	}
	f := FitScores(scores, weights)
	for _, c := range []struct {
		agent, group string
		score, rate  float64
		of           string
	}{
		{"g/wild", "g", 9.95, 2. / 101, BasisOwn},
		{"g/wild", "g", 5.05, 51. / 101, BasisOwn},
		{"g/steady", "g", 1, 2. / 101, BasisOwn},
		{"g/new", "g", 9.95, 2. / 260, BasisPeers},
		{"h/alone", "h", 9.95, 2. / 280, BasisEverybody},
		{"who", "nobody", 9.95, 2. / 280, BasisEverybody},
	} {
		got := ranks.Expected(&f, c.agent, c.group, c.score)
		if got.Basis != c.of || got.Rate < c.rate-1e-12 || got.Rate > 1.1*c.rate || got.Beyond {
			t.Errorf("%s at %g: %+v, want %.4f of %s", c.agent, c.score, got, c.rate, c.of)
		}
	}
	if got := ranks.Expected(&f, "g/steady", "g", 1e6); got.Basis != BasisTail || !got.Beyond || got.Rate >= 1./101 {
		t.Errorf("where nobody came: %+v", got)
	}
	// None of the agent's runs reached the score, and many of the others did: the rate is that of one additional run.
	if got := ranks.Expected(&f, "g/steady", "g", 3); got.Basis != BasisOwn || math.Abs(got.Rate-1./101) > 1e-12 || got.Beyond {
		t.Errorf("where the others are: %+v", got)
	}
	var none Ranks // of a baseline of an earlier release
	if got := none.Expected(&f, "g/wild", "g", 9.95); got.Basis != BasisEverybody && got.Basis != BasisTail || got.Rate <= 0 {
		t.Errorf("a body without ranks: %+v", got)
	}
}

func TestRankOfAnAgentIsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for n, most := range map[int]int{200: 400, 20_000: 1000} {
		var scores []float64
		for range n {
			scores = append(scores, skewed(r))
		}
		text, err := json.Marshal(newRank(scores, fill(n, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > most {
			t.Errorf("%d bytes of %d runs, at most %d", len(text), n, most)
		}
	}
	if held := NewRanks([]HeldOutScore{{"a", "g", math.NaN(), 1, 1}, {"a", "g", 1, 0, 1}, {"a", "g", math.Inf(1), 1,
		1}}); held.All.Runs != 0 ||
		len(held.Agents) != 0 {
		t.Errorf("of no numbers: %s", fmt.Sprint(held))
	}
}

func fill(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestRankThatNobodyCanHaveMadeIsNoNaN(t *testing.T) {
	for _, text := range []string{`{"runs":-1,"scores":[3,2],"above":[0]}`, `{"runs":100,"scores":[3],"above":[]}`,
		`{"runs":1e308,"scores":[3,2],"above":[1e308,-1e308]}`, `{"runs":60,"scores":[1,2,3],"above":[-9,-9,-9]}`} {
		var by Rank
		if err := json.Unmarshal([]byte(text), &by); err != nil {
			t.Fatal(err)
		}
		ranks := Ranks{Agents: map[string]Rank{"a": by}, Groups: map[string]Rank{"g": by}, All: by}
		for _, s := range []float64{-1, 2.5, 5, math.Inf(1), math.NaN()} {
			if e := ranks.Expected(&Fit{Runs: 5, U: 1, Beta: 1, PU: .1}, "a", "g", s); !(e.Rate >= 0 && e.Rate <= 1) || e.Basis == "" {
				t.Errorf("%s at %g: %+v", text, s, e)
			}
		}
	}
}
