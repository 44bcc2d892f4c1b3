package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
)

// panels makes a data source of this installation that acts through its control API.
func (f *flyball) panels(more map[string]any) *plugin.Datasource {
	f.t.Helper()
	settings := map[string]any{"addr": fmt.Sprintf("127.0.0.1:%d", f.ports["clickhouse"])}
	for k, v := range more {
		settings[k] = v
	}
	text, _ := json.Marshal(settings)
	d, err := plugin.New(f.t.Context(), backend.DataSourceInstanceSettings{Name: "Flyball", JSONData: text})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(d.(*plugin.Datasource).Dispose)
	return d.(*plugin.Datasource)
}

// resource calls a resource of a data source as a user of Grafana.
func (f *flyball) resource(d *plugin.Datasource, method, path, body string) (status int, text string) {
	f.t.Helper()
	name, _, _ := strings.Cut(path, "?")
	err := d.CallResource(f.t.Context(), &backend.CallResourceRequest{Method: method, Path: name, URL: path, Body: []byte(body),
		Headers:       map[string][]string{"X-Grafana-Action": {"1"}, "Content-Type": {"application/json"}, "Sec-Fetch-Site": {"same-origin"}},
		PluginContext: backend.PluginContext{User: &backend.User{Login: "alice", Role: "Editor"}}},
		backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error {
			status, text = r.Status, string(r.Body)
			return nil
		}))
	if err != nil {
		f.t.Fatal(err)
	}
	return status, text
}

// Gateways that only log never ask the check: the point has met none of their runs, and the database has all of them.
func TestPanelCannotHoldARunThatIsOnlyStored(t *testing.T) {
	f := withLoop(t)
	control := map[string]any{"controlUrl": fmt.Sprintf("http://127.0.0.1:%d", f.ports["control"])}
	d := f.panels(control)
	calls, err := f.sql("SELECT count() FROM flyball.calls WHERE counted")
	if err != nil {
		t.Fatal(err)
	}
	health, err := d.CheckHealth(t.Context(), nil)
	if err != nil || health.Status != backend.HealthStatusOk || !strings.Contains(health.Message, " "+calls+" calls are stored") ||
		!strings.Contains(health.Message, "Actions are sent as the operator") {
		t.Errorf("%s calls: %+v %v", calls, health, err)
	}
	if status, text := f.resource(d, http.MethodGet, "agents?prefix=FLEET/a1", ""); status != 200 ||
		!strings.Contains(text, `"value":"fleet/a1"`) || strings.Contains(text, "fleet/a2") {
		t.Errorf("agents: %d %s", status, text)
	}
	status, text := f.resource(d, http.MethodGet, "runs?prefix=past-2-1", "")
	var runs []struct{ Text, Value string }
	if err := json.Unmarshal([]byte(text), &runs); err != nil || status != 200 || len(runs) != 1 ||
		!strings.Contains(runs[0].Text, "fleet/a2") {
		t.Fatalf("runs: %d %s", status, text)
	}
	status, text = f.resource(d, http.MethodPost, "breakers/trip", `{"run":"past-2-1","reason":"looks wrong","for":"15m"}`)
	if status != 200 || !strings.Contains(text, `"scope":"run `+runs[0].Value+`"`) || !strings.Contains(text, "is held in tenant") {
		t.Errorf("trip of a stored run: %d %s", status, text)
	}
	f.until("the breaker is stored with the person", 20*time.Second, "operator on behalf of alice", func() (string, error) {
		return f.sql("SELECT by FROM flyball.breakers WHERE scope_value = '" + runs[0].Value + "'")
	})
	if status, text := f.resource(d, http.MethodPost, "breakers/trip", `{"agent":"fleet/a2","reason":"x","for":"15m"}`); status != 200 {
		t.Errorf("trip of a stored agent: %d %s", status, text)
	}
	if status, text := f.resource(d, http.MethodPost, "breakers/trip", `{"agent":"fleet/none","reason":"x","for":"15m"}`); status != 404 {
		t.Errorf("trip of nobody: %d %s", status, text)
	}
}

func TestBoundDataSourceShowsAnotherTenant(t *testing.T) {
	f := withLoop(t)
	own, err := f.sql("SELECT any(tenant) FROM flyball.calls")
	if err != nil {
		t.Fatal(err)
	}
	for tenant, sees := range map[string]bool{own: true, "other": false} {
		d := f.panels(map[string]any{"tenant": tenant})
		health, err := d.CheckHealth(t.Context(), nil)
		if err != nil || strings.Contains(health.Message, " 0 calls are stored") == sees {
			t.Errorf("%s: %+v %v", tenant, health, err)
		}
		for _, path := range []string{"agents?prefix=", "runs?prefix="} {
			if status, text := f.resource(d, http.MethodGet, path, ""); status != 200 || (text != "[]") != sees {
				t.Errorf("%s: %s: %d %s", tenant, path, status, text)
			}
		}
		now := time.Now()
		asked := backend.DataQuery{RefID: "A", JSON: []byte(`{"queryType":"runs"}`), TimeRange: backend.TimeRange{From: now.Add(-48 * time.Hour),
			To: now}}
		resp, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{asked}})
		if err != nil || resp.Responses["A"].Error != nil || len(resp.Responses["A"].Frames) != 1 ||
			(resp.Responses["A"].Frames[0].Rows() > 0) != sees {
			t.Errorf("%s: runs: %+v %v", tenant, resp, err)
		}
	}
}
