package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// hostileName is what an agent can call itself: markup, variables, templates, SQL, a direction of writing, and a word without an end.
const hostileName = `"><img src=x onerror=alert(1)>${agent}[[run]]{{.}}' OR 1=1 --` + "\u202e" + `${__data.fields.run}` +
	"WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"

// refusal is what panels say that ask about all tenants, or the control API.
var refusal = regexp.MustCompile("is of no tenant|bound to (a tenant|\"acme\")|the control API does not answer")

// The dashboards of a data source that is bound to a tenant, over a year, without the control API, with an agent of a hostile name that
// says hostile things: nothing of the other tenant, and no error but of panels that are not for a tenant. Pictures: make panels.
func TestDashboardOfATenantWithAHostileAgentBreaks(t *testing.T) {
	s := newStore(t)
	s.tell()
	run := s.deletes("acme", hostileName, 11, schema.LevelTrip, ok, denied)
	s.deletes("rival", "rival/secret", 12, schema.LevelTrip, ok)
	s.finding("acme", hostileName, run, schema.LevelTrip, schema.FamilyLoop, hostileName+" deletes <b>"+hostileName)
	gates, breakers := clickhouse.GatesTable.NewBlock(), clickhouse.BreakersTable.NewBlock()
	gates.AppendValue(schema.Gate{ID: "g_hostile", Tenant: "acme", AgentID: hostileName, RunID: run, Route: "DELETE /" + hostileName,
		Resource: "order:" + hostileName, State: schema.GatePending, Generation: 9, AskedAt: s.at.UnixNano(),
		Expires: time.Now().Add(time.Hour).UnixNano(), Mode: schema.ModeArmed})
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: s.at}
	l.apply(time.Second, &schema.Command{Kind: schema.CommandForceOpen, Tenant: "acme", Reason: hostileName, By: hostileName,
		Scope: schema.Scope{Kind: schema.ScopeAgent, Value: hostileName}})
	for i := range l.stored {
		l.stored[i].Generation += 100
		breakers.Append(&l.stored[i])
	}
	s.insert(gates, breakers)

	v := s.viewerOf(map[string]string{"addr": s.addr, "database": s.conn.Database(), "tenant": "acme", "controlUrl": "http://127.0.0.1:1"})
	v.from, v.to = s.at.AddDate(-1, 0, 0), s.at.Add(2*time.Hour)
	values := map[string]string{"ds": "u", "every": "", "owner": "", "agent": schema.Visible(hostileName), "run": run.String(),
		"resource": "order:1", "figure": "calls"}
	for _, d := range dashboards(t) {
		for i := range d.Panels {
			for _, target := range d.Panels[i].Targets {
				r := v.see(target, values)
				text, err := r.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), "rival") || strings.ContainsRune(string(text), '\u202e') {
					t.Errorf("%s: %q shows another tenant, or a character that is not seen: %.300s", d.UID, d.Panels[i].Title, text)
				}
				if d.Panels[i].Type == "stat" && r.Error == nil && len(r.Frames[0].Fields) == 0 {
					t.Errorf("%s: %q has no number: %s", d.UID, d.Panels[i].Title, text)
				}
				if p := &d.Panels[i]; p.Type == "table" && r.Error == nil && p.rows(r.Frames, values) == 0 &&
					slices.ContainsFunc(r.Frames, func(f *data.Frame) bool { return len(f.Fields) > 0 }) {
					t.Errorf("%s: %q is an empty table without its sentence", d.UID, p.Title)
				}
				if r.Error != nil && !refusal.MatchString(r.Error.Error()) {
					t.Errorf("%s: %q: %v", d.UID, d.Panels[i].Title, r.Error)
				}
			}
		}
	}
	v.keep(t, "hostile", func(*dashboard) map[string]string { return values })
}
