package sharedcredential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema/wire"
)

// Compares with SciPy (testdata/weights.py).
func TestNumbersAreThoseOfSciPy(t *testing.T) {
	raw, err := os.ReadFile("testdata/weights.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Weights map[string][]float64
		Scores  []float64
		P       map[string][]float64
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	m := EmbeddedModel()
	if len(want.Weights) != len(m.Counts) || len(want.P) != len(m.Tails) {
		t.Fatal("the values are of another model: make them again")
	}
	for f := range NumFeatures {
		got := m.ScaleFor(nil).weights[f]
		for i, w := range want.Weights[f.String()] {
			if math.Abs(got[i]-w) > 1e-12 {
				t.Errorf("%s, bin %d: %.15g, want %.15g", f, i, got[i], w)
			}
		}
	}
	for set, ps := range want.P {
		for i, p := range ps {
			if got := m.Tails[set].p(want.Scores[i]); math.Abs(got-p) > 1e-15 {
				t.Errorf("%s at %g: %g, want %g", set, want.Scores[i], got, p)
			}
		}
	}
}

func TestShippedModelIsSmallAndOfThisVersion(t *testing.T) {
	if len(embedded) > 10<<10 {
		t.Errorf("%d bytes", len(embedded))
	}
	m := EmbeddedModel()
	if m.Version != version || len(m.Tails) == 0 {
		t.Fatalf("version %q, %d tails", m.Version, len(m.Tails))
	}
	s := m.ScaleFor(nil)
	for f := range NumFeatures {
		for i, w := range s.weights[f] {
			if math.Abs(w) > maxFeatureWeight {
				t.Errorf("%s says %g", f, w)
			}
			if i > 0 && (w-s.weights[f][i-1])*machine[f] < 0 {
				t.Errorf("%s turns at bin %d: %v", f, i, s.weights[f])
			}
		}
	}
}

func TestModelThatCannotBeScoredByIsRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{`:                       "unexpected end",
		`{"counts":{"vibes":{}}}`: "counts.vibes is none of",
		`{"tails":{"web":null}}`:  "tails.web is not",
		`{"tails":{"web":{"sessions":3,"counts":[1,2]}}}`:                      "tails.web is not",
		`{"counts":{"errors":{"web":{"humans":[1,2,3],"machines":[1,-2,3]}}}}`: "counts.errors.web: [1 -2 3]",
		`{"counts":{"errors":{"web":{"humans":[1,2,3]}}}}`:                     "counts.errors.web: []",
	} {
		if _, err := parse([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// For any value of one feature, and for any number of counted people.
func TestOneFeatureAloneSuspectsNobody(t *testing.T) {
	s := EmbeddedModel().ScaleFor(nil)
	s.tails = []*Tail{{Sessions: 1 << 40, Counts: make([]int, steps)}}
	for f := range NumFeatures {
		for _, x := range []float64{-1e300, -10, 0, .5, 1, 1e300} {
			v := unknown()
			v[f] = x
			if score := s.score(&v); s.Suspicious(score, 1) {
				t.Errorf("%s = %g suspects: %g", f, x, score)
			}
		}
	}
}

func TestUnknownFeaturesSayNothing(t *testing.T) {
	s, v := EmbeddedModel().ScaleFor(nil), unknown()
	if got := s.score(&v); got != 0 {
		t.Errorf("nothing is known, and the score is %g", got)
	}
	v[Errors] = .9
	one := s.score(&v)
	v[Answers] = .1
	if two := s.score(&v); two <= one {
		t.Errorf("%g with answers, %g without", two, one)
	}
}

func unknown() (v Values) {
	for f := range v {
		v[f] = math.NaN()
	}
	return v
}

func TestShortSessionIsNotJudged(t *testing.T) {
	var s Session
	for i := range MinSessionCalls {
		s.Add(robotic(i))
		if _, ok := s.Judge(EmbeddedModel().ScaleFor(nil)); ok != (i == MinSessionCalls-1) {
			t.Errorf("after %d calls: judged %v", i+1, ok)
		}
	}
}

// robotic sends the same request, gets the same answer, and fails every third time.
func robotic(i int) Input {
	return Input{Answered: true, Failed: i%3 == 0, Write: true, Sent: 100, Given: 200, At: 1795176000e9 + int64(i)*1e9}
}

func TestRoboticSessionIsSuspectedAndALivelyOneIsNot(t *testing.T) {
	by := EmbeddedModel().ScaleFor(nil)
	var machine, person []Input
	for i := range 40 {
		machine = append(machine, robotic(i))
		person = append(person,
			Input{Answered: true, Write: i%4 == 0, Asset: i%2 == 0, Sent: uint64(50 + 7*i), Given: uint64(300 + 31*i), At: robotic(i).At})
	}
	if s, _ := ScoreSession(by, machine); !by.Suspicious(s.Highest, .01) {
		t.Errorf("the machine scores %g, P %g", s.Highest, by.P(s.Highest))
	}
	if s, _ := ScoreSession(by, person); by.Suspicious(s.Highest, .05) {
		t.Errorf("the person scores %g, P %g", s.Highest, by.P(s.Highest))
	}
}

func TestTimesThatSayNothingAreNoPace(t *testing.T) {
	own := &TenantPeople{Pace: Moments{N: 100, Mean: 2, SD: 1}}
	for name, at := range map[string]func(i int) int64{"unknown": func(int) int64 { return 0 },
		"backwards": func(i int) int64 { return 1e18 - int64(i)*1e12 }} {
		var s Session
		for i := range 20 {
			s.Add(Input{At: at(i)})
		}
		if v := s.values(own); !math.IsNaN(v[Pace]) {
			t.Errorf("%s: pace %g", name, v[Pace])
		}
	}
	// One log has whole seconds, the other has nanoseconds.
	var coarse, fine Session
	for i := range 20 {
		at := 1795176000e9 + int64(i)*1_700_000_000 + 123_456_789
		fine.Add(Input{At: at})
		coarse.Add(Input{At: at / 1e9 * 1e9})
	}
	if a, b := fine.values(own), coarse.values(own); a[Pace] != b[Pace] || math.IsNaN(a[Pace]) {
		t.Errorf("%g and %g", a[Pace], b[Pace])
	}
}

// Clocks of 1970 and 2100, a million calls, very large sizes: the state stays bounded and finite.
func TestNothingAClientInventsBreaksASession(t *testing.T) {
	by := EmbeddedModel().scale(&TenantPeople{Pace: Moments{N: 100, Mean: 2, SD: minPaceSD}, Assets: 1, Tail: Tail{Counts: make([]int,
		steps)}})
	var s Session
	for i := range 1_000_000 {
		s.Add(
			Input{
				Given:    uint64(i) * 7919,
				Sent:     math.MaxUint64 - uint64(i),
				Write:    true,
				At:       []int64{1, math.MaxInt64, math.MinInt64, 4102444800e9}[i%4],
				Answered: i%2 == 0,
				Failed:   i%5 == 0,
			},
		)
		if i%100_000 == 10 {
			if score, _ := s.Judge(by); math.IsNaN(score) || math.Abs(score) > 4*maxFeatureWeight {
				t.Fatalf("call %d: score %g", i, score)
			}
		}
	}
	if len(s.answers.recent) > maxSizes || len(s.requests.recent) > maxSizes {
		t.Errorf("%d and %d sizes remembered", len(s.answers.recent), len(s.requests.recent))
	}
	if p := by.P(math.NaN()); p != 1 {
		t.Errorf("a score that is none has P %g", p)
	}
}

func TestSessionGoesOnWhereItWasStored(t *testing.T) {
	by := EmbeddedModel().ScaleFor(nil)
	var whole, first Session
	for i := range 100 {
		c := robotic(i)
		c.Given += uint64(i * i % 37)
		whole.Add(c)
		_, _ = whole.Judge(by)
		if i == 60 {
			first = whole
			w := wire.NewWriter(nil, wire.KindState, 5)
			first.Code(w)
			r, err := wire.NewReader(w.Bytes(), wire.KindState, 5)
			if err != nil {
				t.Fatal(err)
			}
			first = Session{}
			if first.Code(r); r.Err != nil || r.Rest() != 0 {
				t.Fatalf("%v, %d bytes left", r.Err, r.Rest())
			}
		}
		if i > 60 {
			first.Add(c)
			_, _ = first.Judge(by)
		}
	}
	if a, b := fmt.Sprintf("%+v", whole), fmt.Sprintf("%+v", first); a != b {
		t.Errorf("as if nothing had happened: %s\nas it was restored: %s", a, b)
	}
}

// person makes a session of a person with individual habits. It does not follow the assumptions of the features.
func person(r *rand.Rand) (calls []Input) {
	pace, pages, sizes, fails := math.Exp(1+r.NormFloat64()), r.Float64() < .8, 2+r.IntN(60), .2*r.Float64()*r.Float64()
	at := 1795176000e9 + r.Int64N(1e15)
	for range MinSessionCalls + r.IntN(20) {
		at += int64(1e9 * pace * r.ExpFloat64())
		calls = append(calls,
			Input{Repeat: r.Float64() < .1, Answered: true, Failed: r.Float64() < fails, Write: r.Float64() < .3, Asset: pages && r.Float64() < .5,
				Sent: uint64(1 + r.IntN(sizes)), Given: uint64(1 + r.IntN(sizes)), At: at})
	}
	return calls
}

// At most the nominal share of the people of 200 tenants is suspected.
func TestOwnPeopleKeepTheRate(t *testing.T) {
	const tenants, tested = 200, 100
	r := rand.New(rand.NewPCG(3, 5))
	m := EmbeddedModel()
	suspected := map[float64]int{}
	for range tenants {
		var own [][]Input
		for range 150 {
			own = append(own, person(r))
		}
		by := m.ScaleFor(LearnTenantPeople(m, own))
		if !by.UsesTenantPeople() {
			t.Fatal("150 sessions were too few")
		}
		for range tested {
			s, _ := ScoreSession(by, person(r))
			for _, share := range []float64{.01, .05} {
				if by.Suspicious(s.Highest, share) {
					suspected[share]++
				}
			}
		}
	}
	for share, k := range suspected {
		// 4.5 standard errors.
		got, most := float64(k)/(tenants*tested), share+4.5*math.Sqrt(share*(1-share)/tenants/10)
		if got > most {
			t.Errorf("at %g: %g of people are suspected", share, got)
		}
		t.Logf("at %g: %.4f of %d sessions", share, got, tenants*tested)
	}
}

func TestTooFewPeopleOrAnotherModelsCountAsNone(t *testing.T) {
	r, m := rand.New(rand.NewPCG(1, 1)), EmbeddedModel()
	var own [][]Input
	for range MinTenantSessions - 1 {
		own = append(own, person(r))
	}
	if LearnTenantPeople(m, own) != nil {
		t.Error("fewer than a hundred people tell what one in a hundred does")
	}
	good := LearnTenantPeople(m, append(own, person(r)))
	for name, change := range map[string]func(*TenantPeople){
		"another model": func(o *TenantPeople) { o.Model = "borrowed/0" }, "counts " +
			"cut": func(o *TenantPeople) { o.Tail.Counts = o.Tail.Counts[1:] },
		"no spread": func(o *TenantPeople) { o.Pace.SD = 0 }, "sums differ": func(o *TenantPeople) { o.Tail.Sessions++ },
	} {
		bad := *good
		bad.Tail.Counts = slices.Clone(good.Tail.Counts)
		change(&bad)
		if m.ScaleFor(&bad).UsesTenantPeople() {
			t.Errorf("%s: they are judged by", name)
		}
	}
	raw, _ := json.Marshal(good)
	var read TenantPeople
	if err := json.Unmarshal(raw, &read); err != nil || !m.ScaleFor(&read).UsesTenantPeople() {
		t.Errorf("%v: what was stored is not what was learned", err)
	}
}

// The same data in any order give the same bytes.
func TestLearningIsDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var all []*LabelledSession
	for i := range 900 {
		all = append(all,
			&LabelledSession{ID: fmt.Sprint(i), Set: fmt.Sprint("s", i%2), Identity: fmt.Sprint(i / 2), Human: i%3 != 0, Calls: person(r)})
	}
	a, _ := json.Marshal(Learn(all))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if b, _ := json.Marshal(Learn(all)); !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestAssetsAreToldFromResources(t *testing.T) {
	for path, want := range map[string]bool{"/style2.css": true, "/a/b.PNG?v=3": true, "/api/rum": true, "/orders/7": false, "/": false,
		"": false, "/v1.js/things": false, "/files/report.pdf": false} {
		if asset(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	by := EmbeddedModel().ScaleFor(nil)
	var s Session
	c := robotic(1)
	b.ReportAllocs()
	for i := range b.N {
		c.Given, c.At = uint64(i%50), c.At+int64(time.Second)
		s.Add(c)
		_, _ = s.Judge(by)
	}
}
