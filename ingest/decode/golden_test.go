package decode

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

var update = flag.Bool("update", false, "write the expected results of testdata anew")

// kafkaTime is later than the times in the fixtures, by less than the maximum skew.
const kafkaTime = 1790933420 * 1_000_000_000

// seen records the arguments of the identity and route rules.
type seen struct {
	evidence []identity.Evidence
	inputs   []route.Input
}

func (s *seen) Resolve(ev *identity.Evidence, _ *schema.Call) {
	e := *ev
	if e.Claims != nil {
		c := *e.Claims
		e.Claims = &c
	}
	s.evidence = append(s.evidence, e)
}

func (s *seen) Classify(_ *schema.Call, in *route.Input) { s.inputs = append(s.inputs, *in) }

func newPipeline(t testing.TB, opt Options, s *seen) *Pipeline {
	t.Helper()
	opt.Tenant = "acme"
	p, err := New(opt, s, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// decodeAuto reads one record without any configuration.
func decodeAuto(t testing.TB, value []byte) ([]schema.Call, []Rejected, *seen) {
	t.Helper()
	s := &seen{}
	calls, dead := newPipeline(t, Options{}, s).Decode(&Record{Topic: "in", Partition: 3, Offset: 41, Timestamp: kafkaTime, Value: value}, nil)
	return calls, dead, s
}

// set returns the fields of a struct that are not zero.
func set(v any) map[string]any {
	out := map[string]any{}
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if f := r.Field(i); !f.IsZero() {
			if b, ok := f.Interface().([]byte); ok {
				out[r.Type().Field(i).Name] = string(b)
			} else {
				out[r.Type().Field(i).Name] = f.Interface()
			}
		}
	}
	return out
}

// render returns the text of all items of one record.
func render(t testing.TB, out *bytes.Buffer, value []byte) {
	t.Helper()
	calls, dead, s := decodeAuto(t, value)
	for item, c, d := uint32(0), 0, 0; c < len(calls) || d < len(dead); item++ {
		var line any
		switch {
		case c < len(calls) && calls[c].Pos.Item == item:
			line = map[string]any{"call": json.RawMessage(AppendJSON(nil, &calls[c])), "evidence": set(s.evidence[c]), "input": set(s.inputs[c])}
			c++
		case d < len(dead) && dead[d].Item == item:
			line = map[string]any{"dead": map[string]any{"item": item, "reason": dead[d].Reason, "detail": dead[d].Detail,
				"bytes": len(dead[d].Value)}}
			d++
		default:
			t.Fatalf("item %d is neither a call nor a dead letter", item)
		}
		b, err := json.MarshalIndent(line, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(b, '\n'))
	}
	if len(calls)+len(dead) == 0 {
		out.WriteString("nothing\n")
	}
}

func fixtures(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range [...]string{"testdata/*.jsonl", "testdata/*.log"} {
		m, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, m...)
	}
	if len(files) == 0 {
		t.Fatal("no fixtures")
	}
	return files
}

// records returns the records of a fixture, one per line.
func records(t testing.TB, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(b), []byte("\n"))
}

func TestFixturesDecodeAsExpected(t *testing.T) {
	for _, file := range fixtures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var got bytes.Buffer
			for _, r := range records(t, file) {
				render(t, &got, r)
			}
			compare(t, file+".golden", got.Bytes())
		})
	}
}

// An export gives the same calls in both encodings.
func TestProtobufAndJSONDecodeAlike(t *testing.T) {
	for _, file := range fixtures(t) {
		if !strings.Contains(file, "otlp_") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			var got bytes.Buffer
			for _, r := range records(t, file) {
				render(t, &got, toProto(t, r))
			}
			want, err := os.ReadFile(file + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			// The size of a dead letter depends on its encoding.
			if drop := dropSizes; !bytes.Equal(drop(got.Bytes()), drop(want)) {
				t.Errorf("as protobuf:\n%s\nas JSON:\n%s", got.Bytes(), want)
			}
		})
	}
}

