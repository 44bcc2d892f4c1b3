package sharedcredential

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"flyball/schema"
)

func TestAreaOfACallIsOfAnotherApi(t *testing.T) {
	for _, tc := range []struct {
		call schema.Call
		want string
	}{
		{schema.Call{API: "orders", MCPServer: "m", Host: "h", RouteKey: "/v1/a"}, "orders"},
		{schema.Call{MCPServer: "m", Host: "h", Operation: "tools/call x"}, "m"},
		{schema.Call{Host: "shop.example", RouteKey: "/v1/a"}, "shop.example"},
		{schema.Call{RouteKey: "/wiki/{}"}, "/wiki"},
		{schema.Call{Route: "/wiki/{page}"}, "/wiki"},
		{schema.Call{RouteKey: "/{}/edit"}, "/{}"},
		{schema.Call{RouteKey: "/style.css"}, "/"},
		{schema.Call{RouteKey: "/"}, "/"},
		{schema.Call{Operation: "Send"}, "/"},
	} {
		if got := area(&tc.call); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.call, got, tc.want)
		}
	}
}

// people makes n sessions of people in areas: that of every call by its number.
func people(n, calls int, area func(session, call int) string) (out [][]Input) {
	for k := range n {
		var s []Input
		for i := range calls {
			s = append(s, Input{Answered: true, Asset: i%2 == 0, Given: uint64(300 + 31*i + 7*k), At: 1795176000e9 + int64(i*(5+k%9))*1e9,
				Area: area(k, i)})
		}
		out = append(out, s)
	}
	return out
}

// Where no people's sessions were learned, the model of public data gives a number: it is not asked.
func TestBorrowedOnAnUnlearnedApiIsANumber(t *testing.T) {
	m := EmbeddedModel()
	everywhere := func(int, int) string { return "shop" }
	known := LearnTenantPeople(m, people(120, 8, everywhere))
	before := *known
	before.Areas = nil
	for name, tc := range map[string]struct {
		own   *TenantPeople
		area  string
		class schema.Acquaintance
		why   string
	}{
		"no people were learned":        {nil, "shop", schema.NothingLearned, WhyNothingLearned},
		"too few people":                {LearnTenantPeople(m, people(98, 8, everywhere)), "shop", schema.NothingLearned, WhyNothingLearned},
		"too short sessions":            {LearnTenantPeople(m, people(120, 4, everywhere)), "shop", schema.NothingLearned, WhyNothingLearned},
		"a release without areas":       {&before, "shop", schema.NothingLearned, WhyNothingLearned},
		"people were learned here":      {known, "shop", schema.NewAgent, ""},
		"people were learned elsewhere": {known, "payments", schema.NewPopulation, WhyNothingLearned},
		"in four sessions": {LearnTenantPeople(m, people(120, 9, func(s, i int) string {
			if s < 4 && i == 0 {
				return "payments"
			}
			return "shop"
		})), "payments", schema.NewPopulation, WhyNothingLearned},
		"each person has another": {LearnTenantPeople(m, people(120, 8, func(s, _ int) string { return fmt.Sprint(s / 3) })), "1",
			schema.NothingLearned, WhyNothingLearned},
	} {
		s := m.ScaleFor(tc.own)
		if got := s.Acquaintance(tc.area); got != tc.class {
			t.Errorf("%s: %v, want %v", name, got, tc.class)
		}
		if got := s.Abstains(tc.area); got != tc.why {
			t.Errorf("%s: abstains because of %q, want %q", name, got, tc.why)
		}
		var machine []Input
		for i := range 40 {
			c := robotic(i)
			c.Area = tc.area
			machine = append(machine, c)
		}
		if _, judged := ScoreSession(s, machine); tc.own != nil && s.UsesTenantPeople() && judged != (tc.why == "") {
			t.Errorf("%s: judged %v", name, judged)
		}
	}
}

// The usual values in evidence are of the tenant's own people: those of public data are of other APIs.
func TestUsualValuesOfEvidenceAreOfPublicData(t *testing.T) {
	m := EmbeddedModel()
	own := LearnTenantPeople(m, people(120, 8, func(int, int) string { return "shop" }))
	if len(own.Areas) != 1 || own.Areas["shop"] != 120 || own.Usual["assets"] != .5 || own.Usual["repeats"] != 0 {
		t.Fatalf("%+v", own)
	}
	if _, there := own.Usual["request_sizes"]; there {
		t.Error("nobody sent anything, and a size is usual")
	}
	var s Session
	for i := range 20 {
		s.Add(robotic(i))
	}
	pace := 0.0
	for _, e := range m.ScaleFor(own).Explain(&s) {
		if want, there := own.Usual[e.Feature.String()]; there != !math.IsNaN(e.Humans) || there && e.Humans != want {
			t.Errorf("%s: people %v, want %v", e.Feature, e.Humans, want)
		}
		if e.Feature == Pace {
			pace = e.Humans
		}
	}
	if pace < 5 || pace > 13 { // gaps of 5 to 13 seconds
		t.Errorf("people wait %g s", pace)
	}
	for _, e := range m.ScaleFor(nil).Explain(&s) {
		if !math.IsNaN(e.Humans) {
			t.Errorf("%s: nobody was learned, and %g is usual", e.Feature, e.Humans)
		}
	}
}

// Calls in areas of too few sessions are not judged, so the pace between them, their assets and sessions of them are no
// measure for what is judged.
func TestPeopleAreLearnedFromCallsThatAreNotJudged(t *testing.T) {
	alternating := func(s, i int) string {
		if i%2 == 1 {
			return fmt.Sprint("of ", s)
		}
		return "shop"
	}
	sessions := people(120, 12, alternating)
	for s := range sessions {
		for i := range sessions[s] {
			sessions[s][i].Asset = alternating(s, i) != "shop"
			sessions[s][i].At = int64(i) * 5e9
		}
	}
	o := observePeople(sessions)
	if o.Sessions != 120 || o.Pace.N != 120 || math.Abs(o.Pace.Mean-math.Log(10)) > 1e-9 {
		t.Errorf("calls on the shop are 10 s apart, and %d sessions have %.3g s", o.Sessions, math.Exp(o.Pace.Mean))
	}
	if o.Assets != 0 {
		t.Errorf("nobody loads assets of the shop, and a share of %g does", o.Assets)
	}
	if o := observePeople(people(120, 2*MinSessionCalls-2, alternating)); o.Sessions != 0 || o.Areas["shop"] != 120 {
		t.Errorf("%d sessions have enough calls on the shop", o.Sessions)
	}
}

// A caller cannot make the baseline large by many areas.
func TestAreasGrowWithoutABound(t *testing.T) {
	o := &TenantPeople{}
	for i := range 3 * maxAreas {
		for range minAreaSessions + i%2 {
			o.countAreas([]Input{{Area: fmt.Sprintf("%05d", i)}, {Area: fmt.Sprintf("%05d", i)}})
		}
	}
	o.countAreas([]Input{{Area: "once"}})
	o.keepAreas()
	if len(o.Areas) != maxAreas || o.Areas["once"] != 0 || o.Areas["00001"] != minAreaSessions+1 || o.Areas["00000"] != 0 {
		t.Errorf("%d areas kept, the busiest %d", len(o.Areas), o.Areas["00001"])
	}
	for name := range o.Areas {
		if strings.HasSuffix(name, "0") {
			t.Fatalf("%s has fewer sessions than another area", name)
		}
	}
}
