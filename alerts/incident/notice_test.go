package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

const minute = int64(time.Minute)

// person writes what people order to a log that is made by hand.
func (s *storm) ack(at int64, incident, by string) {
	s.versions++
	s.log = append(s.log, entry{schema.AckEvent(&schema.Acknowledgement{Tenant: "t", Incident: incident, By: by, Why: "mine", At: at,
		Generation: s.versions}), at})
}

// unack takes the acknowledgement of an incident back.
func (s *storm) unack(at int64, incident, by string) {
	s.ack(at, incident, by)
	s.log[len(s.log)-1].event.Ack.Undone, s.log[len(s.log)-1].event.Ack.Why = true, "not mine"
}

func (s *storm) silence(at int64, id string, d time.Duration, m schema.Matchers) *schema.Silence {
	s.versions++
	v := &schema.Silence{ID: id, Tenant: "t", Matchers: m, By: "ana", Reason: "deploy", At: at, Until: at + int64(d), Generation: s.versions}
	s.log = append(s.log, entry{schema.SilenceEvent(v), at})
	return v
}

func (s *storm) endSilence(at int64, v *schema.Silence) {
	s.versions++
	over := *v
	over.EndedBy, over.EndedAt, over.Generation = "bo", at, s.versions
	s.log = append(s.log, entry{schema.SilenceEvent(&over), at})
}

func (s *storm) tick(at int64) {
	s.log = append(s.log, entry{schema.Event{ID: fmt.Sprint("tick_", at), Kind: schema.EventTick}, at})
}

// follow returns all decisions of a log as "reason", with a mark on those that notify, and the pages.
func follow(f *Fold, log []entry) (out []string, pages []Page) {
	for i := range log {
		due := f.Advance(log[i].written)
		d := f.Decide(&log[i].event, log[i].written)
		if log[i].event.Kind != schema.EventTick {
			due = append(due, d)
		}
		for _, d := range append(due, d.Released...) {
			s := string(d.Reason)
			if d.Page != nil {
				s = "*" + s
				pages = append(pages, *d.Page)
			}
			out = append(out, s)
		}
	}
	return out, pages
}

func expect(t *testing.T, got []string, want string) {
	t.Helper()
	if s := strings.Join(got, " "); s != want {
		t.Errorf("decided\n %s\nwant\n %s", s, want)
	}
}

// An acknowledged incident pages again only when it becomes worse, and the page says by which rule.
func TestAcknowledgedIncidentGoesOnPaging(t *testing.T) {
	s := &storm{}
	at := time.Unix(1e9, 0).UnixNano()
	f := *s.finding(at, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelAlert)
	s.ack(at, f.ID, "ana")
	s.log = append(s.log, s.log[1]) // written again
	s.finding(at+2*minute, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyFlood, schema.LevelAlert)
	f.Level = schema.LevelTrip
	s.write(at+3*minute, &f)
	s.ack(at+3*minute, f.ID, "bo")
	s.breaker(at+4*minute, &f, schema.BreakerOpen, schema.ModeArmed)
	for range 10 {
		s.finding(at+5*minute, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelAlert)
	}
	s.ack(at+6*minute, "f_unknown", "bo")
	got, pages := follow(NewFold(), s.log)
	expect(t, got, "*finding_opened *acknowledged already_applied is_acknowledged *level_raised *acknowledged is_acknowledged "+
		strings.Repeat("joined_agent ", 7)+"*incident_grew joined_agent joined_agent no_such_incident")
	if p := pages[1]; p.Kind != Acknowledged || p.Acknowledged.By != "ana" || p.Was != p.Level {
		t.Errorf("%+v", p)
	}
	if p := pages[2]; p.Worse != "level_raised" || p.Acknowledged != nil {
		t.Errorf("%+v", p)
	}
	if p := pages[4]; p.Worse != "incident_grew" {
		t.Errorf("%+v", p)
	}
	other := &storm{}
	g := other.finding(at, "billing/bot", schema.TrustVerified, other.newRun(), schema.FamilyLoop, schema.LevelAlert)
	other.ack(at, g.ID, "ana")
	other.log[1].event.Ack.Tenant = "u"
	got, _ = follow(NewFold(), other.log)
	expect(t, got, "*finding_opened no_such_incident")
}

