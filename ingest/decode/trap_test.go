package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
)

const (
	envoyLine = `{"start_time":"2026-10-02T09:30:15.417Z","method":"GET","path":"/a/1","response_code":200,"response_flags":"-","duration":12,"user_agent":"x","request_id":"r-1"}`
	nginxLine = `{"msec":"1790933415.623","request_method":"GET","request_uri":"/n","status":"200","request_time":"0.251"}`
)

func patch(t testing.TB, line string, fields string) []byte {
	t.Helper()
	return []byte(line[:len(line)-1] + "," + fields + "}")
}

func oneCall(t *testing.T, value []byte) (schema.Call, *seen) {
	t.Helper()
	calls, dead, s := decodeAuto(t, value)
	wantCalls(t, calls, dead, 1)
	return calls[0], s
}

func TestBadRecordsAreDeadLettersWithAReason(t *testing.T) {
	random := make([]byte, 4096)
	rand.New(rand.NewSource(7)).Read(random)
	random[0] = 0xC3
	deep := []byte(strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65))
	for name, c := range map[string]struct {
		value  []byte
		reason Reason
	}{
		"zero bytes":         {[]byte{}, Empty},
		"spaces":             {[]byte(" \r\n\t "), Empty},
		"only a BOM":         {[]byte("\xef\xbb\xbf"), Empty},
		"10 MB":              {bytes.Repeat([]byte("x"), 10<<20), TooLarge},
		"random bytes":       {random, UnknownFormat},
		"truncated JSON":     {[]byte(envoyLine[:80]), NotJSON},
		"no quote":           {[]byte(`{"a":"b`), NotJSON},
		"deep JSON":          {deep, TooDeep},
		"deep list":          {[]byte(strings.Repeat("[", 100_000)), TooDeep},
		"deep in a record":   {patch(t, envoyLine, `"x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)), TooDeep},
		"a number":           {[]byte("42"), UnknownFormat},
		"a line of gin":      {[]byte(`[GIN-debug] GET /orders --> main.list (3 handlers)`), UnknownFormat},
		"a sentence":         {[]byte("the disk is full"), UnknownFormat},
		"an empty object":    {[]byte("{}"), UnknownFormat},
		"an empty list":      {[]byte("[]"), NoItems},
		"an unknown object":  {[]byte(`{"level":"info","msg":"started"}`), UnknownFormat},
		"no status, no path": {[]byte(`{"start_time":"2026-10-02T09:30:15Z","response_flags":"-"}`), NotAnAccessLog},
		"broken gzip":        {[]byte("\x1f\x8b\x08\x00garbage"), UnknownFormat},
		"too many fields":    {[]byte(`{"a":1` + manyFields(600) + `}`), TooMany},
		"a string in two":    {[]byte(`"a" "b"`), TrailingData},
		"after a list":       {[]byte(`[` + envoyLine + `]x`), TrailingData},
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead, _ := decodeAuto(t, c.value)
			if c.reason == Empty && len(c.value) > 0 {
				c.value = dead[0].Value
			}
			wantDead(t, calls, dead, c.reason, c.value)
		})
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":1`, i)
	}
	return b.String()
}

func TestTombstoneIsNothing(t *testing.T) {
	calls, dead, _ := decodeAuto(t, nil)
	wantCalls(t, calls, dead, 0)
}

// Only the date is missing. A call without a time cannot be put into a run.
func TestNoTimeAnywhereIsADeadLetter(t *testing.T) {
	value := []byte(`{"method":"GET","path":"/a","response_code":200,"response_flags":"-"}`)
	p := newPipeline(t, Options{}, &seen{})
	calls, dead := p.Decode(&Record{Value: value}, nil)
	wantDead(t, calls, dead, NoTime, value)
	calls, dead = p.Decode(&Record{Value: value, Timestamp: kafkaTime}, nil)
	wantCalls(t, calls, dead, 1)
	if calls[0].TSBasis != schema.BasisKafka || calls[0].Start != kafkaTime {
		t.Errorf("%s %d", calls[0].TSBasis, calls[0].Start)
	}
}

func TestJSON64DeepIsRead(t *testing.T) {
	c, _ := oneCall(t, patch(t, envoyLine, `"x":`+strings.Repeat("[", 62)+strings.Repeat("]", 62)))
	if c.Path != "/a/1" {
		t.Error(c.Path)
	}
}

