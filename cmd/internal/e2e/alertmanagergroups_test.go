package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/cmd/internal/realparts"
	"flyball/schema"
)

// groups collects what an Alertmanager notifies of: for each group the states of its incidents, by their severity.
type groups struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]map[string]string
}

func collectGroups(t *testing.T) *groups {
	g := &groups{got: map[string]map[string]string{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct {
			GroupLabels map[string]string
			Alerts      []struct {
				Status string
				Labels map[string]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		group := g.got[n.GroupLabels["agent"]]
		if group == nil {
			group = map[string]string{}
			g.got[n.GroupLabels["agent"]] = group
		}
		for _, a := range n.Alerts {
			group[a.Labels["incident"]+" "+a.Labels["severity"]] = a.Status
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *groups) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var lines []string
	for agent, alerts := range g.got {
		for alert, status := range alerts {
			lines = append(lines, agent+": "+alert+" "+status)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// A real Alertmanager groups incidents by a label, knows the incident again when its severity rises, and resolves it.
func TestAlertmanagerGroupsAndResolvesIncidents(t *testing.T) {
	g := collectGroups(t)
	am := realparts.StartAlertmanagerWith(t, fmt.Sprintf("route: {receiver: hook, group_by: [agent], group_wait: 100ms, "+
		"group_interval: 200ms, "+
		"repeat_interval: 1h}\nreceivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]\n", g.URL))
	r := notify.NewAlertmanager("am", am.URL, time.Now)
	began := time.Now().Add(-time.Minute).UTC()
	deliver := func(kind incident.Kind, id, agent string, level, was schema.Level) {
		t.Helper()
		p := incident.Page{V: incident.PageVersion, ID: "p_" + id, Kind: kind, Incident: id, Tenant: "acme",
			Family: schema.FamilyLoop, Level: level,
			Was: was, AgentID: agent, RunID: schema.RunID{1}, Summary: agent + " loops", OpenedAt: began, At: time.Now().UTC(),
			Commands: []string{"flyball status"}}
		if err := r.Deliver(context.Background(), &p); err != nil {
			t.Fatal(err)
		}
	}
	until := func(want string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); g.String() != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("notified of %s\nwant %s", g, want)
			}
		}
	}
	deliver(incident.Opened, "f_1", "billing/bot", schema.LevelAlert, schema.LevelNone)
	deliver(incident.Opened, "f_2", "billing/bot", schema.LevelAlert, schema.LevelNone)
	deliver(incident.Opened, "f_3", "fleet/a1", schema.LevelAlert, schema.LevelNone)
	until("billing/bot: f_1 warning firing, billing/bot: f_2 warning firing, fleet/a1: f_3 warning firing")
	deliver(incident.Updated, "f_1", "billing/bot", schema.LevelTrip, schema.LevelAlert)
	until("billing/bot: f_1 critical firing, billing/bot: f_1 warning resolved, billing/bot: f_2 warning firing, fleet/a1: f_3 warning firing")
	deliver(incident.Resolved, "f_1", "billing/bot", schema.LevelTrip, schema.LevelTrip)
	deliver(incident.Resolved, "f_3", "fleet/a1", schema.LevelAlert, schema.LevelAlert)
	until("billing/bot: f_1 critical resolved, billing/bot: f_1 warning resolved, billing/bot: f_2 warning firing, " +
		"fleet/a1: f_3 warning resolved")
}
