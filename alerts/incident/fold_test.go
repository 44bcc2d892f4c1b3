package incident

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

const second = int64(time.Second)

func found(version uint64, level schema.Level, state schema.FindingState, mode ...schema.Mode) *schema.Event {
	run := schema.RunID{1}
	f := &schema.Finding{ID: schema.FindingID(run, schema.FamilyLoop), Version: version, Tenant: "t", RunID: run, AgentID: "a/b",
		Family: schema.FamilyLoop, Level: level, State: state, OpenedAt: second, UpdatedAt: int64(version) * second, Summary: "it loops",
		Call:     schema.CallRef{Offset: int64(version)},
		Evidence: []schema.Contribution{{Feature: "1"}, {Feature: "2"}, {Feature: "3"}, {Feature: "4"}}}
	if len(mode) > 0 {
		f.Decision = &schema.Decision{Mode: mode[0]}
	}
	e := schema.FindingEvent(f)
	return &e
}

func broke(generation uint64, state schema.BreakerState, mode schema.Mode) *schema.Event {
	run := schema.RunID{1}
	e := schema.BreakerEvent(&schema.Breaker{Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeRun, Value: "it's"},
		State: state, Mode: mode, Generation: generation,
		FindingID: schema.FindingID(run, schema.FamilyLoop), Since: int64(generation) * second})
	return &e
}

func hear(f *Fold, events ...*schema.Event) (out []string) {
	for _, e := range events {
		if p, ok := f.Apply(e, 10*second); ok {
			out = append(out, string(p.Kind)+" "+p.Because)
		}
	}
	return out
}

var life = []*schema.Event{
	found(1, schema.LevelAlert, schema.FindingOpen),
	found(2, schema.LevelTrip, schema.FindingOpen, schema.ModeArmed),
	broke(5, schema.BreakerOpen, schema.ModeArmed),
	found(3, schema.LevelTrip, schema.FindingOpen),
	broke(6, schema.BreakerOpen, schema.ModeArmed), // the trip is renewed
	found(9, schema.LevelTrip, schema.FindingClosed),
	broke(7, schema.BreakerClosed, schema.ModeArmed),
}

var lifeTold = []string{"opened finding_opened", "updated level_raised", "updated breaker_opened", "resolved breaker_closed"}

func TestOneIncidentFromFindingToReset(t *testing.T) {
	if got := hear(NewFold(), life...); !slices.Equal(got, lifeTold) {
		t.Fatalf("told %q, want %q", got, lifeTold)
	}
}

// An event that a restarted detector or point writes again, at any position, gives no page twice, and no page is missing.
func TestEventsWrittenAgainAreToldOnce(t *testing.T) {
	for from := range life {
		for to := from + 1; to <= len(life); to++ {
			again := append(slices.Clone(life[:to]), life[from:]...)
			if got := hear(NewFold(), again...); !slices.Equal(got, lifeTold) {
				t.Fatalf("events %d to %d again: told %q, want %q", from, to, got, lifeTold)
			}
		}
	}
}

func TestReplayMakesTheSamePages(t *testing.T) {
	pages := func() (out []Page) {
		f := NewFold()
		for _, e := range life {
			if p, ok := f.Apply(e, 10*second); ok {
				out = append(out, p)
			}
		}
		return out
	}
	one, other := pages(), pages()
	if !reflect.DeepEqual(one, other) {
		t.Fatal("the same events made other pages")
	}
	ids := map[string]bool{}
	for _, p := range one {
		ids[p.ID] = true
		if p.Incident != one[0].Incident || len(p.Contributions) != 3 {
			t.Errorf("page %s of incident %s with %d contributions", p.ID, p.Incident, len(p.Contributions))
		}
	}
	if len(ids) != len(one) {
		t.Fatalf("%d ids for %d pages", len(ids), len(one))
	}
	if reset := strings.Join(one[2].Commands, "\n"); !strings.Contains(reset, `flyball breakers reset run 'it'\''s' --if-match 5`) {
		t.Errorf("commands:\n%s", reset)
	}
}

func TestWithheldTripIsToldAsOne(t *testing.T) {
	f := NewFold()
	got := hear(f, found(1, schema.LevelTrip, schema.FindingOpen, schema.ModeArmed),
		broke(5, schema.BreakerClosed, schema.ModeWithheld), broke(6, schema.BreakerClosed, schema.ModeWithheld),
		found(4, schema.LevelTrip, schema.FindingClosed))
	if want := []string{"opened finding_opened", "updated trip_withheld", "resolved run_closed"}; !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
}