func TestTolerance(t *testing.T) {
	for name, c := range map[string]struct {
		value []byte
		check func(schema.Call) bool
	}{
		"BOM":               {[]byte("\xef\xbb\xbf" + envoyLine), func(c schema.Call) bool { return c.Path == "/a/1" }},
		"CRLF":              {[]byte(envoyLine + "\r\n"), func(c schema.Call) bool { return c.Status == 200 }},
		"line feeds before": {[]byte("\n\n" + envoyLine), func(c schema.Call) bool { return c.Status == 200 }},
		"invalid UTF-8": {patch(t, envoyLine, "\"user_agent\":\"a\xff\xfeb\""),
			func(c schema.Call) bool { return c.UserAgent == "a\uFFFDb" }},
		"lone surrogate": {patch(t, envoyLine, `"user_agent":"a\ud800b"`),
			func(c schema.Call) bool { return utf8.ValidString(c.UserAgent) && c.UserAgent != "" }},
		"raw control character": {patch(t, envoyLine, "\"user_agent\":\"a\\\"\x01b\""),
			func(c schema.Call) bool { return c.UserAgent == "a\"\x01b" }},
		"unknown escape": {patch(t, envoyLine, `"user_agent":"a\x22b"`), func(c schema.Call) bool { return c.UserAgent == `a\x22b` }},
		"a path of 1e6 bytes": {patch(t, envoyLine, `"path":"/`+strings.Repeat("é", 500_000)+`"`), func(c schema.Call) bool {
			return len(c.Path) <= schema.MaxPath && len(c.Path) > schema.MaxPath-3 && utf8.ValidString(c.Path)
		}},
		"duplicate keys": {patch(t, envoyLine, `"path":"/b","method":"PUT","path":"/c"`),
			func(c schema.Call) bool { return c.Path == "/c" && c.Method == "PUT" }},
		"duplicate key, null": {patch(t, envoyLine, `"user_agent":null`), func(c schema.Call) bool { return c.UserAgent == "" }},
		"duplicate attribute": {patch(t, envoyLine, `"team":"a","x":1,"team":"b"`), func(c schema.Call) bool {
			return len(c.Attrs) == 2 && c.Attrs[0] == schema.Attr{Key: "team", Value: "b"}
		}},
		"two spellings, one null": {patch(t, envoyLine, `"user-agent":null`), func(c schema.Call) bool { return c.UserAgent == "x" }},
		"NaN": {patch(t, envoyLine, `"duration":NaN,"bytes_sent":-Infinity,"bytes_received":Infinity`),
			func(c schema.Call) bool { return c.DurationNs == -1 && c.BytesOut == 0 && c.BytesIn == 0 }},
		"NaN as text": {patch(t, envoyLine, `"duration":"NaN","bytes_sent":"inf","response_code":"NaN"`),
			func(c schema.Call) bool { return c.DurationNs == -1 && c.BytesOut == 0 && c.Status == 0 }},
		"2^63": {patch(t, envoyLine, `"bytes_sent":9223372036854775808,"duration":9223372036854775807`),
			func(c schema.Call) bool { return c.BytesOut == 0 && c.DurationNs == -1 }},
		"2^63-1": {patch(t, envoyLine, `"bytes_sent":"9223372036854775807"`),
			func(c schema.Call) bool { return c.BytesOut == 1<<63-1 }},
		"negative duration": {patch(t, envoyLine, `"duration":-1,"bytes_sent":-5`),
			func(c schema.Call) bool { return c.DurationNs == -1 && c.BytesOut == 0 && c.EndNs() == c.Start }},
		"duration of an age":  {patch(t, envoyLine, `"duration":99999999999999`), func(c schema.Call) bool { return c.DurationNs == -1 }},
		"duration of nothing": {patch(t, envoyLine, `"duration":0`), func(c schema.Call) bool { return c.DurationNs == 0 }},
		"fraction of a unit":  {patch(t, envoyLine, `"duration":0.5`), func(c schema.Call) bool { return c.DurationNs == 500_000 }},
		"exponent":            {patch(t, envoyLine, `"duration":1.25e3`), func(c schema.Call) bool { return c.DurationNs == 1_250_000_000 }},
		"numbers as text": {patch(t, envoyLine, `"response_code":"404","bytes_sent":"12","duration":"7"`),
			func(c schema.Call) bool { return c.Status == 404 && c.BytesOut == 12 && c.DurationNs == 7_000_000 }},
		"status of no kind": {patch(t, envoyLine, `"response_code":70000`),
			func(c schema.Call) bool { return c.Status == 200 || c.Status == 0 }},
		"nulls": {patch(t, envoyLine,
			`"user_agent":null,"request_id":null,"upstream_cluster":null,"x_agent_id":null,"team":null`),
			func(c schema.Call) bool { return c.RequestID == "" && len(c.Attrs) == 0 }},
		"sentinels": {patch(t, envoyLine, `"user_agent":"-","request_id":"","authority":"unknown","team":"<no value>"`),
			func(c schema.Call) bool { return c.UserAgent == "" && c.Host == "" && len(c.Attrs) == 0 }},
		"spaces around": {patch(t, envoyLine, `"user_agent":"  a b  "`), func(c schema.Call) bool { return c.UserAgent == "a b" }},
		"header as a list": {patch(t, envoyLine, `"user_agent":["a","b"],"request_id":["q"]`),
			func(c schema.Call) bool { return c.UserAgent == "a" && c.RequestID == "q" }},
		"empty list": {patch(t, envoyLine, `"user_agent":[],"request_id":[[1]]`),
			func(c schema.Call) bool { return c.UserAgent == "" && c.RequestID == "" }},
		"lower-case method": {patch(t, envoyLine, `"method":"patch"`), func(c schema.Call) bool { return c.Method == "PATCH" }},
		"method of no kind": {patch(t, envoyLine, `"method":"G\u0000T /x"`), func(c schema.Call) bool { return c.Method == "_OTHER" }},
		"escaped key":       {patch(t, envoyLine, `"user\u005fagent":"esc"`), func(c schema.Call) bool { return c.UserAgent == "esc" }},
		"a thousand attributes": {patch(t, envoyLine, manyFields(400)[1:]),
			func(c schema.Call) bool { return len(c.Attrs) == schema.MaxAttrs }},
		"a long attribute": {patch(t, envoyLine, `"team":"`+strings.Repeat("€", 1000)+`"`), func(c schema.Call) bool {
			return len(c.Attrs[0].Value) <= schema.MaxAttrValue && utf8.ValidString(c.Attrs[0].Value)
		}},
		"a query of many names": {patch(t, envoyLine, `"path":"/q?`+strings.Repeat("a=1&", 1000)+`"`),
			func(c schema.Call) bool { return len(c.QueryKeys) == maxQueryKeys && c.Path == "/q" }},
		"packed": {zipped(t, []byte(envoyLine)), func(c schema.Call) bool { return c.Path == "/a/1" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := oneCall(t, c.value)
			if !c.check(got) {
				t.Errorf("%s", AppendJSON(nil, &got))
			}
			if !json.Valid(AppendJSON(nil, &got)) {
				t.Error("its JSON is none")
			}
		})
	}
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAPackedBombIsNotUnpacked(t *testing.T) {
	value := zipped(t, bytes.Repeat([]byte(" "), 64<<20))
	calls, dead, _ := decodeAuto(t, value)
	wantDead(t, calls, dead, TooLarge, value)
}

func TestOneRecordHoldsManyCalls(t *testing.T) {
	for name, value := range map[string]string{
		"list":    "[" + envoyLine + "," + nginxLine + "," + envoyLine + "]",
		"lines":   envoyLine + "\n" + nginxLine + "\n" + envoyLine,
		"azure":   `{"records":[` + envoyLine + "," + nginxLine + "," + envoyLine + "]}",
		"strings": "[" + quote(envoyLine) + "," + quote(nginxLine) + "," + quote(envoyLine) + "]",
		"text":    strings.Repeat(`[2026-10-02T09:30:15.417Z] "GET / HTTP/1.1" 200 - 0 0 1 1 "-" "-" "-" "h" "-"`+"\n", 3),
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead, _ := decodeAuto(t, []byte(value))
			wantCalls(t, calls, dead, 3)
			for i, c := range calls {
				if c.Pos != (schema.Position{Offset: 41, Item: uint32(i)}) {
					t.Errorf("call %d is at %+v", i, c.Pos)
				}
			}
		})
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A bad item is rejected alone: the items before and after it are calls, and its number is its index.
func TestOneBadItemDoesNotTakeTheOthersWithIt(t *testing.T) {
	bad := `{"level":"info"}`
	for name, value := range map[string]string{
		"list":  "[" + envoyLine + "," + bad + "," + envoyLine + "]",
		"lines": envoyLine + "\n" + bad + "\n" + envoyLine,
		"cut":   envoyLine + "\n" + envoyLine[:50] + "\n" + envoyLine,
		"glued": envoyLine + "\n" + envoyLine + "x\n" + envoyLine,
	} {
		t.Run(name, func(t *testing.T) {
			calls, dead, _ := decodeAuto(t, []byte(value))
			if len(calls) != 2 || len(dead) != 1 || calls[0].Pos.Item != 0 || dead[0].Item != 1 || calls[1].Pos.Item != 2 {
				t.Fatalf("%d calls, %v", len(calls), reasons(dead))
			}
			if name == "list" && string(dead[0].Value) != bad {
				t.Errorf("kept %q", dead[0].Value)
			}
		})
	}
}

func TestMoreItemsThanOneRecordMayHold(t *testing.T) {
	p := newPipeline(t, Options{MaxItems: 10}, &seen{})
	for name, value := range map[string]string{"lines": strings.Repeat(envoyLine+"\n", 30), "list": "[" + envoyLine +
		strings.Repeat(","+envoyLine, 29) + "]",
		"text": strings.Repeat("nonsense\n", 30), "bad": strings.Repeat("{}\n", 30)} {
		calls, dead := p.Decode(&Record{Value: []byte(value), Timestamp: 1}, nil)
		if n := len(dead); len(calls)+n != 11 || dead[n-1].Reason != TooMany || dead[n-1].Item != 10 {
			t.Errorf("%s: %d calls, %v", name, len(calls), reasons(dead))
		}
	}
}

// A record that is read twice gives the same calls at the same positions, by which stored calls are recognised.
func TestReadTwiceIsTheSameTwice(t *testing.T) {
	for _, file := range fixtures(t) {
		for _, r := range records(t, file) {
			a, deadA, _ := decodeAuto(t, bytes.Clone(r))
			b, deadB, _ := decodeAuto(t, bytes.Clone(r))
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(deadA, deadB) {
				t.Errorf("%s", file)
			}
		}
	}
}

// A pipeline reuses memory: no value of one record may appear in the next one.
func TestNothingIsLeftOfTheRecordBefore(t *testing.T) {
	p := newPipeline(t, Options{}, &seen{})
	plain := []byte(`{"start_time":"2026-10-02T09:30:15Z","method":"GET","path":"/x","response_code":200}`)
	want, _ := p.Decode(&Record{Value: plain}, nil)
	for _, file := range fixtures(t) {
		for _, r := range records(t, file) {
			p.Decode(&Record{Value: r, Timestamp: 1}, nil)
			if got, _ := p.Decode(&Record{Value: plain}, nil); !reflect.DeepEqual(got, want) {
				t.Fatalf("after %s: %+v", file, got)
			}
		}
	}
}

// Records with only the members by which a gateway's format is recognised.
func TestNoGatewayIsMistakenForAnother(t *testing.T) {
	for name, value := range map[string]string{
		"kong_json":         `{"started_at":1790933415000,"latencies":{"request":3,"kong":1,"proxy":2},"request":{"method":"GET","uri":"/x"},"response":{"status":200},"client_ip":"10.0.0.1"}`,
		"apisix":            `{"start_time":1790933415000,"latency":1.5,"apisix_latency":1,"request":{"uri":"/x","method":"GET"},"response":{"status":200}}`,
		"tyk":               `{"timestamp":"2026-10-02T09:30:15Z","method":"GET","path":"/x","response_code":200,"request_time_ms":3,"api_id":"a"}`,
		"traefik_json":      `{"StartUTC":"2026-10-02T09:30:15Z","time":"2026-10-02T09:30:16Z","DownstreamStatus":200,"RequestMethod":"GET","RequestPath":"/x","Duration":5}`,
		"caddy":             `{"level":"info","ts":1790933415.5,"logger":"http.log.access","request":{"method":"GET","uri":"/x"},"resp_headers":{},"duration":0.1,"status":200}`,
		"aws_apigw":         `{"requestId":"r","requestTime":"02/Oct/2026:09:30:15 +0000","httpMethod":"GET","resourcePath":"/x/{id}","status":"200"}`,
		"gcp_lb":            `{"httpRequest":{"requestMethod":"GET","status":200},"logName":"l","timestamp":"2026-10-02T09:30:15Z"}`,
		"cloudflare":        `{"EdgeStartTimestamp":"2026-10-02T09:30:15Z","ClientRequestMethod":"GET","EdgeResponseStatus":200}`,
		"agentgateway_json": `{"level":"info","time":"2026-10-02T09:30:15Z","scope":"request","http.method":"GET","http.status":200,"duration":"3ms"}`,
		"litellm":           `{"id":"c","call_type":"completion","status":"success","startTime":1790933415.5,"response_cost":0.1}`,
	} {
		calls, dead, _ := decodeAuto(t, []byte(value))
		if len(calls) != 1 || len(dead) != 0 || calls[0].Format != name+"/1" {
			t.Errorf("%s: %v, %v", name, calls, reasons(dead))
		}
	}
}

func TestPartialLinesAreJoined(t *testing.T) {
	cri := func(flag, part string) string {
		return "2026-10-02T09:30:16.456123456Z stdout " + flag + " " + part + "\n"
	}
	calls, dead, _ := decodeAuto(t, []byte(cri("P", envoyLine[:30])+cri("P", envoyLine[30:60])+cri("F", envoyLine[60:])+cri("F", envoyLine)))
	wantCalls(t, calls, dead, 2)
	calls, dead, _ = decodeAuto(t, []byte(cri("F", envoyLine)+cri("P", envoyLine[:30])))
	if len(calls) != 1 || len(dead) != 1 || dead[0].Reason != PartialLine || dead[0].Item != 1 {
		t.Fatalf("%d calls, %v", len(calls), reasons(dead))
	}
}

// A configured JSON format is read without the members by which it is recognised.
func TestConfiguredFormatIsReadWithoutItsFingerprint(t *testing.T) {
	calls, dead := with(t, Input{Format: "envoy_json"}, []byte(`{"time":"2026-10-02T09:30:15Z","path":"/only","status":"201"}`))
	wantCalls(t, calls, dead, 1)
	if calls[0].Status != 201 || calls[0].Path != "/only" {
		t.Errorf("%+v", calls[0])
	}
	calls, dead = with(t, Input{Format: "envoy_json"}, []byte(`{"@timestamp":"2026-10-02T09:30:16Z","message":`+quote(envoyLine)+`}`))
	wantCalls(t, calls, dead, 1)
}

func TestConfigurationThatCannotBeMeantIsRefused(t *testing.T) {
	for _, in := range [...]Input{{Format: "envoy"}, {Signal: "metrics"}, {Timezone: "Mars/Olympus"}} {
		if _, err := New(Options{Inputs: map[string]Input{"t": in}}, &seen{}, &seen{}); err == nil || !strings.Contains(err.Error(), "t") {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

type broken struct{ seen }

func (*broken) Resolve(*identity.Evidence, *schema.Call) { panic("secret-in-a-panic") }

// A panic rejects one record, does not show its content and leaves no part of its result.
func TestAFaultCostsOneRecord(t *testing.T) {
	p, err := New(Options{}, &broken{}, &seen{})
	if err != nil {
		t.Fatal(err)
	}
	before := []schema.Call{{Path: "/before"}}
	calls, dead := p.Decode(&Record{Value: []byte(envoyLine + "\n" + envoyLine)}, before)
	if len(calls) != 1 || len(dead) != 1 || dead[0].Reason != Panicked || strings.Contains(dead[0].Detail, "secret") {
		t.Fatalf("%d calls, %v", len(calls), reasons(dead))
	}
}

func TestReasonsAreAClosedSet(t *testing.T) {
	known := map[Reason]bool{}
	for _, r := range Reasons() {
		if known[r] || r == "" {
			t.Errorf("%q twice, or empty", r)
		}
		known[r] = true
	}
}

// All partitions share one pipeline.
func TestManyPartitionsAtOnce(t *testing.T) {
	p := pipelineWithRules(t)
	var all [][]byte
	for _, file := range fixtures(t) {
		all = append(all, records(t, file)...)
	}
	want := make([][]schema.Call, len(all))
	for i, r := range all {
		want[i], _ = p.Decode(&Record{Value: r, Timestamp: kafkaTime}, nil)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range all {
				i = (i + g*7) % len(all)
				if got, _ := p.Decode(&Record{Value: all[i], Timestamp: kafkaTime}, nil); !reflect.DeepEqual(got, want[i]) {
					t.Errorf("record %d is another when others are read beside it", i)
				}
			}
		})
	}
	wg.Wait()
}

// Strings of calls share the memory of their record. A later use of the same slice must not change them.
func TestCallsOfOneRecordAreNotChangedByTheNext(t *testing.T) {
	p := pipelineWithRules(t)
	a, _ := p.Decode(&Record{Value: patch(t, envoyLine, `"team":"one","X-Other":"first"`), Timestamp: kafkaTime}, nil)
	before := string(AppendJSON(nil, &a[0]))
	both, _ := p.Decode(&Record{Value: patch(t, envoyLine, `"team":"two","X-Other":"second"`), Timestamp: kafkaTime}, a)
	if len(both) != 2 || string(AppendJSON(nil, &both[0])) != before {
		t.Errorf("%s became %s", before, AppendJSON(nil, &both[0]))
	}
}

// The producer of a topic changes its format. With auto the records are read, with a configured format they are rejected with a reason.
// No record stops the next one.
func TestAProducerSwitchesItsFormatInMidTopic(t *testing.T) {
	both := []string{envoyLine, `10.9.1.17 - - [02/Oct/2026:09:30:15 +0000] "GET /x HTTP/1.1" 200 19`, nginxLine, envoyLine}
	for format, want := range map[string]string{"auto": "4 calls, 0 dead", "envoy_json": "2 calls, 2 dead", "combined": "1 calls, 3 dead",
		"nginx_json": "1 calls, 3 dead"} {
		s := &seen{}
		p := newPipeline(t, Options{Default: Input{Format: format}}, s)
		calls, dead := 0, 0
		for _, line := range both {
			c, d := p.Decode(&Record{Value: []byte(line), Timestamp: kafkaTime}, nil)
			calls, dead = calls+len(c), dead+len(d)
		}
		if got := fmt.Sprintf("%d calls, %d dead", calls, dead); got != want {
			t.Errorf("%s: %s, want %s", format, got, want)
		}
	}
}

// A mapping that reads a credential, a user, a certificate or token claims from request headers sets only claims of the caller.
func TestAMappingOfHeadersEstablishesNothing(t *testing.T) {
	own, err := mapping.Compile("mine.yaml", []byte(`
version: 1
name: mine
set:
  start_time: at
  status: code
  credential_id: {from: headers.x-key-id, kind: consumer}
  remote_user: headers.x-user
  peer: headers.x-peer
  token_subject: headers.x-sub
  token_client: headers.x-client
  token_actor: headers.x-act
  claims: headers.x-claims
  agent_id: headers.x-agent
  principal_id: headers.x-principal
`))
	if err != nil {
		t.Fatal(err)
	}
	rules := pipelineWithRules(t)
	p, err := New(Options{Default: Input{Format: "mine"}, Mappings: []*mapping.Program{own}, Tenant: "acme"}, rules.id, rules.rt)
	if err != nil {
		t.Fatal(err)
	}
	calls, dead := p.Decode(&Record{Timestamp: kafkaTime,
		Value: []byte(`{"at":1790933415417,"code":200,"headers":{"x-key-id":"admin","x-user":"root","x-peer":"spiffe://a/b","x-sub":"root","x-client":"admin","x-act":"admin","x-claims":"{\"sub\":\"root\",\"act\":{\"sub\":\"admin\"}}","x-agent":"admin","x-principal":"root"}}`)}, nil)
	if len(calls) != 1 || len(dead) != 0 {
		t.Fatal(calls, dead)
	}
	c := calls[0]
	if c.AgentTrust > schema.TrustAsserted || c.CredentialTrust > schema.TrustAsserted || c.PrincipalTrust > schema.TrustAsserted ||
		!strings.HasPrefix(c.CredentialID, "k_") || len(c.ActorChain) != 0 {
		t.Errorf("%s", AppendJSON(nil, &c))
	}
}
