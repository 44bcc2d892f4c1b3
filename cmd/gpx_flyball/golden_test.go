package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"flyball/dashboards/plugin"
	"flyball/schema"
)

// over asks the built plugin about a store, as Grafana does.
type over struct {
	*store
	host   *host
	config *pluginv2.PluginContext
}

func (o *over) ask(q plugin.Query) *pluginv2.DataResponse {
	o.t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		o.t.Fatal(err)
	}
	asked := &pluginv2.DataQuery{RefId: "A", Json: text, IntervalMS: 60_000, TimeRange: &pluginv2.TimeRange{
		FromEpochMS: o.at.Add(-time.Hour).UnixMilli(), ToEpochMS: o.at.Add(2 * time.Hour).UnixMilli()}}
	got, err := o.host.data.QueryData(o.t.Context(), &pluginv2.QueryDataRequest{PluginContext: o.config,
		Queries: []*pluginv2.DataQuery{asked}})
	if err != nil {
		o.t.Fatalf("%+v: %v", q, err)
	}
	return got.Responses["A"]
}

func (o *over) frames(q plugin.Query) data.Frames {
	o.t.Helper()
	r := o.ask(q)
	if r.Error != "" {
		o.t.Fatalf("%+v: %s", q, r.Error)
	}
	frames, err := data.UnmarshalArrowFrames(r.Frames)
	if err != nil {
		o.t.Fatal(err)
	}
	return frames
}

// goldenQueries are the queries whose frames are kept in testdata.
func goldenQueries() []plugin.Query {
	return []plugin.Query{{Type: "runs"}, {Type: "runs", Sort: "latest", Live: true}, {Type: "findings"}, {Type: "held"}, {Type: "breakers"},
		{Type: "breakers", State: "trips"}, {Type: "gates"}, {Type: "agents"}, {Type: "trace", Run: "task-1"}, {Type: "touched", Run: "task-1"},
		{Type: "touched_graph", Run: "task-1"}, {Type: "resource", Resource: "order:1"}, {Type: "score", Run: "task-1"},
		{Type: "distribution", Of: "denied", Agent: "team/bad"}, {Type: "distribution", Of: "calls"},
		{Type: "distribution", By: "time", Agent: "team/bad"}, {Type: "distribution", Of: "score", By: "quantile", Agent: "team/bad"},
		{Type: "calls"},
		{Type: "calls", By: "outcome"}, {Type: "calls", By: "reversibility", Agent: "team/bad"}, {Type: "count", Of: "held", By: "agent"},
		{Type: "count", Of: "trips"}, {Type: "count", Of: "findings", By: "level"}, {Type: "count", Of: "denied"}, {Type: "logs", Run: "task-1"},
		{Type: "health"}, {Type: "quality"}, {Type: "annotations"}, {Type: "variable", Of: "agents"}, {Type: "variable", Of: "runs"},
		{Type: "sql", SQL: "SELECT agent_id, count() AS calls, min(start_time) AS first FROM calls GROUP BY agent_id ORDER BY agent_id"}}
}

// drawn returns frames as text: what Grafana draws. Times are as long after the start of the story; what depends on the time of the test
// is "~".
func (s *store) drawn(frames data.Frames) string {
	var out strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&out, "frame %s", f.Name)
		if m := f.Meta; m != nil {
			fmt.Fprintf(&out, ", drawn as %s, type %s", cmp.Or(string(m.PreferredVisualization), "-"), cmp.Or(string(m.Type), "-"))
			if m.Channel != "" {
				fmt.Fprintf(&out, ", channel %s", m.Channel)
			}
			for _, n := range m.Notices {
				fmt.Fprintf(&out, "\n  notice: %s", n.Text)
			}
		}
		out.WriteString("\n")
		for _, field := range f.Fields {
			fmt.Fprintf(&out, "  %s %s", field.Type(), field.Name)
			if len(field.Labels) > 0 {
				fmt.Fprintf(&out, " {%s}", field.Labels)
			}
			if field.Config != nil && field.Config.Unit != "" {
				fmt.Fprintf(&out, " in %s", field.Config.Unit)
			}
			for i := range field.Len() {
				out.WriteString(" | " + s.value(f.Name, field, i))
			}
			out.WriteString("\n")
		}
	}
	return s.withoutTimes(out.String())
}