func TestBackfillCallsNobody(t *testing.T) {
	f := NewFold()
	if p, ok := f.Apply(found(1, schema.LevelTrip, schema.FindingOpen), int64(2*time.Hour)); ok {
		t.Fatalf("paged %v for what is over", p.Kind)
	}
}

// tripsTo routes findings of level trip to a receiver.
func tripsTo(receiver string) func(*schema.Finding, int64) Routes {
	return func(v *schema.Finding, _ int64) Routes {
		if v.Level < schema.LevelTrip {
			return Routes{}
		}
		return Routes{Receivers: []string{receiver}, By: []string{"routes[0]"}}
	}
}

func TestNobodyHearsOfWhatNobodyWants(t *testing.T) {
	f := NewFold()
	f.Receiver, f.Route = "soc", tripsTo("soc")
	got := hear(f, found(1, schema.LevelAlert, schema.FindingOpen), broke(2, schema.BreakerOpen, schema.ModeArmed),
		broke(3, schema.BreakerClosed, schema.ModeArmed), found(9, schema.LevelAlert, schema.FindingClosed))
	if got != nil {
		t.Fatalf("told %q", got)
	}
}

func TestClosedRunThatCallsAgainOpensAgain(t *testing.T) {
	f := NewFold()
	got := hear(f, found(1, schema.LevelAlert, schema.FindingOpen), found(2, schema.LevelAlert, schema.FindingClosed),
		found(3, schema.LevelAlert, schema.FindingOpen), found(4, schema.LevelAlert, schema.FindingClosed))
	want := []string{"opened finding_opened", "resolved run_closed", "opened finding_opened", "resolved run_closed"}
	if !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
}

// A finding that an exception covers makes no page at any level. When the exception ends, it makes one immediately, and its end makes a
// page like that of any other finding.
func TestNobodyIsCalledAboutWhatIsMeant(t *testing.T) {
	meant := func(version uint64, level schema.Level, state schema.FindingState) *schema.Event {
		e := found(version, level, state)
		e.Finding.Exception = "nightly purge"
		return e
	}
	f := NewFold()
	covered := []*schema.Event{meant(1, schema.LevelAlert, schema.FindingOpen), meant(2, schema.LevelTrip, schema.FindingOpen),
		meant(3, schema.LevelTrip, schema.FindingClosed)}
	if got := hear(f, covered...); got != nil {
		t.Fatalf("told %q", got)
	}
	if open := f.Open(); len(open) != 0 {
		t.Fatalf("%d incidents are told to be open", len(open))
	}
	f = NewFold()
	got := hear(f, found(1, schema.LevelAlert, schema.FindingOpen), meant(2, schema.LevelTrip, schema.FindingOpen),
		found(3, schema.LevelTrip, schema.FindingOpen, schema.ModeArmed), found(4, schema.LevelTrip, schema.FindingClosed))
	if want := []string{"opened finding_opened", "updated level_raised", "resolved run_closed"}; !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
}

func TestIncidentsAreBounded(t *testing.T) {
	f := NewFold()
	f.findings.limit, f.Bounds.Claimed = 10, 1000
	for i := range 100 {
		e := found(1, schema.LevelAlert, schema.FindingOpen)
		e.Finding.ID, e.Finding.AgentID = fmt.Sprint(i), fmt.Sprint(i)
		f.Apply(e, 0)
	}
	if v := &f.findings; len(v.open) != 10 || v.order[claimed].Len() != 10 || len(f.incidents.groups) != 10 || v.dropped != 90 ||
		len(f.Open()) != 10 {
		t.Fatalf("%d open, %d dropped", len(f.findings.open), f.findings.dropped)
	}
}

