package decode

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// nobody and nowhere are rules that do not change a call.
type nobody struct{}

func (nobody) Resolve(*identity.Evidence, *schema.Call) {}

type nowhere struct{}

func (nowhere) Classify(*schema.Call, *route.Input) {}

// envoyLineBench has 21 members, about 650 bytes, as a gateway writes for an agent's call.
const envoyLineBench = `{"start_time":"2026-10-02T09:30:15.417Z","method":"POST","path":"/shops/77/refunds?dry_run=1","protocol":"HTTP/2","response_code":201,"response_flags":"-","response_code_details":"via_upstream","bytes_received":248,"bytes_sent":1911,"duration":57,"upstream_service_time":"54","x_forwarded_for":"10.9.1.17","user_agent":"python-httpx/0.28.1","request_id":"1f6d2a50-9c1b-4f0e-8f0a-2b54c1a7d9e3","authority":"shop.internal","upstream_cluster":"outbound|443||shop.prod.svc.cluster.local","downstream_remote_address":"10.9.1.17:41514","route_name":"default","x_agent_id":"refund-helper-042","x_agent_run_id":"run-7c11d0a2","x_consumer":"agents-emea-042"}`

func benchmark(b *testing.B, value []byte, n int) {
	p, err := New(Options{Default: Input{Format: "auto"}, Tenant: "t"}, nobody{}, nowhere{})
	if err != nil {
		b.Fatal(err)
	}
	rec := Record{Topic: "gateway-logs", Value: value, Timestamp: kafkaTime}
	calls := make([]schema.Call, 0, 16)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		out, dead := p.Decode(&rec, calls[:0])
		if len(out) != n {
			b.Fatal(len(out), dead)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/call")
}

func BenchmarkEnvoyJSON(b *testing.B) { benchmark(b, []byte(envoyLineBench), 1) }

func BenchmarkEnvoyGatewayJSON(b *testing.B) {
	benchmark(b, records(b, "testdata/envoy_gateway.jsonl")[0], 1)
}

func BenchmarkNginxJSON(b *testing.B) {
	benchmark(b, records(b, "testdata/nginx_escape_json.jsonl")[0], 1)
}

func BenchmarkIstioText(b *testing.B) { benchmark(b, records(b, "testdata/istio_text.log")[0], 1) }

func BenchmarkOTLPProto(b *testing.B) {
	benchmark(b, toProto(b, records(b, "testdata/otlp_spans.jsonl")[0]), 6)
}

func BenchmarkOTLPJSON(b *testing.B) { benchmark(b, records(b, "testdata/otlp_spans.jsonl")[0], 6) }

// A string that a caller chooses must not make the check expensive.
func BenchmarkSuspiciousEnvoyJSON(b *testing.B) {
	benchmark(b, []byte(envoyLineBench[:len(envoyLineBench)-1]+`,"note":"`+unsigned+`","error":"token=abcdef failed"}`), 1)
}

// envoyAsMapping reads the same members of the same record as the Go decoder of Envoy's JSON.
const envoyAsMapping = `
version: 1
name: envoy_mapping
set:
  start_time: {from: start_time, basis: start}
  duration: {from: duration, unit: ms}
  upstream_duration: {from: [upstream_service_time, x_envoy_upstream_service_time], unit: ms}
  method: method
  path: [x_envoy_origin_path, path]
  host: authority
  status: response_code
  response_flags: response_flags
  bytes_in: bytes_received
  bytes_out: bytes_sent
  client_ip: [x_forwarded_for, downstream_remote_address]
  user_agent: user_agent
  request_id: request_id
  api: {from: upstream_cluster, split: ["|", -1]}
  credential_id: {from: x_consumer, kind: consumer}
  agent_id: [{from: x_consumer}, {from: x_agent_id, asserted: true}]
  run_key: {from: x_agent_run_id, asserted: true}
attrs: [route_name, response_code_details]
drop: [protocol, x_agent_id]
`

// BenchmarkMappingBesideGo compares a mapping with Go code: the same record, the same fields.
func BenchmarkMappingBesideGo(b *testing.B) {
	own, err := mapping.Compile("bench.yaml", []byte(envoyAsMapping))
	if err != nil {
		b.Fatal(err)
	}
	for _, format := range []string{"envoy_json", "envoy_mapping"} {
		b.Run(format, func(b *testing.B) { benchmarkAs(b, format, []byte(envoyLineBench), own) })
	}
}

// BenchmarkPatternBesideGo compares a pattern with Go code for a line of Envoy's default format.
func BenchmarkPatternBesideGo(b *testing.B) {
	const line = `[2026-10-02T09:30:15.417Z] "POST /shops/77/refunds?dry_run=1 HTTP/2" 201 - 248 1911 57 54 "10.9.1.17" "python-httpx/0.28.1" "1f6d2a50-9c1b-4f0e-8f0a-2b54c1a7d9e3" "shop.internal" "10.9.2.8:8080"`
	own, err := mapping.Compile("bench.yaml", []byte(`
version: 1
name: envoy_pattern
line: '^\[(?P<at>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d+) (?P<flags>\S+) (?P<in>\d+) (?P<out>\d+) (?P<took>\d+) (?P<upstream>\d+|-) "(?P<ip>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)" "(?P<id>(?:[^"\\]|\\.)*)" "(?P<host>(?:[^"\\]|\\.)*)" "(?:[^"\\]|\\.)*"$'
set:
  start_time: {from: at, basis: start}
  duration: {from: took, unit: ms}
  upstream_duration: {from: upstream, unit: ms}
  request_line: request
  status: status
  response_flags: flags
  bytes_in: in
  bytes_out: out
  client_ip: ip
  user_agent: agent
  request_id: id
  host: host
`))
	if err != nil {
		b.Fatal(err)
	}
	for _, format := range []string{"envoy_text", "envoy_pattern"} {
		b.Run(format, func(b *testing.B) { benchmarkAs(b, format, []byte(line), own) })
	}
}

func benchmarkAs(b *testing.B, format string, value []byte, own ...*mapping.Program) {
	p, err := New(Options{Default: Input{Format: format}, Mappings: own, Tenant: "t"}, nobody{}, nowhere{})
	if err != nil {
		b.Fatal(err)
	}
	rec := Record{Topic: "gateway-logs", Value: value, Timestamp: kafkaTime}
	var calls []schema.Call
	b.ReportAllocs()
	for b.Loop() {
		out, dead := p.Decode(&rec, calls[:0])
		if len(out) != 1 {
			b.Fatal(dead)
		}
		calls = out
	}
}

// BenchmarkEveryFormat reads one call of each format with that format configured, including identity and route rules: all
// the work of ingest on a record.
func BenchmarkEveryFormat(b *testing.B) {
	rules := pipelineWithRules(b)
	for _, file := range fixtures(b) {
		name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "preset_"), ".jsonl"), ".log")
		format := name
		if !slices.Contains(Formats(), format) {
			format = "auto"
		}
		p, err := New(Options{Default: Input{Format: format}, Tenant: "t"}, rules.id, rules.rt)
		if err != nil {
			b.Fatal(err)
		}
		value := records(b, file)[0]
		rec := Record{Topic: "gateway-logs", Value: value, Timestamp: kafkaTime}
		first, _ := p.Decode(&rec, nil)
		if len(first) == 0 {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var calls []schema.Call
			for b.Loop() {
				calls, _ = p.Decode(&rec, calls[:0])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(first)), "ns/call")
			b.ReportMetric(float64(len(value)/len(first)), "B/call")
		})
	}
}
