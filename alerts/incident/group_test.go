package incident

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

// entry is one record of the log.
type entry struct {
	event   schema.Event
	written int64
}

// storm is a log that is made by hand.
type storm struct {
	log      []entry
	runs     uint64
	versions uint64
}

func (s *storm) newRun() (run schema.RunID) {
	s.runs++
	binary.BigEndian.PutUint64(run[:], s.runs)
	return run
}

func (s *storm) finding(at int64, agent string, trust schema.Trust, run schema.RunID, family string, level schema.Level) *schema.Finding {
	return s.write(at, &schema.Finding{ID: schema.FindingID(run, family), Tenant: "t", RunID: run, AgentID: agent, AgentTrust: trust,
		Family: family, Level: level, OpenedAt: at, Summary: agent + " does " + family, Exposure: schema.Exposure{Calls: 3}})
}

func (s *storm) write(at int64, f *schema.Finding) *schema.Finding {
	s.versions++
	f.Version, f.UpdatedAt, f.Call = s.versions, at, schema.CallRef{Offset: int64(s.versions)}
	s.log = append(s.log, entry{schema.FindingEvent(f), at})
	return f
}

func (s *storm) end(at int64, f *schema.Finding) {
	over := *f
	over.State = schema.FindingClosed
	s.write(at, &over)
}

func (s *storm) breaker(at int64, f *schema.Finding, state schema.BreakerState, mode schema.Mode) {
	s.versions++
	s.log = append(s.log, entry{schema.BreakerEvent(&schema.Breaker{Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeRun, Value: f.ID},
		State: state, Mode: mode, Generation: s.versions, FindingID: f.ID, Since: at}), at})
}

// trip is what one run that is tripped writes: an alert, a trip, and a breaker that is opened or withheld.
func (s *storm) trip(at int64, agent string, trust schema.Trust, mode schema.Mode) *schema.Finding {
	run := s.newRun()
	f := *s.finding(at, agent, trust, run, schema.FamilyLoop, schema.LevelAlert)
	f.Level = schema.LevelTrip
	s.write(at, &f)
	state := schema.BreakerOpen
	if mode == schema.ModeWithheld {
		state = schema.BreakerClosed
	}
	s.breaker(at, &f, state, mode)
	return &f
}

func decisions(log []entry, b Bounds) (out []Decision) {
	f := NewFold()
	f.Bounds = b
	for i := range log {
		out = append(out, f.Decide(&log[i].event, log[i].written))
	}
	return out
}

func pages(ds []Decision) (out []Page) {
	for _, d := range ds {
		if d.Page != nil {
			out = append(out, *d.Page)
		}
	}
	return out
}

func ofFamily(pages []Page, family string) (out []Page) {
	for _, p := range pages {
		if p.Family == family {
			out = append(out, p)
		}
	}
	return out
}

