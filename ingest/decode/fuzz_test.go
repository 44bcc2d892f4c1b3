package decode

import (
	"bytes"
	"encoding/json"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/ingest/mapping"
	"flyball/schema"
)

// seeds returns the records of the fixtures whose file names contain one of the words.
func seeds(f *testing.F, words ...string) {
	f.Helper()
	for _, file := range fixtures(f) {
		for _, w := range words {
			if strings.Contains(file, w) {
				for _, r := range records(f, file) {
					f.Add(r)
				}
			}
		}
	}
}

// holdsOfEverything checks what must be true for any record.
func holdsOfEverything(t *testing.T, p *Pipeline, value []byte) {
	t.Helper()
	original := bytes.Clone(value)
	var before, after runtime.MemStats
	big := len(value) > 1<<12
	if big {
		runtime.ReadMemStats(&before)
	}
	calls, dead := p.Decode(&Record{Topic: "in", Offset: 5, Timestamp: kafkaTime, Value: value}, nil)
	if big {
		runtime.ReadMemStats(&after)
		// A call needs about 2 KB; the smallest call is about 20 bytes of a record.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(value))*2000+64<<20 {
			t.Errorf("%d bytes took %d bytes of memory", len(value), grown)
		}
	}
	if !bytes.Equal(value, original) {
		t.Fatal("the record was written to")
	}
	c, d := 0, 0
	for item := uint32(0); c < len(calls) || d < len(dead); item++ {
		switch {
		case c < len(calls) && calls[c].Pos.Item == item:
			c++
		case d < len(dead) && dead[d].Item == item:
			d++
		default:
			t.Fatalf("item %d is neither a call nor a dead letter, or both", item)
		}
	}
	for i := range calls {
		sound(t, &calls[i])
	}
	known := Reasons()
	for _, l := range dead {
		if l.Reason == Panicked {
			t.Fatalf("panic: %s", l.Detail)
		}
		found := false
		for _, r := range known {
			found = found || r == l.Reason
		}
		if !found || l.Detail == "" || !utf8.ValidString(l.Detail) {
			t.Errorf("reason %q, detail %q", l.Reason, l.Detail)
		}
	}
}

func sound(t *testing.T, c *schema.Call) {
	t.Helper()
	if at := invalid(reflect.ValueOf(*c), "Call"); at != "" {
		t.Errorf("%s is not UTF-8", at)
	}
	if !json.Valid(AppendJSON(nil, c)) {
		t.Errorf("its JSON is none: %s", AppendJSON(nil, c))
	}
	if len(c.Path) > schema.MaxPath || len(c.UserAgent) > schema.MaxUserAgent || len(c.ErrorMessage) > schema.MaxError ||
		len(c.Attrs) > schema.MaxAttrs || len(c.RequestID) > schema.MaxID || len(c.Method) > 20 {
		t.Errorf("a string is longer than it may be: %s", AppendJSON(nil, c))
	}
	for i, a := range c.Attrs {
		if a.Key == "" || a.Value == "" || len(a.Value) > schema.MaxAttrValue || i > 0 && c.Attrs[i-1].Key >= a.Key {
			t.Errorf("attributes: %q", c.Attrs)
		}
	}
	if c.DurationNs < -1 || c.EndNs() < c.Start || c.UpstreamNs < 0 || c.Format == "" || c.Status != 0 && (c.Status < 100 || c.Status > 999) ||
		c.CallerConfidence > 100 {
		t.Errorf("%s", AppendJSON(nil, c))
	}
	if c.Start > kafkaTime+maxAhead {
		t.Errorf("start %s is ahead of Kafka", c.StartTime())
	}
}

// invalid returns the names of strings in a value that are not UTF-8.
func invalid(v reflect.Value, at string) string {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return at
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				if found := invalid(v.Field(i), at+"."+v.Type().Field(i).Name); found != "" {
					return found
				}
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if found := invalid(v.Index(i), at); found != "" {
				return found
			}
		}
	}
	return ""
}

