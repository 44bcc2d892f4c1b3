package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"flyball/schema"
)

// singleExports returns an export in JSON for each span and log record of the known exports, so that a neighbour cannot take what
// another item says.
func singleExports(t *testing.T) (out []string) {
	t.Helper()
	var all []string
	for _, file := range fixtures(t) {
		if strings.Contains(file, "otlp_") {
			for _, r := range records(t, file) {
				all = append(all, string(r))
			}
		}
	}
	for _, f := range foundRecords(t) {
		if strings.Contains(f.Record, `"resourceSpans"`) || strings.Contains(f.Record, `"resourceLogs"`) {
			all = append(all, f.Record)
		}
	}
	for _, r := range all {
		spans, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(r))
		if err == nil {
			eachSpan(spans, func(rs ptrace.ResourceSpans, s ptrace.Span) bool {
				out = append(out, string(spanBytes(rs, s, true)))
				return true
			})
		}
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(r))
		if err != nil {
			continue
		}
		for i := range logs.ResourceLogs().Len() {
			rl := logs.ResourceLogs().At(i)
			for j := range rl.ScopeLogs().Len() {
				for k := range rl.ScopeLogs().At(j).LogRecords().Len() {
					one := plog.NewLogs()
					to := one.ResourceLogs().AppendEmpty()
					rl.Resource().CopyTo(to.Resource())
					scope := to.ScopeLogs().AppendEmpty()
					rl.ScopeLogs().At(j).Scope().CopyTo(scope.Scope())
					rl.ScopeLogs().At(j).LogRecords().At(k).CopyTo(scope.LogRecords().AppendEmpty())
					b, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, string(b))
				}
			}
		}
	}
	return out
}

// protoOf returns an export in JSON as protobuf; nil if pdata does not read it.
func protoOf(b []byte) []byte {
	if bytes.Contains(b, []byte(`"resourceLogs"`)) {
		l, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
		if err != nil {
			return nil
		}
		out, _ := (&plog.ProtoMarshaler{}).MarshalLogs(l)
		return out
	}
	tr, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
	if err != nil {
		return nil
	}
	out, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(tr)
	return out
}

// wireNeighbours calls each with the neighbours of a protobuf message: a field is missing, or has a value of each other wire type.
func wireNeighbours(b []byte, at string, put func([]byte) []byte, each func(what string, value []byte)) (ok bool) {
	type field struct {
		num        protowire.Number
		typ        protowire.Type
		from, body int // of the tag, of the value
		end        int
	}
	var fields []field
	for i := 0; i < len(b); {
		num, typ, n := protowire.ConsumeTag(b[i:])
		if n < 0 {
			return false
		}
		m := protowire.ConsumeFieldValue(num, typ, b[i+n:])
		if m < 0 {
			return false
		}
		fields = append(fields, field{num, typ, i, i + n, i + n + m})
		i += n + m
	}
	with := func(f field, instead []byte) []byte {
		return put(append(append(bytes.Clone(b[:f.from]), instead...), b[f.end:]...))
	}
	for _, f := range fields {
		name := fmt.Sprintf("%s.%d", at, f.num)
		each("without "+name, with(f, nil))
		tag := func(typ protowire.Type) []byte { return protowire.AppendTag(nil, f.num, typ) }
		for kind, v := range map[string][]byte{
			"varint": protowire.AppendVarint(tag(protowire.VarintType), 7), "fixed32": protowire.AppendFixed32(tag(protowire.Fixed32Type), 7),
			"fixed64": protowire.AppendFixed64(tag(protowire.Fixed64Type), 7), "bytes": protowire.AppendString(tag(protowire.BytesType), "about"),
			"empty": protowire.AppendBytes(tag(protowire.BytesType), nil)} {
			each(name+" = 7 (json.Number) "+kind+" about", with(f, v))
		}
		inner, _ := protowire.ConsumeBytes(b[f.body:f.end])
		if f.typ == protowire.BytesType && bytes.IndexFunc(inner, unicode.IsControl) >= 0 { // a text is no message
			around := func(changed []byte) []byte { return with(f, protowire.AppendBytes(tag(protowire.BytesType), changed)) }
			wireNeighbours(inner, name, around, each)
		}
	}
	return true
}

