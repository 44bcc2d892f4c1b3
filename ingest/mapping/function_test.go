package mapping

import (
	"maps"
	"strings"
	"testing"

	"flyball/ingest/fields"
)

// recording is a Sink that records its input as "field", "kept.NAME" or "header.NAME". refused contains the values that it does not
// accept.
type recording struct {
	got     map[string]string
	claimed map[string]bool
	refused string
}

func (r recording) Set(f Field, v fields.Value, with *With, _ string) bool {
	if v.Text() == "" || v.Text() == r.refused {
		return false
	}
	r.got[f.String()], r.claimed[f.String()] = v.Text(), with.Asserted
	return true
}
func (r recording) Header(p fields.Pair)             { r.got["header."+p.Name] = p.Val.Text() }
func (r recording) Known(p fields.Pair) bool         { return p.Key == "shared" }
func (r recording) Keep(name string, v fields.Value) { r.got["kept."+name] = v.Text() }

// runOn compiles these lines of set: of a mapping and runs the mapping on one JSON record.
func runOn(t *testing.T, set, more, record string) (recording, Match) {
	t.Helper()
	p, err := Compile("mine.yaml", []byte("version: 1\nname: mine\n"+more+"set:\n  status: code\n"+set))
	if err != nil {
		t.Fatal(err)
	}
	var keys fields.Keys
	pairs, _, err := keys.Object([]byte(record), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	sink := recording{map[string]string{}, map[string]bool{}, "refused"}
	match, _ := p.Run(pairs, &Memory{}, sink)
	return sink, match
}

func TestAFunctionOfAMappingGivesAnotherText(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for name, c := range map[string]struct{ expr, value, want string }{
		"split, the first":          {`split: ["/", 0]`, "a/b/c", "a"},
		"split, the last":           {`split: ["/", -1]`, "a/b/c", "c"},
		"split, one in between":     {`split: ["/", 1]`, "a/b/c", "b"},
		"split, from the end":       {`split: ["/", -2]`, "a/b/c", "b"},
		"split, past the end":       {`split: ["/", 3]`, "a/b/c", ""},
		"split, before the begin":   {`split: ["/", -4]`, "a/b/c", ""},
		"split, no separator":       {`split: ["/", -1]`, "abc", "abc"},
		"regex, its group":          {`regex: "v(\\d+)"`, "api-v12-x", "12"},
		"regex, no group":           {`regex: "v\\d+"`, "api-v12-x", "v12"},
		"regex, no match":           {`regex: "z(.)"`, "api", ""},
		"replace":                   {`replace: ["-+", "."]`, "a--b-c", "a.b.c"},
		"trim":                      {`trim: "<>"`, "<<a>b>", "a>b"},
		"lower":                     {`lower: true`, "ABC", "abc"},
		"word":                      {`strip_prefix_word: true`, "Bearer abc def", "abc def"},
		"word, a single one":        {`strip_prefix_word: true`, "abc", "abc"},
		"xray":                      {`fn: xray`, "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"},
		"xray, something else":      {`fn: xray`, "Root=1", ""},
		"traceparent_trace":         {`fn: traceparent_trace`, "00-" + trace + "-" + span + "-01", trace},
		"traceparent_span":          {`fn: traceparent_span`, "00-" + trace + "-" + span + "-01", span},
		"traceparent_span, of none": {`fn: traceparent_span`, "00-" + trace, ""},
		"baggage":                   {`fn: "baggage:agent"`, "user=a,agent=b%20c;p=1", "b c"},
		"baggage, no such member":   {`fn: "baggage:agent"`, "user=a", ""},
		"uri_host":                  {`fn: uri_host`, "https://api.example:8443/v1?x", "api.example:8443"},
		"not":                       {`not: ["none", "0"]`, "none", ""},
		"not, another":              {`not: ["none", "0"]`, "some", "some"},
		"map":                       {`map: {a: b}`, "a", "b"},
		"map, not in it":            {`map: {a: b}`, "c", ""},
		"map, all others":           {`map: {a: b, "*": d}`, "c", "d"},
		"several, in their order":   {`split: [" ", 1], lower: true, map: {get: GET, GET: wrong}`, "x GET y", "GET"},
		"list, the first":           {`list: first`, "-, b : c", "b"},
		"list, the last":            {`list: last`, "a, b : -", "b"},
		"list, how many":            {`list: count`, "a, -, c", "2"},
		"a secret is redacted":      {`split: ["=", -1]`, "api_key=abcdefghijklmnop", "[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := runOn(t, "  api: {from: a, "+c.expr+"}\n", "", `{"code":200,"a":"`+c.value+`"}`)
			if got.got["api"] != c.want {
				t.Errorf("%q, want %q", got.got["api"], c.want)
			}
		})
	}
}