// fuzz decodes with the given configuration of the topic, and with identity and route rules.
func fuzz(f *testing.F, in Input) {
	f.Helper()
	whole := pipelineWithRules(f)
	p, err := New(Options{Inputs: map[string]Input{"in": in}, Tenant: "acme", MaxValue: 1 << 20}, whole.id, whole.rt)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		holdsOfEverything(t, p, value)
		if len(value) > 0 && (in.Format == "envoy_json" || in.Format == "nginx_json" || in.Format == "istio_text") &&
			!bytes.Contains(value, []byte("CONTROL_MESSAGE")) {
			before := p.Left()
			calls, dead := p.Decode(&Record{Topic: "in", Timestamp: 1, Value: value}, nil)
			if len(calls)+len(dead) == 0 && p.Left() == before {
				t.Error("nothing came of it")
			}
		}
	})
}

func FuzzEnvoyJSON(f *testing.F) {
	seeds(f, "envoy_istio", "envoy_gateway", "envoy_ai", "envoy_free")
	f.Add([]byte(envoyLineBench))
	fuzz(f, Input{Format: "envoy_json"})
}

func FuzzNginxJSON(f *testing.F) {
	seeds(f, "nginx")
	fuzz(f, Input{Format: "nginx_json"})
}

func FuzzText(f *testing.F) {
	seeds(f, ".log")
	fuzz(f, Input{Format: "istio_text"})
}

func FuzzOTLPJSON(f *testing.F) {
	seeds(f, "otlp")
	f.Add([]byte(oneSpan + "\n" + oneLog))
	fuzz(f, Input{Format: "otlp_json"})
}

func FuzzOTLPProto(f *testing.F) {
	for _, file := range fixtures(f) {
		if strings.Contains(file, "otlp") {
			for _, r := range records(f, file) {
				f.Add(toProto(f, r))
			}
		}
	}
	fuzz(f, Input{Format: "otlp_proto"})
}

func FuzzAuto(f *testing.F) {
	seeds(f, "")
	f.Add([]byte("\x00\x00\x00\x00\x07" + envoyLine))
	f.Add(zipped(f, []byte(envoyLine)))
	for _, r := range foundRecords(f) {
		f.Add([]byte(r.Record))
	}
	f.Add(toProto(f, []byte(oneSpan)))
	fuzz(f, Input{Format: "auto"})
}

// Any mapping of an operator is either rejected, or reads any record without a panic in bounded time.
func FuzzMapping(f *testing.F) {
	for _, name := range mapping.PresetNames() {
		text, err := mapping.Text(name)
		if err != nil {
			f.Fatal(err)
		}
		own := bytes.Replace(text, []byte("\nname: "), []byte("\nname: my_"), 1)
		for _, file := range fixtures(f) {
			if strings.Contains(file, "preset_"+name) {
				f.Add(own, records(f, file)[0])
			}
		}
	}
	f.Add([]byte(envoyAsMapping), []byte(envoyLineBench))
	f.Fuzz(func(t *testing.T, text, record []byte) {
		if len(text) > 8<<10 || len(record) > 16<<10 {
			return
		}
		own, err := mapping.Compile("mine.yaml", text)
		if err != nil {
			return
		}
		p, err := New(Options{Default: Input{Format: own.Name}, Mappings: []*mapping.Program{own}, Tenant: "t"}, nobody{}, nowhere{})
		if err != nil {
			return
		}
		calls, dead := p.Decode(&Record{Value: record, Timestamp: kafkaTime}, nil)
		for _, d := range dead {
			if d.Reason == Panicked {
				t.Errorf("%s\n%s", text, record)
			}
		}
		for i := range calls {
			if !utf8.ValidString(calls[i].Path) || len(calls[i].Attrs) > schema.MaxAttrs {
				t.Errorf("%+v", calls[i])
			}
		}
	})
}