// A thousand agents that are tripped in a minute make one incident each up to the bound, and one of the tenant that counts the others.
func TestFleetOfAThousandRunsWakesEverybodyAThousandTimes(t *testing.T) {
	s := &storm{}
	start := time.Unix(1e9, 0).UnixNano()
	var found []*schema.Finding
	for i := range 1000 {
		found = append(found, s.trip(start+int64(i)*int64(time.Minute)/1000, fmt.Sprint("fleet/", i), schema.TrustVerified, schema.ModeArmed))
	}
	stormEnds := len(s.log)
	for _, f := range found {
		s.breaker(start+2*int64(time.Minute), f, schema.BreakerClosed, schema.ModeArmed)
		s.end(start+2*int64(time.Minute), f)
	}
	all := decisions(s.log, Bounds{})
	during := pages(all[:stormEnds])
	wide := ofFamily(during, FamilyTenant)
	bound := DefaultBounds().Agents
	// An agent's incident has an opened page, one that its level rose and one that it is denied.
	if alone := len(during) - len(wide); alone != 3*bound {
		t.Errorf("%d pages of single agents, want %d", alone, 3*bound)
	}
	// The tenant's: opened, its level rose, it is denied, and 10 and 100 agents.
	var because []string
	for _, p := range wide {
		because = append(because, p.Because)
	}
	if got := strings.Join(because, " "); got != "many_agents level_raised breaker_opened incident_grew incident_grew" {
		t.Errorf("the tenant's pages: %s", got)
	}
	last := pages(all)
	resolved := slices.DeleteFunc(slices.Clone(last), func(p Page) bool { return p.Kind != Resolved })
	if len(resolved) != bound+1 {
		t.Errorf("%d incidents were resolved, want %d", len(resolved), bound+1)
	}
	end := ofFamily(resolved, FamilyTenant)
	if len(end) != 1 || end[0].Group.Agents != 1000-bound || end[0].Group.Runs != 1000-bound || end[0].Incident != wide[0].Incident {
		t.Fatalf("the tenant's incident ends with %+v", end)
	}
	grown := wide[len(wide)-1]
	if len(grown.Group.Worst) != maxWorst || !strings.Contains(grown.Summary, "100 agents went wrong in 100 runs; the worst: fleet/") {
		t.Errorf("%s, %d named", grown.Summary, len(grown.Group.Worst))
	}
}

// 300 invented names with five families each, whose trips are withheld, are 4,500 changes in 20 seconds.
func TestInventedNamesFloodThePager(t *testing.T) {
	s := flood(300)
	got := pages(decisions(s.log, Bounds{}))
	if len(s.log) != 4500 || len(got) > 3*DefaultBounds().Claimed+5 {
		t.Fatalf("%d events made %d pages", len(s.log), len(got))
	}
}

// flood has a run of each of n invented names.
func flood(n int) *storm {
	s := &storm{}
	start := time.Unix(1e9, 0).UnixNano()
	families := []string{schema.FamilyLoop, schema.FamilyFlood, schema.FamilyFanout, schema.FamilyDestroy, schema.FamilyPace}
	for i := range n {
		run := s.newRun()
		at := start + int64(i)*20*int64(time.Second)/int64(n)
		for _, family := range families {
			f := *s.finding(at, fmt.Sprint("invented-", i), schema.TrustAsserted, run, family, schema.LevelAlert)
			f.Level = schema.LevelTrip
			s.write(at, &f)
			s.breaker(at, &f, schema.BreakerClosed, schema.ModeWithheld)
		}
	}
	return s
}

// Wherever it comes in a flood of invented names, also of its own name, an established agent has its own page at once and what happens to
// it is told; and the flood displaces nothing that is remembered of it.
func TestInventedNamesHideAnEstablishedAgent(t *testing.T) {
	for _, where := range []float64{0, .01, .3, .99} {
		invented := flood(300)
		for i := range invented.log {
			if f := invented.log[i].event.Finding; f != nil && i%3 == 0 {
				f.AgentID = "billing/bot"
			}
		}
		n := int(where * float64(len(invented.log)))
		at := invented.log[n].written
		own := &storm{runs: 1 << 40, versions: 1 << 40}
		bad := own.trip(at, "billing/bot", schema.TrustVerified, schema.ModeArmed)
		log := slices.Concat(invented.log[:n], own.log, invented.log[n:])
		end := &storm{versions: 1 << 50}
		end.breaker(at+int64(time.Minute), bad, schema.BreakerClosed, schema.ModeArmed)
		log = append(log, end.log...)
		f := NewFold()
		f.findings.limit = 50
		var told []string
		for i := range log {
			d := f.Decide(&log[i].event, log[i].written)
			if d.Incident == bad.ID && d.Page != nil {
				told = append(told, fmt.Sprint(i-n, " ", d.Reason))
			}
		}
		want := []string{"0 finding_opened", "1 level_raised", "2 breaker_opened", fmt.Sprint(len(log)-1-n, " breaker_closed")}
		if !slices.Equal(told, want) {
			t.Errorf("at %v: told %q, want %q", where, told, want)
		}
	}
}