// A JSON list gives the same parts as a list in a text.
func TestAListIsReadFromJSON(t *testing.T) {
	for list, want := range map[string]string{"first": "a", "last": "c", "count": "3"} {
		got, _ := runOn(t, "  api: {from: a, list: "+list+"}\n", "", `{"a":["a","b","c"]}`)
		if got.got["api"] != want {
			t.Errorf("%s: %q, want %q", list, got.got["api"], want)
		}
	}
	got, _ := runOn(t, "  duration: {from: a, list: sum, unit: ms}\n", "", `{"a":[1,2]}`)
	if got.got["duration"] != "1,2" {
		t.Errorf("a sum keeps its parts, since each has the unit: %q", got.got["duration"])
	}
}

// The first source with a value is used; absent values, null and values that the sink does not accept are skipped.
func TestTheFirstWayThatGivesAValueWins(t *testing.T) {
	const set = "  api:\n  - {from: [a, b.c]}\n  - {template: \"{d}/{e}\"}\n  - {value: constant}\n"
	for record, want := range map[string]string{
		`{"a":"1","b":{"c":"2"}}`:               "1",
		`{"a":null,"b":{"c":"2"}}`:              "2",
		`{"a":"refused","b.c":"3"}`:             "3",
		`{"b":"{\"c\":\"in text\"}"}`:           "in text",
		`{"b":"{\"c\":\"in text\"} more"}`:      "constant",
		`{"d":"x","e":"y"}`:                     "x/y",
		`{"d":"x"}`:                             "constant",
		`{"b":{"c":"2"},"b.c":"dots win"}`:      "dots win",
		`{"b.c":"dots win","b":{"c":"nested"}}`: "dots win",
	} {
		if got, _ := runOn(t, set, "", record); got.got["api"] != want {
			t.Errorf("%s: %q, want %q", record, got.got["api"], want)
		}
	}
}

// A value in request headers is a claim of the caller, under any path.
func TestAValueOfARequestHeaderIsAClaim(t *testing.T) {
	const more = "headers: [req.h, \"hdr_*\"]\n"
	for path, claim := range map[string]bool{
		"req.h.x": true, "hdr_x": true, "headers.x": true, "a.request_headers.x": true, "http_x_agent_id": true,
		"request_header_x": true, "req.method": false, "response_headers.x": false, "consumer": false,
	} {
		at := strings.Split(path, ".")
		record := `"v"`
		for i := len(at) - 1; i >= 0; i-- {
			record = `{"` + at[i] + `":` + record + `}`
		}
		for kind, expr := range map[string]string{"path": path, "template": `{template: "{` + path + `}"}`} {
			got, _ := runOn(t, "  agent_id: "+expr+"\n", more, record)
			if got.got["agent_id"] != "v" || got.claimed["agent_id"] != claim {
				t.Errorf("%s as a %s: %q, claimed %v, want %v", path, kind, got.got["agent_id"], got.claimed["agent_id"], claim)
			}
		}
	}
}

