package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"flyball/schema"
)

const (
	oneSpan = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"stock"}}]},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203301","name":"GET /s","kind":2,"startTimeUnixNano":"1790933415000000000","endTimeUnixNano":"1790933415000000009","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"url.path","value":{"stringValue":"/s/1"}},{"key":"http.response.status_code","value":{"intValue":"200"}}]}]}]}]}`
	oneLog  = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1790933415000000000","attributes":[{"key":"method","value":{"stringValue":"GET"}},{"key":"path","value":{"stringValue":"/l"}},{"key":"response_code","value":{"stringValue":"200"}}]}]}]}]}`
)

// with decodes a record of a topic with this configuration.
func with(t testing.TB, in Input, value []byte, headers ...Header) ([]schema.Call, []Rejected) {
	t.Helper()
	p := newPipeline(t, Options{Inputs: map[string]Input{"in": in}}, &seen{})
	return p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: value, Headers: headers}, nil)
}

// wantDead asserts that a record becomes one dead letter with this reason and unchanged bytes.
func wantDead(t *testing.T, calls []schema.Call, dead []Rejected, reason Reason, value []byte) {
	t.Helper()
	if len(calls) != 0 || len(dead) != 1 || dead[0].Reason != reason {
		t.Fatalf("%d calls, dead letters %v; want one: %s", len(calls), reasons(dead), reason)
	}
	if !bytes.Equal(dead[0].Value, value) {
		t.Errorf("the dead letter holds %d bytes of %d", len(dead[0].Value), len(value))
	}
}

func reasons(dead []Rejected) (out []string) {
	for _, d := range dead {
		out = append(out, fmt.Sprintf("%d:%s (%s)", d.Item, d.Reason, d.Detail))
	}
	return out
}

func wantCalls(t *testing.T, calls []schema.Call, dead []Rejected, n int) {
	t.Helper()
	if len(calls) != n || len(dead) != 0 {
		t.Fatalf("%d calls, dead letters %v; want %d calls", len(calls), reasons(dead), n)
	}
}

