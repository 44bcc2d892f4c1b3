package main

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// host starts the built plugin as Grafana does, with the same handshake and protocol.
type host struct {
	data     grpcplugin.DataClient
	health   grpcplugin.DiagnosticsClient
	resource grpcplugin.ResourceClient
	stream   grpcplugin.StreamClient
}

func startPlugin(t *testing.T) *host {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "gpx_flyball_"+runtime.GOOS+"_"+runtime.GOARCH)
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		Cmd: exec.Command(bin),
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{grpcplugin.ProtocolVersion: {"data": &grpcplugin.DataGRPCPlugin{},
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}, "resource": &grpcplugin.ResourceGRPCPlugin{},
			"stream": &grpcplugin.StreamGRPCPlugin{}}},
		Logger:           hclog.NewNullLogger(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	return &host{data: dispense[grpcplugin.DataClient](t, rpc, "data"), health: dispense[grpcplugin.DiagnosticsClient](t, rpc, "diagnostics"),
		resource: dispense[grpcplugin.ResourceClient](t, rpc, "resource"), stream: dispense[grpcplugin.StreamClient](t, rpc, "stream")}
}

func dispense[T any](t *testing.T, rpc goplugin.ClientProtocol, name string) T {
	t.Helper()
	v, err := rpc.Dispense(name)
	if err != nil {
		t.Fatalf("the plugin has no %s: %v", name, err)
	}
	return v.(T)
}

// configured is what Grafana sends with every request. Other settings are those of another data source.
func configured(t *testing.T, settings fields, token, role string) *pluginv2.PluginContext {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return &pluginv2.PluginContext{OrgId: 1, PluginId: "flyball-flyball-datasource", User: &pluginv2.User{Login: "alice", Role: role},
		//lint:ignore SA1019 the SDK's cache of instances still takes the id as its key
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{Id: int64(crc32.ChecksumIEEE(text)), Uid: "u", Name: "Flyball",
			JsonData: text, DecryptedSecureJsonData: map[string]string{"controlToken": token}}}
}

func oneQuery(c *pluginv2.PluginContext, query string) *pluginv2.QueryDataRequest {
	now := time.Now()
	return &pluginv2.QueryDataRequest{PluginContext: c, Queries: []*pluginv2.DataQuery{{RefId: "A", Json: []byte(query), IntervalMS: 10_000,
		TimeRange: &pluginv2.TimeRange{FromEpochMS: now.Add(-time.Hour).UnixMilli(), ToEpochMS: now.UnixMilli()}}}}
}

func TestBuiltPluginDoesNotSpeakGrafanasProtocol(t *testing.T) {
	f := deploy(t)
	h := startPlugin(t)
	config := configured(t, fields{"addr": "127.0.0.1:1", "controlUrl": f.url}, tokenGrafana, "Editor")
	health, err := h.health.CheckHealth(t.Context(), &pluginv2.CheckHealthRequest{PluginContext: config})
	if err != nil || health.Status != pluginv2.CheckHealthResponse_ERROR || !strings.Contains(health.Message, "correct addr") {
		t.Errorf("%v %v", health, err)
	}
	answer, err := h.data.QueryData(t.Context(), oneQuery(config, `{"queryType":"runs"}`))
	if err != nil || !strings.Contains(answer.Responses["A"].GetError(), "ClickHouse cannot be reached at 127.0.0.1:1") {
		t.Errorf("%v %v", answer, err)
	}
	wrong := configured(t, fields{"addr": "http://db.example"}, "", "Editor")
	health, err = h.health.CheckHealth(t.Context(), &pluginv2.CheckHealthRequest{PluginContext: wrong})
	if err != nil || !strings.Contains(health.GetMessage(), "write db.example:8123") {
		t.Errorf("%v %v", health, err)
	}
	f.Ask("billing", "k1", "GET", "/v1/orders/1", "")
	for _, tc := range []struct {
		role   string
		status int32
		want   string
	}{{"Viewer", http.StatusForbidden, "may not do this"}, {"Editor", http.StatusOK, "is held"}} {
		status, body := callResource(t, h, configured(t, fields{"addr": "127.0.0.1:1", "controlUrl": f.url}, tokenGrafana, tc.role),
			"breakers/trip", `{"run":"k1","reason":"looks wrong","for":"15m"}`)
		if status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s", tc.role, status, body)
		}
	}
	if b := f.Breakers(); len(b) != 1 || b[0].By != "grafana on behalf of alice" {
		t.Errorf("%+v", b)
	}
}

func callResource(t *testing.T, h *host, config *pluginv2.PluginContext, path, body string) (int32, string) {
	t.Helper()
	headers := map[string]*pluginv2.StringList{}
	for name, values := range actionHeaders() {
		headers[name] = &pluginv2.StringList{Values: values}
	}
	stream, err := h.resource.CallResource(t.Context(), &pluginv2.CallResourceRequest{PluginContext: config, Path: path, Url: path,
		Method: http.MethodPost, Headers: headers, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r.Code, string(r.Body)
}

// A user who leaves a dashboard must not leave queries behind that load the database.
func TestQueryOfAClosedDashboardGoesOn(t *testing.T) {
	asked, ended := make(chan struct{}, 100), make(chan struct{}, 100)
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees the end of the connection only after the body
		asked <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	t.Cleanup(hanging.Close)
	h := startPlugin(t)
	config := configured(t, fields{"addr": strings.TrimPrefix(hanging.URL, "http://")}, "", "Viewer")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := h.data.QueryData(ctx, oneQuery(config, `{"queryType":"runs"}`))
		failed <- err
	}()
	await(t, "the query has reached the database", asked)
	at := time.Now()
	cancel()
	await(t, "the database's request has ended", ended)
	if err := <-failed; err == nil || time.Since(at) > 3*time.Second {
		t.Errorf("%v after %s", err, time.Since(at))
	}
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("not within 20 s: %s", what)
	}
}