// Whoever has taken an incident on by mistake, or cannot go on, gives it back: receivers hear of it, and every change counts again.
func TestIncidentStaysWithWhoGaveItBack(t *testing.T) {
	s := &storm{}
	at := time.Unix(1e9, 0).UnixNano()
	f := *s.finding(at, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelTrip)
	s.unack(at, f.ID, "bo") // nobody has taken it on
	s.ack(at+minute, f.ID, "ana")
	s.unack(at+2*minute, f.ID, "bo")
	s.log = append(s.log, s.log[len(s.log)-1]) // written again
	s.finding(at+4*minute, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyFlood, schema.LevelAlert)
	s.tick(at + 2*int64(time.Hour))
	fold := NewFold()
	fold.Remind = time.Hour
	got, pages := follow(fold, s.log)
	expect(t, got, "*finding_opened not_acknowledged *acknowledged *acknowledgement_undone already_applied *new_family *still_not_denied")
	p := pages[2]
	if p.Kind != Updated || p.Acknowledged != nil || p.Undone == nil || p.Undone.By != "bo" || p.Undone.Reason != "not mine" ||
		!strings.HasPrefix(p.Title(), "Not acknowledged any more: ") {
		t.Errorf("%+v", p)
	}
	if pages[3].Undone != nil {
		t.Error("later pages repeat who gave it back")
	}
}

// Receivers that were never notified of an incident are not notified that it was acknowledged, nor of its end.
func TestReceiverHearsTheEndOfWhatItNeverHeardOf(t *testing.T) {
	s := &storm{}
	at := time.Unix(1e9, 0).UnixNano()
	f := s.finding(at, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelAlert)
	s.ack(at, f.ID, "ana")
	s.end(at+minute, f)
	fold := NewFold()
	fold.Receiver, fold.Route = "night", tripsTo("night")
	got, _ := follow(fold, s.log)
	expect(t, got, "not_routed nothing_was_sent nothing_was_sent")
}