func TestLogsReadAsTracesAreNotSilentlyEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		in    Input
		value []byte
	}{
		"JSON logs":              {Input{Format: "otlp_json", Signal: "traces"}, []byte(oneLog)},
		"JSON traces":            {Input{Format: "otlp_json", Signal: "logs"}, []byte(oneSpan)},
		"JSON logs, sniffed":     {Input{Signal: "traces"}, []byte(oneLog)},
		"protobuf logs":          {Input{Format: "otlp_proto", Signal: "traces"}, toProto(t, []byte(oneLog))},
		"protobuf traces":        {Input{Format: "otlp_proto", Signal: "logs"}, toProto(t, []byte(oneSpan))},
		"JSON metrics":           {Input{}, []byte(`{"resourceMetrics":[{"scopeMetrics":[]}]}`)},
		"metrics, said so":       {Input{}, []byte(`{"resource_metrics":[]}`)},
		"JSON metrics in traces": {Input{Format: "otlp_json", Signal: "traces"}, []byte(`{"resourceMetrics":[{}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead := with(t, c.in, c.value)
			wantDead(t, calls, dead, WrongSignal, c.value)
		})
	}
}

func TestSignalHeaderDecidesOnASharedTopic(t *testing.T) {
	calls, dead := with(t, Input{Format: "otlp_proto", Signal: "traces"}, toProto(t, []byte(oneLog)),
		Header{Key: "otelcol.signal", Value: []byte("logs")})
	wantCalls(t, calls, dead, 1)
	value := toProto(t, []byte(oneSpan))
	calls, dead = with(t, Input{Format: "otlp_proto"}, value, Header{Key: "otelcol.signal", Value: []byte("metrics")})
	wantDead(t, calls, dead, WrongSignal, value)
}

// A message of the other signal that contains only resources parses as an empty export.
func TestResourceOnlyExportIsNotSilentlyEmpty(t *testing.T) {
	for name, value := range map[string][]byte{
		"JSON":     []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"b"}}]}}]}`),
		"no spans": []byte(`{"resourceSpans":[]}`), "null": []byte(`{"resourceSpans":null}`), "no logs": []byte(`{"resourceLogs":[]}`),
		"protobuf": toProto(t, []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"b"}}]}}]}`)),
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead, _ := decodeAuto(t, value)
			wantDead(t, calls, dead, NoItems, value)
		})
	}
	empty := []byte(`{}`)
	calls, dead := with(t, Input{Format: "otlp_json"}, empty)
	wantDead(t, calls, dead, NoItems, empty)
}

func TestTwoDocumentsAreNotOne(t *testing.T) {
	for _, format := range [...]string{"auto", "otlp_json"} {
		calls, dead := with(t, Input{Format: format}, []byte(oneSpan+"\n"+oneSpan))
		wantCalls(t, calls, dead, 2)
		if calls[0].Pos.Item != 0 || calls[1].Pos.Item != 1 {
			t.Errorf("%s: items %d and %d", format, calls[0].Pos.Item, calls[1].Pos.Item)
		}
		for _, glued := range [...]string{oneSpan + oneSpan, oneSpan + " " + oneSpan} {
			calls, dead := with(t, Input{Format: format}, []byte(glued))
			wantCalls(t, calls, dead, 2)
		}
		for _, glued := range [...]string{oneSpan + "garbage", oneSpan + "]"} {
			calls, dead = with(t, Input{Format: format}, []byte(glued))
			wantDead(t, calls, dead, TrailingData, []byte(glued))
		}
	}
	calls, dead, _ := decodeAuto(t, []byte(envoyLine+envoyLine))
	wantCalls(t, calls, dead, 2)
	glued := []byte(envoyLine + `"more"`)
	calls, dead, _ = decodeAuto(t, glued)
	wantDead(t, calls, dead, TrailingData, glued)
	calls, dead, _ = decodeAuto(t, []byte(envoyLine+"\r\n"+envoyLine+"\n\n"))
	wantCalls(t, calls, dead, 2)
}

// One export may contain both signals, although no exporter writes that.
func TestBothSignalsInOneDocumentAreRead(t *testing.T) {
	calls, dead, _ := decodeAuto(t, []byte(oneSpan[:len(oneSpan)-1]+","+oneLog[1:]))
	wantCalls(t, calls, dead, 2)
}

func TestOneExportHoldsManyTracesAndResources(t *testing.T) {
	first := strings.TrimSuffix(oneSpan, "]}")
	second := strings.NewReplacer("0af7", "1bf7", "stock", "orders", "3301", "3302").Replace(strings.TrimPrefix(oneSpan, `{"resourceSpans":[`))
	for _, value := range [][]byte{[]byte(first + "," + second), toProto(t, []byte(first+","+second))} {
		calls, dead, _ := decodeAuto(t, value)
		wantCalls(t, calls, dead, 2)
		if calls[0].TraceID == calls[1].TraceID || calls[0].Observer != "stock" || calls[1].Observer != "orders" {
			t.Errorf("traces %x %x, observers %s %s", calls[0].TraceID, calls[1].TraceID, calls[0].Observer, calls[1].Observer)
		}
	}
}

func TestTruncatedProtobufIsNoTrace(t *testing.T) {
	whole := toProto(t, []byte(oneSpan))
	for n := 1; n < len(whole); n++ {
		for _, in := range [...]Input{{Format: "otlp_proto"}, {Format: "otlp_proto", Signal: "traces"}, {Format: "otlp_proto", Signal: "logs"},
			{}} {
			calls, dead := with(t, in, whole[:n])
			if len(calls) != 0 || len(dead) != 1 {
				t.Fatalf("%d of %d bytes with %+v: %d calls, %v", n, len(whole), in, len(calls), reasons(dead))
			}
		}
	}
	calls, dead := with(t, Input{Format: "otlp_proto", Signal: "traces"}, whole[:len(whole)-3])
	wantDead(t, calls, dead, NotProto, whole[:len(whole)-3])
}

func TestOtherEncodingInAnExportTopic(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		value  string
		reason Reason
	}{
		"JSON in protobuf":   {"otlp_proto", oneSpan, NotProto},
		"text in protobuf":   {"otlp_proto", "hello", NotProto},
		"framed in protobuf": {"otlp_proto", "\x00\x00\x00\x00\x07\x02abc", NotProto},
		"protobuf in JSON":   {"otlp_json", string(toProto(t, []byte(oneSpan))), NotJSON},
		"list in JSON":       {"otlp_json", "[" + oneSpan + "]", NotJSON},
		"envoy in JSON":      {"otlp_json", envoyLine, NoItems},
		"framed":             {"auto", "\x00\x00\x00\x00\x07\x02abc", Confluent},
		"protobuf in envoy":  {"envoy_json", string(toProto(t, []byte(oneSpan))), UnknownFormat},
		"export in envoy":    {"envoy_json", oneSpan, UnknownFormat},
		"nginx in envoy":     {"envoy_json", nginxLine, UnknownFormat},
		"envoy in nginx":     {"nginx_json", envoyLine, UnknownFormat},
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead := with(t, Input{Format: c.format}, []byte(c.value))
			wantDead(t, calls, dead, c.reason, []byte(c.value))
		})
	}
	calls, dead, _ := decodeAuto(t, []byte("\x00\x00\x00\x00\x07"+envoyLine))
	wantCalls(t, calls, dead, 1)
}

func TestIdsInJSONAreHexAndNothingElse(t *testing.T) {
	for _, id := range [...]string{"CvdlGRbNQ92ESOshHIAxnA==", "0af7", "zz"} {
		value := []byte(strings.Replace(oneSpan, "0af7651916cd43dd8448eb211c80319c", id, 1))
		calls, dead, _ := decodeAuto(t, value)
		wantDead(t, calls, dead, NotJSON, value)
	}
	calls, dead, _ := decodeAuto(t, []byte(strings.Replace(oneSpan, "0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C",
		1)))
	wantCalls(t, calls, dead, 1)
}

func TestSpellingsOfNamesNumbersAndEnums(t *testing.T) {
	value := strings.NewReplacer("resourceSpans", "resource_spans", "scopeSpans", "scope_spans", "traceId", "trace_id", "spanId", "span_id",
		"startTimeUnixNano", "start_time_unix_nano",
		"endTimeUnixNano", "end_time_unix_nano", `"1790933415000000000"`, "1790933415000000000", `"kind":2`, `"kind":"SPAN_KIND_SERVER"`, `"200"`,
		"200", "stringValue", "string_value", "intValue", "int_value").Replace(oneSpan)
	calls, dead, _ := decodeAuto(t, []byte(value))
	wantCalls(t, calls, dead, 1)
	if c := calls[0]; c.Start != 1790933415000000000 || c.DurationNs != 9 || c.Status != 200 || c.Path != "/s/1" ||
		c.ObserverKind != schema.ObserverServer {
		t.Errorf("%+v", c)
	}
}

// Old producers used a field that pdata's protobuf reader skips.
func TestInstrumentationLibrarySpansAreNotSilentlyEmpty(t *testing.T) {
	inner := protowire.AppendTag(nil, 1000, protowire.BytesType)
	inner = protowire.AppendBytes(inner, []byte{0x12, 0x00})
	value := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
	calls, dead := with(t, Input{Format: "otlp_proto", Signal: "traces"}, value)
	wantDead(t, calls, dead, NoItems, value)
}

// Internal work is not a call; skipping it is not an error.
func TestSpansThatAreNoCallsAreLeftOut(t *testing.T) {
	for _, kind := range [...]string{`"kind":1`, `"kind":4`, `"kind":5`, `"kind":0`} {
		value := strings.Replace(oneSpan, `"kind":2`, kind, 1)
		calls, dead, _ := decodeAuto(t, []byte(value))
		wantCalls(t, calls, dead, 0)
	}
}

// A rejected item can be read again alone: in its original encoding, with its resource.
func TestADeadItemOfAnExportIsAnExport(t *testing.T) {
	value := strings.Replace(oneLog, `"attributes":[`, `"body":{"stringValue":"disk full"},"attributes":[`, 1)
	value = value[:strings.Index(value,
		`{"key":"method"`)] + `]}]}],"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"gw"}}]}}]}`
	for _, v := range [][]byte{[]byte(value), toProto(t, []byte(value))} {
		_, dead, _ := decodeAuto(t, v)
		if len(dead) != 1 || dead[0].Reason != NotAnAccessLog {
			t.Fatal(reasons(dead))
		}
		if !bytes.Contains(dead[0].Value, []byte("service.name")) || (v[0] == '{') != (dead[0].Value[0] == '{') {
			t.Errorf("resource or encoding lost: %q", dead[0].Value)
		}
		_, again, _ := decodeAuto(t, dead[0].Value)
		if len(again) != 1 || again[0].Reason != NotAnAccessLog || !bytes.Equal(again[0].Value, dead[0].Value) {
			t.Errorf("read again: %v", reasons(again))
		}
	}
}