func (s *store) value(frame string, field *data.Field, i int) string {
	v, ok := field.ConcreteAt(i)
	at, isTime := v.(time.Time)
	switch {
	case !ok:
		return "-"
	case field.Name == "waits", isAge(frame, field, i), isTime && at.After(s.at.Add(45*time.Minute)):
		return "~"
	case isTime:
		return "at " + at.Sub(s.at).String()
	}
	if raw, is := v.(json.RawMessage); is {
		return string(raw)
	}
	return fmt.Sprint(v)
}

// isAge reports whether a value is how old the newest call is: no other number of the health of the story is as large.
func isAge(frame string, field *data.Field, i int) bool {
	n, is := field.At(i).(*float64)
	return frame == "health" && field.Name == "value" && is && n != nil && *n > 1000
}

var instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z|1\.[0-9]+e\+12|1[0-9]{12}(\.[0-9]+)?`)

// withoutTimes replaces times in texts.
func (s *store) withoutTimes(text string) string {
	return instants.ReplaceAllStringFunc(text, func(m string) string {
		if at, err := time.Parse(time.RFC3339Nano, m); err == nil {
			return "at " + at.Sub(s.at).String()
		}
		var ms float64
		_, _ = fmt.Sscan(m, &ms)
		return "at " + time.UnixMilli(int64(ms)).Sub(s.at).String()
	})
}

// REGENERATE_SNAPSHOTS=true go test ./cmd/gpx_flyball -run FramesChange writes the kept frames.
func TestFramesChangeUnseenOverGrafanasProtocol(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-2 * time.Hour).Truncate(time.Hour).UTC()
	s.tell()
	settings := fields{"addr": s.addr, "database": s.conn.Database()}
	o := &over{s, startPlugin(t), configured(t, settings, "", "Viewer")}
	health, err := o.host.health.CheckHealth(t.Context(), &pluginv2.CheckHealthRequest{PluginContext: o.config})
	if err != nil || health.Status != pluginv2.CheckHealthResponse_OK || !strings.Contains(health.Message, "5 calls are stored") {
		t.Errorf("%v %v", health, err)
	}
	t.Run("golden", func(t *testing.T) { o.golden(t) })
	t.Run("errors", func(t *testing.T) { o.errors(t) })
	t.Run("a million rows", func(t *testing.T) { o.million(t) })
	t.Run("stream", func(t *testing.T) { o.follow(t) })
}

func (o *over) golden(t *testing.T) {
	var all strings.Builder
	for _, q := range goldenQueries() {
		text, _ := json.Marshal(q)
		var set map[string]any
		_ = json.Unmarshal(text, &set)
		for name, v := range set {
			if v == "" || v == nil || v == 0.0 || v == false {
				delete(set, name)
			}
		}
		text, _ = json.Marshal(set)
		fmt.Fprintf(&all, "%s\n%s\n", text, o.drawn(o.frames(q)))
	}
	file := filepath.Join("testdata", "frames.txt")
	if os.Getenv("REGENERATE_SNAPSHOTS") == "true" {
		if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(all.String(), "\n"), strings.Split(string(kept), "\n")
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s:%d is\n%s\nand the plugin answers\n%s", file, i+1, w, g)
		}
	}
}

// errors checks that a failed query is an error of its own, with its status, beside those that are answered.
func (o *over) errors(t *testing.T) {
	ask := func(ref, text string) *pluginv2.DataQuery {
		return &pluginv2.DataQuery{RefId: ref, Json: []byte(text), TimeRange: &pluginv2.TimeRange{ToEpochMS: time.Now().UnixMilli()}}
	}
	got, err := o.host.data.QueryData(t.Context(), &pluginv2.QueryDataRequest{PluginContext: o.config, Queries: []*pluginv2.DataQuery{
		ask("ok", `{"queryType":"runs"}`), ask("limit", `{"queryType":"runs","limit":1000000}`), ask("type", `{"queryType":"secrets"}`),
		ask("json", `[`), ask("sql", `{"queryType":"sql","sql":"SELECT * FROM system.users"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"ok": "", "limit": "limit: 1000000 is not between 1 and 5000", "type": "is none of runs",
		"json": "query:", "sql": "sql: system.users is not in the database"} {
		r := got.Responses[ref]
		status := map[bool]int32{true: 200, false: 400}[want == ""]
		if r == nil || !strings.Contains(r.Error, want) || r.Status != status || (want == "") != (len(r.Frames) == 1) {
			t.Errorf("%s: %v", ref, r)
		}
	}
}

