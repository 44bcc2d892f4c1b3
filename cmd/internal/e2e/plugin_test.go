package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// host starts the built plugin as Grafana does, with the same handshake and protocol.
type host struct {
	data   grpcplugin.DataClient
	health grpcplugin.DiagnosticsClient
	config *pluginv2.PluginContext
}

func startPlugin(t *testing.T, clickhouse string) *host {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "gpx_flyball_linux_amd64")
	if out, err := exec.Command("go", "build", "-o", bin, "flyball/cmd/gpx_flyball").CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		Cmd: exec.Command(bin),
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{grpcplugin.ProtocolVersion: {"data": &grpcplugin.DataGRPCPlugin{},
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}}},
		Logger:           hclog.NewNullLogger(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{}
	for name, into := range map[string]func(any){"data": func(v any) { h.data = v.(grpcplugin.DataClient) },
		"diagnostics": func(v any) { h.health = v.(grpcplugin.DiagnosticsClient) }} {
		v, err := rpc.Dispense(name)
		if err != nil {
			t.Fatalf("the plugin has no %s: %v", name, err)
		}
		into(v)
	}
	settings, _ := json.Marshal(map[string]string{"addr": clickhouse, "database": "flyball", "user": "default"})
	h.config = &pluginv2.PluginContext{OrgId: 1, PluginId: "flyball-flyball-datasource",
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{Uid: "u", Name: "Flyball", JsonData: settings}}
	return h
}

func (h *host) ask(t *testing.T, query map[string]any) (data.Frames, string) {
	t.Helper()
	raw, _ := json.Marshal(query)
	now := time.Now()
	resp, err := h.data.QueryData(context.Background(), &pluginv2.QueryDataRequest{PluginContext: h.config,
		Queries: []*pluginv2.DataQuery{{RefId: "A", Json: raw, IntervalMS: 10_000, MaxDataPoints: 500,
			TimeRange: &pluginv2.TimeRange{FromEpochMS: now.Add(-48 * time.Hour).UnixMilli(), ToEpochMS: now.Add(time.Hour).UnixMilli()}}}})
	if err != nil {
		t.Fatal(err)
	}
	a := resp.Responses["A"]
	if a.Error != "" {
		return nil, a.Error
	}
	frames, err := data.UnmarshalArrowFrames(a.Frames)
	if err != nil {
		t.Fatal(err)
	}
	return frames, ""
}

func TestPluginAnswersOverGrafanasProtocol(t *testing.T) {
	f := withLoop(t)
	f.runAway("fleet/a3", "bad", 30*time.Second)
	f.until("the breaker is stored", 20*time.Second, "1", func() (string, error) { return f.sql("SELECT count() > 0 FROM flyball.breakers") })
	h := startPlugin(t, fmt.Sprintf("127.0.0.1:%d", f.ports["clickhouse"]))
	health, err := h.health.CheckHealth(context.Background(), &pluginv2.CheckHealthRequest{PluginContext: h.config})
	if err != nil || health.Status != pluginv2.CheckHealthResponse_OK {
		t.Fatalf("health: %v %v", health, err)
	}
	for _, tc := range []struct {
		query  map[string]any
		rows   int // at least
		field  string
		visual data.VisType
	}{
		{map[string]any{"queryType": "runs"}, 200, "agent", data.VisTypeTable},
		{map[string]any{"queryType": "runs", "agent": "fleet/a3", "minLevel": "trip"}, 1, "score", data.VisTypeTable},
		{map[string]any{"queryType": "findings"}, 1, "what happened", data.VisTypeTable},
		{map[string]any{"queryType": "breakers"}, 1, "scope", data.VisTypeTable},
		{map[string]any{"queryType": "held"}, 1, "stopped calls", data.VisTypeTable},
		{map[string]any{"queryType": "agents"}, 1, "worst score", data.VisTypeTable},
		{map[string]any{"queryType": "touched", "run": "bad"}, 1, "resource", data.VisTypeTable},
		{map[string]any{"queryType": "trace", "run": "bad"}, 5, "spanID", data.VisTypeTrace},
		{map[string]any{"queryType": "calls"}, 10, "denied", data.VisTypeGraph},
	} {
		frames, problem := h.ask(t, tc.query)
		if problem != "" || len(frames) != 1 || frames[0].Rows() < tc.rows || frames[0].Meta.PreferredVisualization != tc.visual {
			t.Errorf("%v: %s, %v", tc.query, problem, frames)
			continue
		}
		if _, i := frames[0].FieldByName(tc.field); i < 0 {
			t.Errorf("%v: no field %s", tc.query, tc.field)
		}
	}
	// Errors contain the key, the value and the rule; a hostile value is only a value.
	for want, query := range map[string]map[string]any{
		`queryType: "spells" is none of`: {"queryType": "spells"},
		`minLevel: "high" is none of`:    {"queryType": "runs", "minLevel": "high"},
		`limit: 99999 is not between`:    {"queryType": "runs", "limit": 99999},
	} {
		if _, problem := h.ask(t, query); !strings.HasPrefix(problem, want) {
			t.Errorf("%v: %q, want %q", query, problem, want)
		}
	}
	// A run that is not chosen, or not stored, is an empty answer with a sentence.
	for want, query := range map[string]map[string]any{
		"No run is chosen": {"queryType": "touched"}, "Not stored": {"queryType": "trace", "run": "x' OR 1=1 --"},
	} {
		frames, problem := h.ask(t, query)
		if problem != "" || len(frames) != 1 || frames[0].Rows() != 0 || !strings.HasPrefix(frames[0].Meta.Notices[0].Text, want) {
			t.Errorf("%v: %s %v", query, problem, frames)
		}
	}
	if frames, problem := h.ask(t, map[string]any{"queryType": "runs", "limit": 3}); problem != "" || frames[0].Rows() != 3 ||
		len(frames[0].Meta.Notices) != 1 {
		t.Errorf("a limit of 3: %s %v", problem, frames)
	}
}