// A message of two bytes needs a hundred bytes of memory, and nesting needs stack.
func TestExportsAreBoundedBeforeTheyAreParsed(t *testing.T) {
	wrap := func(field protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
	}
	span := func(b []byte) []byte { return wrap(1, wrap(2, wrap(2, b))) }
	deep := []byte{}
	for range 500 {
		deep = wrap(5, wrap(1, deep))
	}
	for name, c := range map[string]struct {
		value  []byte
		reason Reason
	}{
		"spans":      {wrap(1, wrap(2, bytes.Repeat([]byte{0x12, 0x00}, 1<<20))), TooMany},
		"attributes": {span(bytes.Repeat([]byte{0x4a, 0x00}, 1<<20)), TooMany},
		"values":     {span(wrap(9, wrap(2, wrap(5, bytes.Repeat([]byte{0x0a, 0x00}, 1<<20))))), TooMany},
		"resources":  {bytes.Repeat([]byte{0x0a, 0x00}, 1<<20), TooMany},
		"nesting":    {span(wrap(9, wrap(2, deep))), TooDeep},
		"JSON":       {[]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{}` + strings.Repeat(",{}", 1<<20) + `]}]}]}`), TooMany},
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead := with(t, Input{}, c.value)
			wantDead(t, calls, dead, c.reason, c.value)
		})
	}
}

// The agent of a span applies to its service, not to the services that it calls.
func TestAnotherServiceDoesNotInheritTheAgent(t *testing.T) {
	_, _, s := decodeAuto(t, records(t, "testdata/otlp_spans.jsonl")[0])
	for _, ev := range s.evidence {
		if (ev.GenAIAgentName == "planner") != (ev.ServiceName == "planner-svc") {
			t.Errorf("service %s has agent %q", ev.ServiceName, ev.GenAIAgentName)
		}
	}
}

// Most agents are named without an id, also with older attribute names.
func TestAgentIsNamedWithoutAnId(t *testing.T) {
	for _, key := range [...]string{"gen_ai.agent.name", "gen_ai.workflow.name", "agent.name"} {
		value := strings.Replace(oneSpan, `"attributes":[{"key":"http`,
			`"attributes":[{"key":"`+key+`","value":{"stringValue":"planner"}},{"key":"http`, 1)
		_, _, s := decodeAuto(t, []byte(value))
		if len(s.evidence) != 1 || s.evidence[0].GenAIAgentName != "planner" || s.evidence[0].ServiceName != "stock" {
			t.Errorf("%s: %+v", key, s.evidence)
		}
	}
}

