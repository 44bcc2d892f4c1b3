package decode

import (
	"testing"

	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// nobody and nowhere leave a call as its decoder made it.
type nobody struct{}

func (nobody) Resolve(*identity.Evidence, *schema.Call) {}

type nowhere struct{}

func (nowhere) Classify(*schema.Call, *route.Input) {}

// 21 keys, about 650 bytes: what a gateway writes for an agent's call.
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

// What a caller can do to a string must not make it dear to judge.
func BenchmarkSuspiciousEnvoyJSON(b *testing.B) {
	benchmark(b, []byte(envoyLineBench[:len(envoyLineBench)-1]+`,"note":"`+unsigned+`","error":"token=abcdef failed"}`), 1)
}