// The other findings and runs of an agent join its open incident, and each decision names why nobody was notified.
func TestEachRunOfAnAgentWakesSomebody(t *testing.T) {
	s := &storm{}
	at := int64(time.Hour)
	one := s.trip(at, "billing/bot", schema.TrustVerified, schema.ModeArmed)
	s.finding(at, "billing/bot", schema.TrustVerified, one.RunID, schema.FamilyFlood, schema.LevelTrip)
	other := s.trip(at, "billing/bot", schema.TrustVerified, schema.ModeArmed)
	s.finding(at+2*int64(time.Minute), "billing/bot", schema.TrustVerified, one.RunID, schema.FamilyHijack, schema.LevelAlert)
	s.breaker(at, one, schema.BreakerClosed, schema.ModeArmed)
	s.end(at, one)
	s.breaker(at, other, schema.BreakerClosed, schema.ModeArmed)
	var got []string
	for _, d := range decisions(s.log, Bounds{}) {
		if got = append(got, fmt.Sprint(d.Reason, " ", d.Page != nil)); d.Incident != one.ID {
			t.Errorf("%s belongs to incident %q", d.Reason, d.Incident)
		}
	}
	want := []string{"finding_opened true", "level_raised true", "breaker_opened true", "joined_agent false", "joined_agent false",
		"already_told false", "already_told false", "new_family true", "others_still_denied false", "others_still_open false",
		"breaker_closed true"}
	if !slices.Equal(got, want) {
		t.Fatalf("decided %q\nwant %q", got, want)
	}
}

// An agent that goes wrong when the storm is over has an incident of its own, although that of the tenant is still open.
func TestOldStormHidesWhatComesLater(t *testing.T) {
	s := &storm{}
	at := int64(time.Hour)
	for i := range 100 {
		s.trip(at, fmt.Sprint("fleet/", i), schema.TrustVerified, schema.ModeArmed)
	}
	n := len(s.log)
	s.trip(at+59*int64(time.Second), "late/a", schema.TrustVerified, schema.ModeArmed)
	s.trip(at+120*int64(time.Second), "late/b", schema.TrustVerified, schema.ModeArmed)
	s.trip(at+121*int64(time.Second), "fleet/99", schema.TrustVerified, schema.ModeArmed)
	ds := decisions(s.log, Bounds{})
	if a, b, c := ds[n].Reason, ds[n+3].Reason, ds[n+6].Reason; a != JoinedTenant || b != FindingOpened || c != FindingOpened {
		t.Fatalf("in the storm %s, after it %s and %s", a, b, c)
	}
}

// A clock that jumps an hour ahead and back does not use up the bound for that hour.
func TestClockThatStepsHidesAgents(t *testing.T) {
	s := &storm{}
	at := int64(24 * time.Hour)
	for i := range 100 {
		s.trip(at+int64(time.Hour), fmt.Sprint("ahead/", i), schema.TrustVerified, schema.ModeArmed)
	}
	n := len(s.log)
	s.trip(at, "billing/bot", schema.TrustVerified, schema.ModeArmed)
	if d := decisions(s.log, Bounds{})[n]; d.Reason != FindingOpened || d.Page == nil {
		t.Fatalf("decided %s", d.Reason)
	}
}

// An agent that is recognised in the middle of a run does not stay among claimed names.
func TestAgentThatIsRecognisedLaterStaysAmongClaimedNames(t *testing.T) {
	s := flood(100)
	at := s.log[len(s.log)-1].written
	run := s.newRun()
	f := *s.finding(at, "billing/bot", schema.TrustAsserted, run, schema.FamilyLoop, schema.LevelAlert)
	f.AgentTrust, f.Level = schema.TrustVerified, schema.LevelTrip
	s.write(at, &f)
	ds := decisions(s.log, Bounds{})
	before, after := ds[len(ds)-2], ds[len(ds)-1]
	if before.Reason != JoinedClaimed || after.Reason != FindingOpened || after.Incident != f.ID || after.Page == nil {
		t.Fatalf("%s, then %s of %s", before.Reason, after.Reason, after.Incident)
	}
}