func dropSizes(b []byte) []byte {
	var out []byte
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if !bytes.Contains(line, []byte(`"bytes":`)) {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

func toProto(t testing.TB, b []byte) []byte {
	t.Helper()
	if bytes.Contains(b, []byte("ogRecords")) {
		l, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
		if err != nil {
			t.Fatal(err)
		}
		out, err := (&plog.ProtoMarshaler{}).MarshalLogs(l)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	tr, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
	if err != nil {
		t.Fatal(err)
	}
	out, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(tr)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || !bytes.Equal(g[i], w[i]) {
			at := func(lines [][]byte) []byte {
				if i < len(lines) {
					return lines[i]
				}
				return nil
			}
			t.Fatalf("%s, line %d:\n got %s\nwant %s\n(go test -update writes it anew)", file, i+1, at(g), at(w))
		}
	}
}

// Every preset has records of its format. The files with the expected results contain the result of each call and item.
func TestEveryPresetHasRecords(t *testing.T) {
	for _, p := range append(mapping.PresetNames(), "kong") {
		file := p
		if p != "kong" && p != "nginx_json" {
			file = "preset_" + p
		}
		found, err := filepath.Glob("testdata/" + strings.Replace(file, "nginx_json", "nginx_*", 1) + ".*")
		if err != nil || len(found) < 2 {
			t.Errorf("%s has no records in testdata", p)
		}
	}
	for _, file := range fixtures(t) {
		name, ok := strings.CutPrefix(filepath.Base(file), "preset_")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, ".")
		for _, r := range records(t, file) {
			// The result with the configured format is equal to that of auto.
			for _, format := range []string{"auto", name} {
				s := &seen{}
				p := newPipeline(t, Options{Default: Input{Format: format}}, s)
				calls, dead := p.Decode(&Record{Value: r, Timestamp: kafkaTime}, nil)
				for _, c := range calls {
					if c.Format != name+"/1" {
						t.Errorf("%s as %s: %s", file, format, c.Format)
					}
				}
				if len(dead) > 0 {
					t.Errorf("%s as %s: %v", file, format, reasons(dead))
				}
			}
		}
	}
}

// Every field names the member from which it was read, and no other one.
func TestEveryFieldSaysWhereItCameFrom(t *testing.T) {
	p := pipelineWithRules(t)
	calls, steps, _ := p.Explain(&Record{Topic: "in", Timestamp: kafkaTime,
		Value: []byte(`{"service_id":"shop","route_id":"r-9","request":{"uri":"/refunds?x=1","method":"POST","size":12,"headers":{"X-Agent-Run-Id":"run-7","Authorization":"Bearer not-for-anybody-0123"}},"response":{"status":201,"size":9},"latency":61.2,"client_ip":"10.9.1.17","consumer":{"username":"emea"},"start_time":1790933415417}`)})
	if len(calls) != 1 {
		t.Fatal(calls)
	}
	got := map[string]string{}
	for _, o := range FieldOrigins(&calls[0], steps[0]) {
		got[o.Field] = o.From
		if strings.Contains(o.Value, "not-for-anybody") {
			t.Errorf("%+v", o)
		}
	}
	for field, want := range map[string]string{"path": "request.uri", "status": "response.status", "duration_ns": "latency",
		"start_time": "start_time", "client_ip": "client_ip", "agent_id": "consumer.username (rule gateway)",
		"credential_id": "consumer.username (rule gateway)", "run_key": "header X-Agent-Run-Id (rule x-agent-run-id)",
		"attrs.route_id": "route_id", "effect": "rule words", "tenant": "configuration", "api": "service_id"} {
		if got[field] != want {
			t.Errorf("%s: %q, want %q", field, got[field], want)
		}
	}
}

// The route that a gateway logs becomes the call's route; a request header named Route does not.
func TestRouteIsWhatTheGatewayLogged(t *testing.T) {
	p := pipelineWithRules(t)
	for field, want := range map[string]string{"http.route": "/orders/{order}", "http_route": "/orders/{id}"} {
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime,
			Value: []byte(`{"start_time":"2026-10-02T09:30:15.417Z","method":"GET","path":"/orders/7","response_code":200,"response_flags":"-","` + field + `":"/orders/:order"}`)}, nil)
		if len(calls) != 1 || calls[0].Route != want || calls[0].Resources[0].String() != "order:7" {
			t.Errorf("%s: %+v %v", field, calls, dead)
		}
	}
}
