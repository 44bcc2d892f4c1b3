package baseline

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// Made by testdata/stranger.py with 60 digits.
//
//go:embed testdata/stranger.json
var strangerJSON []byte

func TestAmountOfStrangersAgreesWithClosedForm(t *testing.T) {
	var cases []struct {
		Groups map[string][3]float64
		Want   [][3]float64
	}
	if err := json.Unmarshal(strangerJSON, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		a := newAmount()
		for name, s := range c.Groups {
			a.Groups[name] = Moments{s[0], s[1], s[2]}
			a.All = Moments{a.All.N + s[0], a.All.Sum + s[1], a.All.Sum2 + s[2]}
		}
		for _, w := range c.Want {
			got := a.ForStranger(w[0])
			if math.Abs(got.Mean-w[1]) > 1e-9*math.Abs(w[1]) || math.Abs(got.SD-w[2]) > 1e-9*w[2] {
				t.Errorf("case %d of %d groups, minimum %v: %+v, want %v", i, len(c.Groups), w[0], got, w[1:])
			}
		}
	}
}

// However alike the known populations are, a new one may differ from them.
func TestFewAlikePopulationsMakeANarrowTail(t *testing.T) {
	a := newAmount()
	before := math.Inf(1)
	for n := 1; n <= 40; n++ {
		for range 200 {
			a.Add("a", fmt.Sprint(n), math.E)
		}
		sd := a.ForStranger(0).SD
		groups := float64(n)
		least := math.Sqrt(betweenPriorGroups * betweenPriorSD * betweenPriorSD / (betweenPriorGroups + groups - 1) * (1 + 1/groups))
		if math.Abs(sd-least) > 1e-9 || sd >= before {
			t.Errorf("%d groups: %v, want %v, below %v", n, sd, least, before)
		}
		before = sd
	}
}

func people(b *Baseline, agents, runs int, group string) {
	for i := range agents {
		for n := range runs {
			b.Learn(goldenRun(fmt.Sprint(group, "/", i), "", "", n))
		}
	}
}

// The class of an agent depends on the baseline, and on nothing that the agent says or does in the run.
func TestClassOfAnAgent(t *testing.T) {
	b := New("t")
	people(b, 2, MinPeerRuns/2, "known")
	people(b, 1, MinPeerRuns, "lonely")
	people(b, 30, MinPeerAgentRuns-1, "scattered")
	people(b, 2, MinPeerRuns/2-1, "few")
	for n := range MinAgentRuns - 1 {
		b.Learn(goldenRun("new/almost", "", "", n))
	}
	for n := range MinAgentRuns { // names that are only claimed, and callers without a name
		r := goldenRun("claimed/often", "", "", n)
		r.Agent = "~claimed/often"
		b.Learn(r)
		r = goldenRun("", "", "", n)
		b.Learn(r)
	}
	b.Finish()
	for _, c := range []struct {
		agent string
		trust schema.Trust
		kind  schema.CallerKind
		want  schema.Acquaintance
	}{
		{"known/0", schema.TrustVerified, schema.CallerAgent, schema.KnownAgent},
		{"known/9", schema.TrustVerified, schema.CallerAgent, schema.NewAgent},
		{"known/0", schema.TrustAsserted, schema.CallerAgent, schema.NewAgent}, // the name is claimed: it is not that agent
		{"lonely/0", schema.TrustVerified, schema.CallerAgent, schema.KnownAgent},
		{"lonely/9", schema.TrustVerified, schema.CallerAgent, schema.NewPopulation},
		{"scattered/0", schema.TrustVerified, schema.CallerAgent, schema.NewPopulation},
		{"few/9", schema.TrustVerified, schema.CallerAgent, schema.NewPopulation},
		{"new/almost", schema.TrustVerified, schema.CallerAgent, schema.NewPopulation},
		{"claimed/often", schema.TrustAsserted, schema.CallerAgent, schema.KnownAgent},
		{"claimed/often", schema.TrustVerified, schema.CallerAgent, schema.NewPopulation},
		{"known/0", schema.TrustVerified, schema.CallerHuman, schema.KnownAgent},
		{"anybody", schema.TrustVerified, schema.CallerHuman, schema.NewPopulation},
		{"", schema.TrustNone, schema.CallerUnknown, schema.KnownAgent}, // callers without a name are learned as one agent
		{"nobody/1", schema.TrustVerified, schema.CallerAgent, schema.NewPopulation},
	} {
		if got := b.Acquaintance(AgentKey(c.agent, c.trust), PeerGroup(c.agent, c.kind)); got != c.want {
			t.Errorf("%q, %v, %v: %v, want %v", c.agent, c.trust, c.kind, got, c.want)
		}
	}
	for _, none := range []*Baseline{nil, New("t")} {
		if got := none.Acquaintance("known/0", "known"); got != schema.NothingLearned {
			t.Errorf("without runs: %v", got)
		}
	}
}