func TestQuestionIsOnePageAndItsAnswerAnother(t *testing.T) {
	f := NewFold()
	f.Link = func(id string, until int64) string { return fmt.Sprint("https://x/", id, "/", until) }
	gate := func(generation uint64, state schema.GateState, mode schema.Mode) (Page, bool) {
		g := &schema.Gate{ID: "g_1", Tenant: "t", AgentID: "bot", RunID: schema.RunID{1}, Route: "DELETE /x", Resource: "order:7",
			Why: "policy.autonomy:irreversible_not_granted", Mode: mode,
			State: state, Generation: generation, AskedAt: 5, Expires: 100, DecidedAt: 50}
		e := schema.GateEvent(g)
		return f.Apply(&e, 6)
	}
	if _, ok := gate(1, schema.GateEnded, schema.ModeObserve); ok {
		t.Fatal("somebody was called about what is only observed")
	}
	p, ok := gate(2, schema.GatePending, schema.ModeArmed)
	if !ok || p.Kind != Opened || p.Link != "https://x/g_1/100" || len(p.Commands) != 3 ||
		!strings.Contains(p.Summary, "order:7") || p.ResolveRule != gateRule {
		t.Fatalf("%v %+v", ok, p)
	}
	if _, ok := gate(2, schema.GatePending, schema.ModeArmed); ok {
		t.Fatal("told twice")
	}
	p, ok = gate(3, schema.GateGranted, schema.ModeArmed)
	if !ok || p.Kind != Resolved || p.Because != "gate_granted" || p.Link != "" {
		t.Fatalf("%v %+v", ok, p)
	}
	for _, later := range []schema.GateState{schema.GateUsed, schema.GateEnded} {
		if _, ok := gate(4, later, schema.ModeArmed); ok {
			t.Fatalf("%v: told after it was resolved", later)
		}
	}
}

// A page says how well the caller was known: for a stranger, what is unusual may only be new.
func TestPageHidesThatTheCallerIsAStranger(t *testing.T) {
	for class, want := range map[schema.Acquaintance]string{
		schema.NewPopulation:          "a stranger: nobody has learned this population yet",
		schema.KnownAgent:             "known: it is compared with its own past",
		schema.AcquaintanceUnrecorded: "",
	} {
		e := found(1, schema.LevelTrip, schema.FindingOpen)
		e.Finding.Acquaintance = class
		p, ok := NewFold().Apply(e, 10*second)
		if !ok || p.Acquaintance != class || p.Caller != want {
			t.Errorf("%v: %v %q, want %q", class, ok, p.Caller, want)
		}
		text, err := json.Marshal(p)
		if err != nil || strings.Contains(string(text), `"acquaintance":"`+class.String()+`"`) != (want != "") {
			t.Errorf("%s, %v", text, err)
		}
	}
}

// The rate of a stranger's finding is that of other populations, and where nothing was learned there is none.
func TestPageClaimsARateOfAStrangersOwnRuns(t *testing.T) {
	for of, want := range map[string]string{
		"populations":     "rarer than 1 in 750 clean runs of groups that were left out of learning",
		"nothing_learned": "how rare it is in clean runs is not known: nothing learned",
	} {
		e := found(1, schema.LevelTrip, schema.FindingOpen)
		e.Finding.ExpectedRate, e.Finding.ExpectedOf, e.Finding.ExpectedRuns = 0, of, 750
		if p, ok := NewFold().Apply(e, 10*second); !ok || p.Rarity != want {
			t.Errorf("%s: %v %q, want %q", of, ok, p.Rarity, want)
		}
	}
}

// Whoever was told of a runaway that nothing denies had to know the command that denies it.
func TestPageOfWhatIsNotDeniedDoesNotSayHowToDenyIt(t *testing.T) {
	deny := "flyball breakers trip run " + schema.RunID{1}.String() + " --for 1h --reason '…'"
	for name, c := range map[string]struct {
		events []*schema.Event
		want   []bool // for each page, whether it has the command
	}{
		"observed": {[]*schema.Event{found(1, schema.LevelTrip, schema.FindingOpen, schema.ModeObserve),
			found(9, schema.LevelTrip, schema.FindingClosed)}, []bool{true, false}},
		"reaches the level later": {[]*schema.Event{found(1, schema.LevelAlert, schema.FindingOpen),
			found(2, schema.LevelTrip, schema.FindingOpen, schema.ModeObserve)}, []bool{false, true}},
		"armed":         {life, []bool{false, false, false, false}},
		"only an alert": {life[:1], []bool{false}},
	} {
		f, n := NewFold(), 0
		for _, e := range c.events {
			p, ok := f.Apply(e, 10*second)
			if !ok {
				continue
			}
			if n < len(c.want) && slices.Contains(p.Commands, deny) != c.want[n] {
				t.Errorf("%s, page %d (%s): %q", name, n+1, p.Because, p.Commands)
			}
			n++
		}
		if n != len(c.want) {
			t.Errorf("%s: %d pages, want %d", name, n, len(c.want))
		}
	}
}