func TestARunSaysWhatCameOfARecord(t *testing.T) {
	const more = "unwrap: [inner]\nwhen: [{field: kind, not_in: [probe]}]\nignore: [{field: path, prefix: /health}]\n" +
		"headers: [h]\nmembers: known\nattrs: [region, \"*\"]\ndrop: [noise]\n"
	for record, c := range map[string]struct {
		match Match
		got   map[string]string
	}{
		`{"code":200,"kind":"call"}`:                           {Mapped, map[string]string{"status": "200"}},
		`{"code":200,"kind":"probe"}`:                          {Unlike, nil},
		`{"code":200,"path":"/health/x"}`:                      {Ignored, nil},
		`{"code":200,"inner":"GET / 200"}`:                     {Wrapped, nil},
		`{"code":200,"inner":3}`:                               {Mapped, map[string]string{"status": "200"}},
		`{"code":200,"h":{"X-A":"1"}}`:                         {Mapped, map[string]string{"status": "200", "header.X-A": "1"}},
		`{"code":1,"region":"eu","noise":1,"shared":1,"un":2}`: {Mapped, map[string]string{"status": "1", "kept.region": "eu", "kept.un": "2"}},
	} {
		got, match := runOn(t, "", more, record)
		if match != c.match || c.got != nil && !maps.Equal(got.got, c.got) {
			t.Errorf("%s: %v %v, want %v %v", record, match, got.got, c.match, c.got)
		}
	}
}

// Memory that was used for a record contains none of its values for the next one.
func TestAMemoryKeepsNothingOfTheRecordBefore(t *testing.T) {
	p, err := Compile("mine.yaml", []byte("version: 1\nname: mine\nset:\n  status: code\n  api: deep.name\n"))
	if err != nil {
		t.Fatal(err)
	}
	var keys fields.Keys
	var m Memory
	for _, record := range []string{`{"code":200,"deep":{"name":"a"}}`, `{"code":201}`} {
		pairs, _, err := keys.Object([]byte(record), 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		sink := recording{map[string]string{}, map[string]bool{}, ""}
		p.Run(pairs, &m, sink)
		if sink.got["status"] == "201" && sink.got["api"] != "" {
			t.Errorf("%v: the name is the first record's", sink.got)
		}
	}
	m.Forget()
	for i, v := range m.vals[:cap(m.vals)] {
		if v.Raw != nil {
			t.Errorf("value %d holds %q after Forget", i, v.Raw)
		}
	}
}

func TestALineIsReadByItsGroups(t *testing.T) {
	p, err := Compile("mine.yaml", []byte("version: 1\nname: mine\nlogfmt: rest\n"+
		`line: '^(?P<code>\d+) "(?P<path>(?:[^"\\]|\\.)*)" (?P<rest>.*)$'`+
		"\nset:\n  status: code\n  path: path\n  user_agent: agent\n  host: Host\n"))
	if err != nil {
		t.Fatal(err)
	}
	var m Memory
	pairs, ok := p.Match(`200 "/a\"b" agent="x \"y\" z" flag Host=h empty=`, &m)
	if !ok {
		t.Fatal("no match")
	}
	sink := recording{map[string]string{}, map[string]bool{}, ""}
	if match, _ := p.Run(pairs, &m, sink); match != Mapped {
		t.Error(match)
	}
	want := map[string]string{"status": "200", "path": `/a"b`, "user_agent": `x "y" z`, "host": "h"}
	if !maps.Equal(sink.got, want) {
		t.Errorf("%q, want %q", sink.got, want)
	}
	if _, ok := p.Match(`200 /a`, &m); ok {
		t.Error("a line of another form matches")
	}
}

func TestARecordIsRecognisedByItsMembers(t *testing.T) {
	p, err := Compile("mine.yaml", []byte("version: 1\nname: mine\nrecognise: [[a, \"b=1\"], [\"c^=x/\"]]\nset:\n  status: a\n"))
	if err != nil {
		t.Fatal(err)
	}
	for record, want := range map[string]bool{
		`{"a":1,"b":1}`: true, `{"a":1,"b":2}`: false, `{"b":1}`: false, `{"c":"x/y"}`: true, `{"c":"y"}`: false, `{}`: false,
	} {
		var keys fields.Keys
		pairs, _, err := keys.Object([]byte(record), 0, nil)
		if err != nil || p.Recognises(pairs) != want {
			t.Errorf("%s: %v, want %v (%v)", record, !want, want, err)
		}
	}
}
