package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/cmd/internal/app"
	"flyball/dashboards/plugin"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/check"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/sightings"
	"flyball/schema"
)

// deployment is an enforcement point that folds a log, with its control API behind a listener.
type deployment struct {
	*enforcetest.Site
	kafka *kfake.Cluster
	url   string
}

// Tokens of the deployment. Their hashes are in control.tokens.
const (
	tokenGrafana  = "grafana" // responder, may act for a person
	tokenRoot     = "root"    // admin, may act for a person
	tokenWall     = "wall"    // viewer, may act for a person
	tokenDelegate = "soc"     // responder, may not act for a person
)

// The findings that the deployment knows: of the first it stores a verdict.
const judged, unjudged = "f_judged", "f_unjudged"

func deploy(t *testing.T) *deployment {
	t.Helper()
	k := enforcetest.Broker(t)
	o := enforcetest.OnKafka(t, k, "a")
	p, err := point.New(o.Point())
	if err != nil {
		t.Fatal(err)
	}
	runs, names := sightings.NewRuns(), sightings.NewNames()
	c, err := check.New(check.Options{State: p, Log: p.Log(), Runs: runs, Names: names, Kafka: o.Kafka, Name: o.Name, Partitions: 4,
		Resolver: o.Resolver, Routes: o.Routes, Armed: o.Armed, Now: o.Now, Logger: o.Logger, Registerer: o.Registry})
	if err != nil {
		t.Fatal(err)
	}
	p.Subscribe(c)
	token := func(name string, role api.Role, delegate bool) api.Token {
		return api.Token{Name: name, Role: role, Hash: enforcetest.TokenHash(name), Delegate: delegate}
	}
	handler, err := api.New(api.Options{State: p, Log: p.Log(), Runs: runs, Names: names, Point: o.Name, Tenant: "t", Armed: o.Armed,
		Budget: o.Budget, Now: o.Now, Logger: o.Logger, Registerer: o.Registry, FindFinding: findFinding, Process: process,
		Tokens: []api.Token{token(tokenGrafana, api.Responder, true), token(tokenRoot, api.Admin, true), token(tokenWall, api.Viewer, true),
			token(tokenDelegate, api.Responder, false)}})
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{Site: enforcetest.Launch(t, p, c.Handler(), handler, p.Run), kafka: k}
	d.Await(t)
	d.AwaitSettings(t)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// process is what the process of the deployment answers about itself: its store is late.
func process(context.Context) any {
	return app.ProcessStatus{Roles: []string{"up"}, FalseTrips: new(1.0), Lag: app.Lag{Readers: []app.ReaderLag{
		{Reader: "ingest", Topic: "edge"}, {Reader: "detect", Topic: "flyball.calls", Records: 7, Seconds: 1.5},
		{Reader: "store", Topic: "flyball.journal", Records: 9000, Seconds: 90}, {Reader: "alert-ops", Topic: "flyball.events", Seconds: 3}}}}
}

func findFinding(_ context.Context, _, term string) ([]string, *schema.Verdict, error) {
	switch term {
	case judged:
	case unjudged:
		return []string{unjudged}, nil, nil
	default:
		return nil, nil, nil
	}
	return []string{judged}, &schema.Verdict{Label: schema.VerdictTrue, By: "ops", Why: "seen", At: time.Unix(1e9, 0).UnixNano()}, nil
}

// source makes a data source whose actions go to a control API. No database is there. More are pairs of a name and a value of its
// settings.
func source(t *testing.T, url, token string, more ...any) *plugin.Datasource {
	t.Helper()
	settings := map[string]any{"addr": "127.0.0.1:1", "controlUrl": url}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i].(string)] = more[i+1]
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	d, err := plugin.New(t.Context(), backend.DataSourceInstanceSettings{Name: "Flyball", JSONData: text,
		DecryptedSecureJSONData: map[string]string{"controlToken": token}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.(*plugin.Datasource).Dispose)
	return d.(*plugin.Datasource)
}

// result is the answer to an action.
type result struct {
	Status                              int
	Message, Reason                     string
	Scope, Until, Undo, Besides, ID, By string
	Met                                 []string
	raw                                 string
}

// actionHeaders are those with which Grafana sends the action of a panel.
func actionHeaders() map[string][]string {
	return map[string][]string{"X-Grafana-Action": {"1"}, "Content-Type": {"application/json"}, "Sec-Fetch-Site": {"same-origin"}}
}

// press sends the action of a panel as a user of Grafana. change changes the request; nil: nothing.
func press(t *testing.T, d *plugin.Datasource, role, path string, body any, change func(*backend.CallResourceRequest)) (out result) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req := &backend.CallResourceRequest{Method: http.MethodPost, Path: path, URL: path, Body: text, Headers: actionHeaders(),
		PluginContext: backend.PluginContext{User: &backend.User{Login: "alice", Role: role}}}
	if change != nil {
		change(req)
	}
	err = d.CallResource(t.Context(), req, backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error {
		out.raw = string(r.Body)
		out.Status = r.Status
		return json.Unmarshal(r.Body, &out)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fields is a JSON object.
type fields = map[string]any