// random is a log of agents, claimed names, levels, breakers and ends in any order.
func random(seed uint64, n int) []entry {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &storm{}
	at := time.Unix(1e9, 0).UnixNano()
	families := []string{schema.FamilyLoop, schema.FamilyFlood, schema.FamilyFanout}
	var open []*schema.Finding
	for range n {
		at += r.Int64N(int64(2 * time.Second))
		if r.IntN(50) == 0 {
			at += int64(2 * time.Minute)
		}
		switch k := r.IntN(10); {
		case k < 4 || len(open) == 0:
			agent := r.IntN(60)
			trust := []schema.Trust{schema.TrustVerified, schema.TrustAsserted, schema.TrustNone}[agent%3]
			open = append(open, s.finding(at, fmt.Sprint("a/", agent), trust, s.newRun(), families[r.IntN(3)], schema.Level(1+r.IntN(3))))
		case k < 6:
			f := *open[r.IntN(len(open))]
			f.Level = max(f.Level, schema.Level(1+r.IntN(3)))
			if r.IntN(4) == 0 {
				f.AgentID, f.AgentTrust = fmt.Sprint("a/", r.IntN(60)), schema.TrustVerified
			}
			s.write(at, &f)
		case k < 8:
			mode := []schema.Mode{schema.ModeArmed, schema.ModeArmed, schema.ModeWithheld}[r.IntN(3)]
			state := []schema.BreakerState{schema.BreakerOpen, schema.BreakerClosed}[r.IntN(2)]
			if mode == schema.ModeWithheld {
				state = schema.BreakerClosed
			}
			s.breaker(at, open[r.IntN(len(open))], state, mode)
		default:
			s.end(at, open[r.IntN(len(open))])
		}
	}
	return s.log
}

// The same log gives the same decisions. An event that is written again, after a kill, makes no page and no second incident.
func TestReplayDecidesOtherwise(t *testing.T) {
	for seed := range uint64(20) {
		log := random(seed, 600)
		b := Bounds{Agents: 3, Claimed: 2}
		one, other := decisions(log, b), decisions(log, b)
		if !reflect.DeepEqual(one, other) {
			t.Fatalf("seed %d: the same log gave other decisions", seed)
		}
		cut := len(log) / 2
		again := decisions(slices.Concat(log[:cut], log[cut-1:cut], log[cut:]), b)
		if !reflect.DeepEqual(pages(one), pages(again)) {
			t.Fatalf("seed %d: an event that was written twice changed the pages", seed)
		}
	}
}

// Every page of an incident follows its opened page, the level of one is what the next says it was, and after the resolved page there is
// none: otherwise receivers that de-duplicate keep alerts that nothing resolves.
func TestPagesOfAnIncidentDoNotFitTogether(t *testing.T) {
	for seed := range uint64(20) {
		log := random(seed, 600)
		level := map[string]schema.Level{}
		labels := map[string]Member{}
		ids := map[string]bool{}
		f := NewFold()
		f.Bounds = Bounds{Agents: 3, Claimed: 2}
		for i := range log {
			d := f.Decide(&log[i].event, log[i].written)
			if d.Reason.Text() == "" {
				t.Fatalf("seed %d: event %d has no reason that people can read: %q", seed, i, d.Reason)
			}
			p := d.Page
			if p == nil {
				continue
			}
			was, open := level[p.Incident]
			if ids[p.ID] || open != (p.Kind != Opened) || p.Was != was || p.Level < was || p.Incident != d.Incident {
				t.Fatalf("seed %d: page %s %s of %s: was %s, says %s and %s", seed, p.Kind, p.Because, p.Incident, was, p.Was, p.Level)
			}
			ids[p.ID], level[p.Incident] = true, p.Level
			of := Member{RunID: p.RunID, AgentID: p.AgentID, Family: p.Family}
			if p.Group != nil && p.Group.OpenedBy != nil {
				of = Member{RunID: p.Group.OpenedBy.RunID, AgentID: p.Group.OpenedBy.AgentID, Family: p.Group.OpenedBy.Family}
			}
			if p.Kind != Opened && labels[p.Incident] != of {
				t.Fatalf("seed %d: incident %s of %+v is now of %+v", seed, p.Incident, labels[p.Incident], of)
			}
			if labels[p.Incident] = of; p.Kind == Resolved {
				delete(level, p.Incident)
			}
		}
		checkState(t, f, level)
	}
}