// The neighbours of each span and log record, in JSON and in protobuf. Both encodings of a neighbour say the same, and none is lost
// without a count.
func TestNeighbourOfASpanIsReadWrong(t *testing.T) {
	rules := pipelineWithRules(t)
	p, err := New(Options{Tenant: "acme", Inputs: map[string]Input{"proto": {Format: "otlp_proto"}}}, rules.id, rules.rt)
	if err != nil {
		t.Fatal(err)
	}
	n, inProto, shown := 0, 0, 0
	decode := func(topic string, value []byte) (calls []schema.Call, problem string) {
		left := p.Left()
		calls, dead := p.Decode(&Record{Topic: topic, Timestamp: kafkaTime, Value: value}, nil)
		for _, l := range dead {
			if l.Reason == Panicked || l.Detail == "" {
				problem = fmt.Sprint("dead letter ", l.Reason, " ", l.Detail)
			}
		}
		if len(calls)+len(dead) == 0 && p.Left() == left {
			problem = "vanished"
		}
		return calls, problem
	}
	// different returns the first member of which two readings say something else.
	different := func(a, b []schema.Call) string {
		if len(a) != len(b) {
			return fmt.Sprintf("%d calls in JSON, %d in protobuf", len(a), len(b))
		}
		for i := range a {
			one, other := reflect.ValueOf(a[i]), reflect.ValueOf(b[i])
			for j := range one.NumField() {
				x, y := one.Field(j).Interface(), other.Field(j).Interface()
				if name := one.Type().Field(j).Name; name != "Source" && !reflect.DeepEqual(x, y) {
					return fmt.Sprintf("%s is %v in JSON, %v in protobuf", name, x, y)
				}
			}
		}
		return ""
	}
	var before facts
	check := func(what string, calls []schema.Call, problem string, value []byte) {
		n++
		for i := range calls {
			if w := before.wrong(&calls[i], what); w != "" {
				problem = fmt.Sprintf("%s, basis %s", w, calls[i].TSBasis)
			}
		}
		if problem != "" {
			if shown++; shown <= 60 {
				t.Errorf("%s: %s: %.300q", what, problem, value)
			}
		}
	}
	for _, r := range singleExports(t) {
		calls, _ := decode("json", []byte(r))
		if len(calls) == 0 {
			continue
		}
		before = factsOf(calls)
		var doc any
		if err := json.Unmarshal([]byte(r), &doc); err != nil {
			t.Fatal(err)
		}
		leaves, _ := places(doc, "", func(any) {})
		for _, l := range leaves {
			if ns, _, ok := parseTime(fmt.Sprint(l.was), time.UTC); ok {
				before.times = append(before.times, ns)
			}
		}
		neighbours(t, []byte(r), func(what string, value []byte) {
			calls, problem := decode("json", value)
			check(what, calls, problem, value)
			b := protoOf(value)
			if b == nil {
				return
			}
			same, problem := decode("proto", b)
			if problem == "" {
				problem = different(calls, same)
			}
			inProto++
			check(what+" in protobuf", same, problem, value)
		})
		whole := protoOf([]byte(r))
		wireNeighbours(whole, "", func(b []byte) []byte { return b }, func(what string, value []byte) {
			calls, problem := decode("proto", value)
			inProto++
			check(what, calls, problem, value)
		})
	}
	t.Logf("%d neighbours, %d of them in protobuf, %d wrong", n, inProto, shown)
}

func TestTimeOfAnExportThatIsNotSetIsBelieved(t *testing.T) {
	for what, export := range map[string]string{"span": oneSpan, "log record": oneLog} {
		for _, unset := range []string{"0", "7", "3600000000000"} {
			value := regexp.MustCompile(`(imeUnixNano": ?")[0-9]+`).ReplaceAllString(export, "${1}"+unset)
			for _, in := range []Input{{Format: "otlp_json"}, {Format: "otlp_proto"}} {
				b := []byte(value)
				if in.Format == "otlp_proto" {
					b = toProto(t, b)
				}
				calls, dead := with(t, in, b)
				if len(calls) != 1 || calls[0].TSBasis != schema.BasisKafka || calls[0].Start != kafkaTime {
					t.Errorf("%s, %s, %s: %d calls, %v", what, in.Format, unset, len(calls), reasons(dead))
				}
			}
		}
	}
}