// What a silence holds back is paged when the silence ends, by command or by the log's clock, and not if it is over by then.
func TestSilenceHidesWhatIsStillOpen(t *testing.T) {
	at := time.Unix(1e9, 0).UnixNano()
	for name, tc := range map[string]struct {
		m       schema.Matchers
		command bool
		over    bool
		want    string
	}{
		"by time": {m: schema.Matchers{Agent: "billing/*"}, want: "silence_began silenced silenced silenced *no_longer_held"},
		"by command": {m: schema.Matchers{Family: "runaway.*"}, command: true,
			want: "silence_began silenced silenced silenced silence_ended *no_longer_held"},
		"over": {m: schema.Matchers{Tag: "pci"}, over: true,
			want: "silence_began silenced silenced silenced nothing_was_sent nothing_was_sent"},
		// The level of the incident rises out of the silence.
		"alerts only": {m: schema.Matchers{Owner: "pay*", Level: "alert"}, want: "silence_began silenced *finding_opened *breaker_opened"},
	} {
		s := &storm{}
		v := s.silence(at, "s_1", time.Hour, tc.m)
		f := s.trip(at+minute, "billing/bot", schema.TrustVerified, schema.ModeArmed)
		if tc.over {
			s.breaker(at+2*minute, f, schema.BreakerClosed, schema.ModeArmed)
			s.end(at+2*minute, f)
		}
		s.tick(at + 59*minute)
		if tc.command {
			s.endSilence(at+59*minute, v)
		}
		s.tick(at + 60*minute)
		s.tick(at + 61*minute)
		fold := NewFold()
		fold.Registry = Registry{Owner: func(string) string { return "payments" }, Tags: func(string) []string { return []string{"pci"} }}
		got, pages := follow(fold, s.log)
		t.Log(name)
		expect(t, got, tc.want)
		for _, p := range pages[:min(len(pages), 1)] {
			if p.Kind != Opened || p.Was != schema.LevelNone {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

// An acknowledged incident that becomes worse in a silence is paged when the silence ends; one that does not is not.
func TestSilenceHidesThatAnAcknowledgedIncidentBecameWorse(t *testing.T) {
	at := time.Unix(1e9, 0).UnixNano()
	for _, level := range []schema.Level{schema.LevelTrip, schema.LevelAlert} {
		s := &storm{}
		f := *s.finding(at, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelAlert)
		s.ack(at, f.ID, "ana")
		v := s.silence(at, "s_1", time.Hour, schema.Matchers{Agent: "billing/*"})
		other := f
		if other.Level = level; level == schema.LevelAlert {
			other.ID, other.Family = schema.FindingID(f.RunID, schema.FamilyFlood), schema.FamilyFlood
		}
		s.write(at+2*minute, &other)
		s.endSilence(at+3*minute, v)
		got, pages := follow(NewFold(), s.log)
		want := "*finding_opened *acknowledged silence_began silenced silence_ended"
		if level == schema.LevelTrip {
			want += " *no_longer_held"
			if p := pages[len(pages)-1]; p.Worse != "no_longer_held" || p.Acknowledged != nil || p.Level != schema.LevelTrip {
				t.Errorf("%+v", p)
			}
		}
		expect(t, got, want)
	}
}

// An event of a silence that was ended is written again: it is not in force again.
func TestSilenceThatIsWrittenAgainIsInForceAgain(t *testing.T) {
	s := &storm{}
	at := time.Unix(1e9, 0).UnixNano()
	v := s.silence(at, "s_1", time.Hour, schema.Matchers{Family: "*"})
	s.endSilence(at+minute, v)
	s.log = append(s.log, s.log[0], s.log[1])
	s.finding(at+2*minute, "a", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelAlert)
	got, _ := follow(NewFold(), s.log)
	expect(t, got, "silence_began silence_ended already_applied already_applied *finding_opened")
}

// Nobody is silenced by a name that somebody else claims, and nobody can claim a name to be silenced.
func TestClaimedNameIsSilencedLikeTheAgent(t *testing.T) {
	is := &schema.Finding{AgentID: "billing/bot", AgentTrust: schema.TrustVerified, Family: "x", Level: schema.LevelTrip}
	posing := &schema.Finding{AgentID: "billing/bot", AgentTrust: schema.TrustAsserted, Family: "x", Level: schema.LevelTrip}
	r := Registry{Owner: func(string) string { return "payments" }, Tags: func(string) []string { return []string{"pci"} }}
	for _, tc := range []struct {
		m           schema.Matchers
		is, claimed bool
	}{
		{schema.Matchers{Agent: "billing/*"}, true, false}, {schema.Matchers{Owner: "payments"}, true, false},
		{schema.Matchers{Tag: "pci"}, true, false}, {schema.Matchers{Agent: "billing/*", Claimed: true}, false, true},
		{schema.Matchers{Claimed: true}, false, true}, {schema.Matchers{Claimed: true, Owner: "payments"}, false, false},
		{schema.Matchers{Family: "*"}, true, true}, {schema.Matchers{Level: "alert"}, false, false}, {schema.Matchers{Level: "trip"}, true, true},
		{schema.Matchers{Agent: "billing/*", Family: "y"}, false, false},
	} {
		if got, other := matches(&tc.m, is, r), matches(&tc.m, posing, r); got != tc.is || other != tc.claimed {
			t.Errorf("%+v: the agent %v, who claims its name %v", tc.m, got, other)
		}
	}
}

// An incident of which a route told nobody at night is paged when the hours of another route begin; one that somebody was told of is not
// handed over.
func TestIncidentOfTheNightWaitsForEver(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC).UnixNano()
	nine := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC).UnixNano()
	routes := func(night ...string) func(*schema.Finding, int64) Routes {
		return func(_ *schema.Finding, now int64) Routes {
			if now < nine {
				return Routes{Receivers: night, Timed: true}
			}
			return Routes{Receivers: []string{"soc"}, Timed: true}
		}
	}
	s := &storm{}
	s.finding(at, "billing/bot", schema.TrustVerified, s.newRun(), schema.FamilyLoop, schema.LevelAlert)
	s.tick(at + minute)
	s.tick(nine)
	s.tick(nine + minute)
	f := NewFold()
	f.Receiver, f.Route = "soc", routes()
	got, _ := follow(f, s.log)
	expect(t, got, "not_routed *no_longer_held")
	f = NewFold()
	f.Receiver, f.Route = "soc", routes("night")
	got, _ = follow(f, s.log)
	expect(t, got, "not_routed")
}

// A trip that was not enforced is called to mind, with pauses that double, until it is denied, acknowledged, silenced or over.
func TestWithheldTripIsForgotten(t *testing.T) {
	at := time.Unix(1e9, 0).UnixNano()
	for _, mode := range []schema.Mode{schema.ModeWithheld, schema.ModeObserve} {
		s := &storm{}
		f := s.trip(at, "billing/bot", schema.TrustVerified, mode)
		for i := range int64(8 * 60) {
			s.tick(at + i*minute)
		}
		n := len(s.log)
		s.ack(at+500*minute, f.ID, "ana")
		s.tick(at + 3000*minute)
		fold := NewFold()
		fold.Remind = time.Hour
		got, pages := follow(fold, s.log[:n])
		reminders := slices.DeleteFunc(slices.Clone(pages), func(p Page) bool { return p.Because != string(StillNotDenied) })
		if len(reminders) != 3 { // after 1, 3 and 7 hours
			t.Errorf("%s: %d reminders in 8 hours: %q", mode, len(reminders), got)
		}
		got, _ = follow(fold, s.log[n:])
		expect(t, got, "*acknowledged")
	}
	s := &storm{}
	s.trip(at, "billing/bot", schema.TrustVerified, schema.ModeArmed)
	s.tick(at + 100*minute)
	fold := NewFold()
	fold.Remind = time.Hour
	got, _ := follow(fold, s.log)
	expect(t, got, "*finding_opened *level_raised *breaker_opened")
}

// Waiting calls are bounded, each agent has its share, and who only claims a name takes none of it.
func TestQuestionsWakeSomebodyWithoutBound(t *testing.T) {
	at := time.Unix(1e9, 0).UnixNano()
	is := schema.StandingEstablished
	gate := func(n int, agent string, standing *schema.Standing, state schema.GateState) entry {
		g := &schema.Gate{ID: fmt.Sprint("g_", agent, n), Tenant: "t", AgentID: agent, Standing: standing, Route: "DELETE /x",
			Mode: schema.ModeArmed, Why: "policy.amount", State: state, Generation: uint64(2*n+1) + uint64(state), AskedAt: at, Expires: at + minute}
		return entry{schema.GateEvent(g), at}
	}
	var log []entry
	for i := range 500 {
		log = append(log, gate(i, "posing", nil, schema.GatePending))
	}
	for i := range 500 {
		log = append(log, gate(i, "loop/bot", &is, schema.GatePending))
	}
	n := len(log)
	log = append(log, gate(1, "billing/bot", &is, schema.GatePending))
	f := NewFold()
	_, before := follow(f, log[:n])
	if len(before) > 8+3+4+3 {
		t.Errorf("%d pages of 1000 questions", len(before))
	}
	got, pages := follow(f, log[n:])
	expect(t, got, "*gate_asked")
	if len(pages) != 1 || pages[0].AgentID != "billing/bot" {
		t.Fatalf("%+v", pages)
	}
	var ends []entry
	for i := range 500 {
		ends = append(ends, gate(i, "loop/bot", &is, schema.GateTimedOut), gate(i, "posing", nil, schema.GateTimedOut))
	}
	_, after := follow(f, ends)
	for _, p := range after {
		if p.Kind != Resolved {
			t.Errorf("%s %s", p.Kind, p.Because)
		}
	}
	if len(f.incidents.groups) != 1 {
		t.Errorf("%d incidents are left", len(f.incidents.groups))
	}
	t.Logf("1000 questions of two callers: %d pages; their ends: %d", len(before), len(after))
}

// The end of a silence over a storm does not page everybody at once.
func TestEndOfASilenceIsAStorm(t *testing.T) {
	s := &storm{}
	at := time.Unix(1e9, 0).UnixNano()
	v := s.silence(at, "s_1", 10*time.Hour, schema.Matchers{Family: "*"})
	for i := range 500 {
		s.trip(at+int64(i)*minute, fmt.Sprint("fleet/", i), schema.TrustVerified, schema.ModeArmed)
	}
	s.endSilence(at+501*minute, v)
	n := len(s.log)
	for i := range int64(20) {
		s.tick(at + (502+i)*minute)
	}
	f := NewFold()
	_, first := follow(f, s.log[:n])
	_, later := follow(f, s.log[n:])
	if len(first) != DefaultBounds().Agents || len(first)+len(later) != 500 {
		t.Errorf("%d pages at the end of the silence, %d in the 20 minutes after it", len(first), len(later))
	}
}