// checkState compares what a Fold holds with the incidents that its pages say are open.
func checkState(t *testing.T, f *Fold, level map[string]schema.Level) {
	t.Helper()
	still := map[string]schema.Level{}
	for _, p := range f.Open() {
		still[p.Incident] = p.Level
	}
	if !reflect.DeepEqual(still, level) {
		t.Fatalf("open are %v, told were %v", still, level)
	}
	for _, g := range f.incidents.groups {
		denying := 0
		for i := range g.members {
			if i.group != g || i.resolved {
				t.Fatalf("incident %s counts a finding that is not its own", g.id)
			}
			if i.denying {
				denying++
			}
		}
		if len(g.members) == 0 || denying != g.denying {
			t.Fatalf("incident %s has %d findings, %d of %d deny", g.id, len(g.members), denying, g.denying)
		}
	}
}

// A log of a million names does not grow the state.
func TestStateIsBounded(t *testing.T) {
	f := NewFold()
	f.findings.limit = 100
	for i, e := range flood(5000).log {
		e.event.Tenant = fmt.Sprint(i)
		if e.event.Finding != nil {
			e.event.Finding.Tenant = fmt.Sprint(i / 15)
		}
		f.Decide(&e.event, e.written)
	}
	members := 0
	for _, g := range f.incidents.groups {
		members += len(g.members)
	}
	open, v := len(f.findings.open), &f.incidents
	if open > 100 || members > 100 || len(v.groups) > 100 || len(v.ids) != len(v.groups) || len(v.recent) > 5000 {
		t.Fatalf("%d findings, %d members, %d incidents, %d tenants", open, members, len(v.groups), len(v.recent))
	}
}

// A new API with 20 agents and 65 runs, which no baseline knows: 260 findings within seconds, whose trips are withheld. And 300 invented
// names.
func TestStormsOfADeployment(t *testing.T) {
	for _, trust := range []schema.Trust{schema.TrustVerified, schema.TrustAsserted} {
		s := &storm{}
		at := int64(time.Hour)
		for i := range 65 {
			run := s.newRun()
			for _, family := range []string{schema.FamilyLoop, schema.FamilyFanout, schema.FamilyFlood, schema.FamilyPace} {
				f := *s.finding(at, fmt.Sprint("k8s/", i%20), trust, run, family, schema.LevelAlert)
				if f.Level = schema.LevelTrip; family != schema.FamilyPace {
					s.write(at, &f)
					s.breaker(at, &f, schema.BreakerClosed, schema.ModeWithheld)
				}
				at += int64(10 * time.Millisecond)
			}
		}
		if n := len(pages(decisions(s.log, Bounds{}))); n > 20*3 {
			t.Errorf("%s: %d events of 20 agents made %d pages", trust, len(s.log), n)
		} else {
			t.Logf("%s: %d events of 20 agents made %d pages", trust, len(s.log), n)
		}
	}
	log := flood(300).log
	n := len(pages(decisions(log, Bounds{})))
	if t.Logf("%d events of 300 invented names made %d pages", len(log), n); n > 8*3+5 {
		t.Error("more than an incident of each of 8 names and one of the tenant")
	}
}
