package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/dashboards/plugin"
	"flyball/dashboards/rulestest"
)

// rules are Grafana's provisioned alert rules over a running installation.
type rules struct {
	*flyball
	source *plugin.Datasource
	all    map[string]*rulestest.Rule
}

func (f *flyball) alertRules() *rules {
	f.t.Helper()
	all, err := rulestest.Read("../../../deploy/grafana/provisioning/alerting/flyball.yaml")
	if err != nil {
		f.t.Fatal(err)
	}
	return &rules{f, f.panels(map[string]any{"controlUrl": fmt.Sprintf("http://127.0.0.1:%d", f.ports["control"])}), all}
}

// firing returns the labels for which the condition of a rule is met at a time, however long it must be met; "none": for none.
func (r *rules) firing(uid string, at time.Time) string {
	r.t.Helper()
	e := r.all[uid].Evaluate(at, func(question []byte, from, to time.Time) (data.Frames, error) {
		resp, err := r.source.QueryData(r.t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: question,
			Interval: time.Minute, TimeRange: backend.TimeRange{From: from, To: to}}}})
		if err != nil {
			r.t.Fatal(err)
		}
		return resp.Responses["A"].Frames, resp.Responses["A"].Error
	})
	if e.Failed != nil {
		return e.Failed.Error()
	}
	var out []string
	for labels, state := range e.States {
		if state == "Alerting" {
			out = append(out, "{"+labels+"}")
		}
	}
	slices.Sort(out)
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, " ")
}

// fires waits until a rule, as it is evaluated now, fires for these labels, and maybe for others; none: for none.
func (r *rules) fires(uid, labels string, within time.Duration) {
	r.t.Helper()
	r.until(uid+" fires for "+labels, within, labels, func() (string, error) {
		got := r.firing(uid, time.Now())
		if strings.Contains(got, labels) {
			return labels, nil
		}
		return got, nil
	})
}

// What the rules ask is made by a running installation: calls, trips, lines that cannot be read, a receiver of pages that is away, and
// more trips than the budget. A waiting call and a stale point are in the tests about them.
func TestAlertRuleNeverSeesDataOfARunningFlyball(t *testing.T) {
	p := ring(t)
	p.away = true
	f := install(t, "", "")
	configure(t, f, fmt.Sprintf(loopConfig, f.ports["control"])+"\n"+p.config(t))
	f.start()
	r := f.alertRules()
	for uid := range r.all {
		want := "none"
		if uid == "flyball-no-input" {
			want = "{}"
		}
		r.fires(uid, want, 30*time.Second)
	}
	f.sendPast(time.Now().Add(-20 * time.Hour))
	f.learnOfPast()
	f.send("this is no record of a call")
	for i := range 7 {
		f.runAway(fmt.Sprint("fleet/a", i), fmt.Sprint("bad-", i), time.Minute)
		r.fires("flyball-trip", fmt.Sprintf("{agent=fleet/a%d}", i), 30*time.Second)
	}
	r.fires("flyball-no-input", "none", 30*time.Second)
	r.fires("flyball-dead-letters", "{}", 30*time.Second)
	r.fires("flyball-over-budget", "{}", 30*time.Second)
	r.fires("flyball-lag", "{reader=alert-phone}", 3*time.Minute)

	rows, err := f.sql("SELECT finding_id FROM flyball.findings WHERE level = 'trip'")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(rows) {
		f.run([]int{0}, "findings", "verdict", id, "true", "--reason", "it repeated itself")
	}
	p.mu.Lock()
	p.away = false
	p.mu.Unlock()
	r.fires("flyball-over-budget", "none", 30*time.Second)
	r.fires("flyball-lag", "none", 2*time.Minute)
	for _, uid := range []string{"flyball-trip", "flyball-dead-letters"} { // nothing happens any more
		if got := r.firing(uid, time.Now().Add(20*time.Minute)); got != "none" {
			t.Errorf("%s still fires after 20 minutes: %s", uid, got)
		}
	}
	if got := r.firing("flyball-no-input", time.Now().Add(20*time.Minute)); got != "{}" {
		t.Errorf("flyball-no-input after 20 minutes without a call: %s", got)
	}
}