// Spans whose parents form a cycle do not stop a partition.
func TestParentsInARing(t *testing.T) {
	ring := strings.Replace(oneSpan, `"spanId":"b7ad6b7169203301"`, `"spanId":"b7ad6b7169203301","parentSpanId":"b7ad6b7169203301"`, 1)
	ring = strings.Replace(ring, `"key":"http.request.method"`,
		`"key":"session.id","value":{"stringValue":"s"}},{"key":"gen_ai.agent.id","value":{"stringValue":"a"}},{"key":"http.request.method"`, 1)
	calls, dead, _ := decodeAuto(t, []byte(ring))
	wantCalls(t, calls, dead, 1)
}

// LangSmith's exporter uses its own names for kinds of spans, sessions and users.
func TestLangSmithSpansAreRead(t *testing.T) {
	span := strings.Replace(oneSpan, `"attributes":[{"key":"http`,
		`"attributes":[{"key":"langsmith.span.kind","value":{"stringValue":"tool"}},{"key":"gen_ai.tool.name","value":{"stringValue":"get-weather"}},{"key":"langsmith.metadata.thread_id","value":{"stringValue":"conv-7"}},{"key":"user.name","value":{"stringValue":"kim"}},{"key":"http`, 1)
	calls, dead, s := decodeAuto(t, []byte(span))
	if len(calls) != 1 || len(dead) != 0 || calls[0].OpKind != schema.OpTool || calls[0].ToolName != "get-weather" ||
		s.evidence[0].Conversation != "conv-7" || s.evidence[0].UserID != "kim" {
		t.Errorf("%+v %v %+v", calls, dead, s.evidence)
	}
}
