package decode

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// wraps are the envelopes of shippers.
var wraps = map[string]func(string) string{
	"filebeat": func(s string) string {
		return `{"@timestamp":"2026-10-02T09:30:17.000Z","@metadata":{"beat":"filebeat","type":"_doc"},"message":` + quote(s) + `,"log":{"offset":9,"file":{"path":"/var/log/x.log"}},"input":{"type":"filestream"},"agent":{"type":"filebeat"}}`
	},
	"fluent bit": func(s string) string {
		return `{"@timestamp":1790933417.5,"log":` + quote(s) + `,"stream":"stdout","_p":"F","kubernetes":{"pod_name":"gw-1"}}`
	},
	"vector": func(s string) string {
		return `{"file":"/var/log/x.log","host":"node-2","message":` + quote(s) + `,"source_type":"file","timestamp":"2026-10-02T09:30:17Z"}`
	},
	"docker": func(s string) string {
		return `{"log":` + quote(s+"\n") + `,"stream":"stdout","time":"2026-10-02T09:30:17.1Z"}`
	},
	"cri":    func(s string) string { return "2026-10-02T09:30:17.123456789Z stdout F " + s },
	"quoted": quote,
	"cloud event": func(s string) string {
		return `{"specversion":"1.0","type":"log","source":"/gw","id":"e","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`
	},
}

// A line in two envelopes gives the same call, and the call has the time of the line.
func TestEnvelopeWithinAnEnvelopeIsOpened(t *testing.T) {
	for outer, wrap := range wraps {
		for inner, first := range wraps {
			for what, line := range map[string]string{"json": envoyLine,
				"text": `[2026-10-02T09:30:15.417Z] "GET /a/1 HTTP/1.1" 200 - 0 5 12 1 "-" "x" "r-1" "h" "10.0.0.1:80"`} {
				value := []byte(wrap(first(line)))
				calls, dead, _ := decodeAuto(t, value)
				if len(calls) != 1 || len(dead) != 0 {
					t.Errorf("%s in %s in %s: %d calls, %v: %s", what, inner, outer, len(calls), reasons(dead), value)
					continue
				}
				if c := calls[0]; c.Path != "/a/1" || c.Status != 200 || c.DurationNs != 12_000_000 || c.RequestID != "r-1" ||
					c.StartTime().Format("05.000") != "15.417" {
					t.Errorf("%s in %s in %s: %s", what, inner, outer, AppendJSON(nil, &c))
				}
			}
		}
	}
}

// For every position of the bad item and every form of the list, the other items are calls with their index as number.
func TestEveryPlaceOfABadItem(t *testing.T) {
	for list, form := range map[string][3]string{"array": {"[", ",", "]"}, "records": {`{"records":[`, ",", "]}"}, "lines": {"", "\n", ""}} {
		for _, bad := range []string{`{}`, `{"a":"b"}`, `"what"`, `42`} {
			if list == "lines" && bad[0] != '{' {
				continue // bytes after an object on its line reject the object too
			}
			for at := range 4 {
				items := []string{envoyLine, envoyLine, envoyLine, envoyLine}
				items[at] = bad
				value := []byte(form[0] + strings.Join(items, form[1]) + form[2])
				calls, dead, _ := decodeAuto(t, value)
				if len(calls) != 3 || len(dead) != 1 || dead[0].Item != uint32(at) {
					t.Errorf("%s with %s at %d: %d calls, %v", list, bad, at, len(calls), reasons(dead))
					continue
				}
				for i, c := range calls {
					if want := uint32(i); c.Pos.Item != want && c.Pos.Item != want+1 || c.Pos.Item == uint32(at) {
						t.Errorf("%s with %s at %d: call %d is item %d", list, bad, at, i, c.Pos.Item)
					}
				}
			}
		}
	}
}

// The route rules decode escapes in a path. A secret behind escapes must be kept neither encoded nor decoded.
func TestSecretBehindEscapesIsNotKept(t *testing.T) {
	p := pipelineWithRules(t)
	for _, secret := range []string{"sk%5Flive%5F" + canary + "0123456789", "sk_live_" + canary + "0123456789", "gh%70_" + canary +
		"0123456789", "%65yJhbGciOiJub25lIn0.eyJzdWIiOiJ" + canary + "In0.c2ln", "token%3D" + canary, "AKIA0123456789ABCDEF" + canary} {
		for _, path := range []string{"/keys/%s", "/orders/%s/items/3", "/keys/%s.json", "//keys//%s/"} {
			for format, name := range map[string]string{"envoy": "path", "nginx": "request_uri", "otlp": "http.target"} {
				value := planted(format, name, fmt.Sprintf(strings.ReplaceAll(path, "%s", "%[1]s"), secret))
				calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: value}, nil)
				if len(calls) != 1 {
					t.Fatalf("%s: %v", value, reasons(dead))
				}
				if at := holds(reflect.ValueOf(calls[0]), "Call"); at != "" {
					t.Errorf("%s %s: %s holds it: %s", format, secret, at, AppendJSON(nil, &calls[0]))
				}
			}
		}
	}
}

// A path may contain any bytes behind its escapes. The results must be valid text.
func TestEscapedBytesOfAPathAreText(t *testing.T) {
	p := pipelineWithRules(t)
	for _, path := range []string{"/%ff/orders/%fe1", "/a/1.%2Fb", "/a/123.{x}", "/%00/%0a", "/%zz", "/a%3Fb%23c", "/{id}", "/%C3%28",
		"/p/http://h/orders/1", "/" + strings.Repeat("%ff", 3000)} {
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: patch(t, envoyLine, `"path":`+quote(path))}, nil)
		if len(calls) != 1 {
			t.Fatalf("%s: %v", path, reasons(dead))
		}
		c := calls[0]
		if at := invalid(reflect.ValueOf(c), "Call"); at != "" || !json.Valid(AppendJSON(nil, &c)) {
			t.Errorf("%s: %s is not UTF-8", path, at)
		}
		if n := strings.Count(c.RouteKey, "{}"); strings.Count(c.RouteKey, "{") != n || !strings.HasPrefix(c.RouteKey, "/") {
			t.Errorf("%s: key %q", path, c.RouteKey)
		}
	}
}

func BenchmarkEnvoyJSONWithRealRules(b *testing.B) {
	p := pipelineWithRules(b)
	rec := Record{Topic: "gateway-logs", Value: []byte(envoyLineBench), Timestamp: kafkaTime}
	calls, _ := p.Decode(&rec, nil)
	b.SetBytes(int64(len(envoyLineBench)))
	b.ReportAllocs()
	for b.Loop() {
		if calls, _ = p.Decode(&rec, calls[:0]); len(calls) != 1 {
			b.Fatal(len(calls))
		}
	}
}