// calibrated returns ranks of n runs of which a share has a score of 5 to 6, and the others of 1.
func calibrated(n int, share float64) calibrate.Rank {
	scores, weights := make([]float64, n), make([]float64, n)
	for i := range scores {
		scores[i], weights[i] = 1, 1
		if k := float64(i); k < share*float64(n) {
			scores[i] = 5 + k/float64(n)
		}
	}
	return calibrate.NewRank(scores, weights)
}

func TestLevelsOfClasses(t *testing.T) {
	b := New("t")
	scores, weights := make([]float64, 3000), make([]float64, 3000)
	for i := range scores {
		scores[i], weights[i] = -math.Log((float64(i)+.5)/3000), 1
	}
	b.Calibration = calibrate.FitScores(scores, weights)
	all := b.Calibration.Levels(.001)
	for _, class := range []schema.Acquaintance{schema.NothingLearned, schema.NewPopulation, schema.NewAgent, schema.KnownAgent} {
		if got := b.Thresholds().Levels(class, "g", .001); got != all {
			t.Errorf("a baseline of an earlier release has other thresholds for %v: %v, not %v", class, got, all)
		}
		want := WhyEarlierRelease
		if class == schema.NothingLearned {
			want = WhyNothingLearned
		}
		if got := b.Thresholds().Uncalibrated(class); got != want {
			t.Errorf("%v of an earlier release: %q", class, got)
		}
	}
	b.ByClass = &ByClass{KnownAgent: calibrated(3000, .008), NewAgent: calibrated(150, .2)}
	if got := b.Thresholds().Levels(schema.KnownAgent, "g", .001); got != all {
		t.Errorf("known agents that keep to the share: %v, not %v", got, all)
	}
	thresholds := b.Thresholds()
	if got := thresholds.Levels(schema.NewAgent, "g", .001); got != all || thresholds.Uncalibrated(schema.NewAgent) != WhyFewClassRuns {
		t.Errorf("new agents of too few held-out runs: %v, not %v", got, all)
	}
	b.ByClass.NewAgent = calibrated(1000, .2)
	raised := b.Thresholds().Levels(schema.NewAgent, "g", .001)
	for i := range raised {
		if d := raised[i] - all[i]; d < .5 || d > math.Ln10 || math.Abs(d-raised[1]+all[1]) > 1e-12 {
			t.Errorf("new agents that alarm twenty times as often: %v from %v", raised, all)
		}
	}
	strange := -math.Log(.01)
	for n := range calibrate.MinPopulations {
		if b.ByClass.NewPopulation.Groups == nil {
			b.ByClass.NewPopulation.Groups = map[string]calibrate.Rank{}
		}
		if got := b.Thresholds().Levels(schema.NewPopulation, "g", .001); got != (calibrate.Levels{strange, -math.Log(.001), math.MaxFloat64}) {
			t.Errorf("%d populations: %v", n, got)
		}
		none := calibrate.Levels{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}
		if got := b.Thresholds().Levels(schema.NothingLearned, "g", .001); got != none {
			t.Errorf("%d populations, nothing learned: %v", n, got)
		}
		if got := b.Thresholds().Uncalibrated(schema.NewPopulation); got != WhyFewPopulations {
			t.Errorf("%d populations: %q", n, got)
		}
		b.ByClass.NewPopulation.Groups[fmt.Sprint(n)] = calibrated(400, .005)
	}
	want := calibrate.Levels{-math.Log(.05), strange, -math.Log(.001)}
	if got := b.Thresholds().Levels(schema.NewPopulation, "g", .001); got != want || b.Thresholds().Uncalibrated(schema.NewPopulation) != "" {
		t.Errorf("%d populations: %v, %q", calibrate.MinPopulations, got, b.Thresholds().Uncalibrated(schema.NewPopulation))
	}
	if got := b.Thresholds().Levels(schema.KnownAgent, "g", .001); got != all {
		t.Errorf("known agents beside populations: %v, not %v", got, all)
	}
}

// The group of a few clean loops is not made deaf.
func TestRaiseOfThresholdsIsLimited(t *testing.T) {
	b := New("t")
	scores, weights := make([]float64, 500), make([]float64, 500)
	for i := range scores {
		scores[i], weights[i] = 1, 1
	}
	b.Calibration = calibrate.FitScores(scores, weights)
	wild := calibrated(400, .5)
	for i := range wild.Scores {
		wild.Scores[i] *= 100
	}
	b.ByClass = &ByClass{KnownAgent: wild}
	all, got := b.Calibration.Levels(.001), b.Thresholds().Levels(schema.KnownAgent, "", .001)
	for i := range got {
		if math.Abs(got[i]-all[i]-calibrate.MaxRaise) > 1e-12 {
			t.Errorf("%v from %v", got, all)
		}
	}
}