// million asks for all of a million findings, calls and rows of a statement: the answer is bounded and says so.
func (o *over) million(t *testing.T) {
	o.run(fmt.Sprintf(`INSERT INTO {db}.findings_store (tenant, finding_id, run_id, agent_id, family, level, state, opened_at, updated_at, summary,
evidence) SELECT 'acme', concat('f_', toString(number)), toUUID('01000000-0000-0000-0000-000000000000'),
concat('agent-', toString(number %% 20000)), 'loop', 'alert', 'open', fromUnixTimestamp64Milli(%[1]d), fromUnixTimestamp64Milli(%[1]d),
repeat('x', 60), '[]' FROM numbers(1000000)`, o.at.UnixMilli()))
	began := time.Now()
	for _, q := range []plugin.Query{{Type: "findings", Limit: 5000}, {Type: "agents", Limit: 5000},
		{Type: "sql", SQL: "SELECT arrayJoin(range(1000000)) AS n, repeat('y', 100) AS y", Limit: 5000},
		{Type: "sql", SQL: "SELECT * FROM findings", Limit: 5000}} {
		f := o.frames(q)[0]
		if f.Rows() != 5000 || f.Meta == nil || len(f.Meta.Notices) == 0 || !strings.Contains(f.Meta.Notices[0].Text,
			"The first 5000 are shown; there are more") {
			t.Errorf("%+v: %d rows, %+v", q, f.Rows(), f.Meta)
		}
	}
	count := o.frames(plugin.Query{Type: "count", Of: "findings", By: "agent"})[0]
	if len(count.Fields) != 200 || len(count.Meta.Notices) != 1 {
		t.Errorf("count: %d series, %+v", len(count.Fields), count.Meta.Notices)
	}
	const huge = "SELECT arrayJoin(range(1000000)) AS n, repeat('y', 1000000) AS y"
	if r := o.ask(plugin.Query{Type: "sql", SQL: huge, Limit: 5000}); r.Error == "" {
		t.Error("5 GB of texts are an answer")
	}
	t.Logf("a million findings: %s for six questions", time.Since(began).Round(time.Millisecond))
}

// follow listens to a channel, leaves, and sees that the stream has ended.
func (o *over) follow(t *testing.T) {
	channel := o.frames(plugin.Query{Type: "runs", Live: true})[0].Meta.Channel
	path := strings.TrimPrefix(channel, "ds/u/")
	sub, err := o.host.stream.SubscribeStream(t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: o.config, Path: path})
	if err != nil || sub.Status != pluginv2.SubscribeStreamResponse_OK {
		t.Fatalf("%s: %v %v", channel, sub, err)
	}
	ctx, leave := context.WithCancel(t.Context())
	messages, err := o.host.stream.RunStream(ctx, &pluginv2.RunStreamRequest{PluginContext: o.config, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	next := func(agent string) {
		t.Helper()
		for {
			m, err := messages.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(m.Data), agent) {
				return
			}
		}
	}
	o.at = time.Now().Add(-time.Second)
	o.deletes("acme", "team/live", 9, schema.LevelTrip, ok)
	next("team/live")
	leave()
	for err = nil; err == nil; {
		_, err = messages.Recv()
	}
	if status.Code(err) != codes.Canceled && err != io.EOF {
		t.Error(err)
	}
	pub, err := o.host.stream.PublishStream(t.Context(), &pluginv2.PublishStreamRequest{PluginContext: o.config, Path: path})
	if err != nil || pub.Status != pluginv2.PublishStreamResponse_PERMISSION_DENIED {
		t.Errorf("%v %v", pub, err)
	}
}
