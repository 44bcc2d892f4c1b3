package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flyball/schema"
)

// Each row is a way to hide a path, with the reading of a known server.
func TestPathTricksAreReadAsServersReadThem(t *testing.T) {
	const closing = "/v1/accounts/7/close"
	for name, x := range map[string]struct {
		path      string
		first     string // displayed reading
		ambiguous bool   // the path that closes an account is only an ambiguous reading
	}{
		"dot segment":                    {"/v1/./accounts/7/close", closing, false},
		"parent segment":                 {"/v1/notes/../accounts/7/close", closing, false},
		"parent of a parent":             {"/v1/a/b/../../accounts/7/close", closing, false},
		"above the root":                 {"/../../v1/accounts/7/close", closing, false},
		"encoded dots":                   {"/v1/notes/%2e%2E/accounts/7/close", closing, false},
		"encoded dot":                    {"/v1/%2e/accounts/7/close", closing, false},
		"encoded letter":                 {"/v1/accounts/7/clos%65", closing, false},
		"double slash":                   {"/v1//accounts//7/close/./", closing, false},
		"trailing slash and a dot":       {"/v1/accounts/7/close/.", closing, false},
		"encoded slash after the parent": {"/v1/notes/..%2faccounts/7/close", "", true},
		"all slashes encoded":            {"/v1/notes%2f..%2faccounts%2f7%2fclose", "", true},
		"parameter of a parent segment":  {"/v1/notes/..;/accounts/7/close", "", true},
		"parameter with a value":         {"/v1/notes/..;a=b/accounts/7/close", "", true},
		"encoded twice":                  {"/v1/notes/%252e%252e/accounts/7/close", "", true},
		"encoded twice with the slashes": {"/v1/notes/%252e%252e%252faccounts/7/close", "", true},
		"encoded three times":            {"/v1/accounts/7/close%25252f", "", true},
		"backslashes":                    {`/v1/notes\..\accounts\7\close`, "", true},
		"encoded backslashes":            {"/v1/notes%5c..%5caccounts/7/close", "", true},
		"encoded slash between":          {"/v1/accounts/7%2fclose", "", true},
		"encoded slash at the end":       {"/v1/accounts/7/close%2f", "", true},
		"encoded blank at the end":       {"/v1/accounts/7/close%20", "", true},
		"NUL at the end":                 {"/v1/accounts/7/close%00", "", true},
		"NUL and an ending":              {"/v1/accounts/7/close%00.txt", "", true},
		"encoded question mark":          {"/v1/accounts/7/close%3fx=1", "", true},
		"encoded hash":                   {"/v1/accounts/7/close%23x", "", true},
		"encoded semicolon":              {"/v1/accounts/7/close%3bx", "", true},
		"slash in forbidden UTF-8":       {"/v1/notes/..%c0%afaccounts/7/close", "", true},
		"a whole address":                {"http://h/v1/x/../accounts/7/close", closing, false},
	} {
		list, readable := readPath(x.path)
		if !readable || len(list) == 0 {
			t.Errorf("%s: %s is not readable: %v", name, x.path, list)
			continue
		}
		at := slices.IndexFunc(list, func(r pathReading) bool { return r.Path == closing })
		if at < 0 || list[at].Ambiguous != x.ambiguous || x.first != "" && list[0].Path != x.first || list[0].Ambiguous {
			t.Errorf("%s: %s: %v", name, x.path, list)
		}
	}
}

// Ordinary paths of clients have one reading and need no allocation.
func TestOrdinaryPathsHaveOneReading(t *testing.T) {
	for _, path := range []string{"/", "/v1/orders/7", "/files/a.b.json", "/users/kim@example.org", "/a:b/c,d", "/a..b/c", "/é/ü", "//a//b/",
		"/Repos/X", "/a/*", "/~kim/(x)'!$&+="} {
		if list, readable := readPath(path); list != nil || !readable {
			t.Errorf("%s: %v", path, list)
		}
		if n := testing.AllocsPerRun(10, func() { readPath(path) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
	for _, path := range []string{"/search/hello%20world/x", "/caf%C3%A9/menu", "/users/kim%40example.org", "/a%2Cb/c%3Ad", "/orders;v=2/7",
		"/100%25/x", "/...", "/a/.hidden/b", "/%zz/x", "/a/b%"} {
		list, readable := readPath(path)
		if !readable || slices.ContainsFunc(list, func(r pathReading) bool { return r.Ambiguous }) {
			t.Errorf("%s: %v", path, list)
		}
	}
}

func TestPathsWithoutEndAreNotReadable(t *testing.T) {
	for _, path := range []string{"/" + strings.Repeat("a", MaxReadable), "/%2525252525252fx",
		`/a%255c..\..;x/%252e%252e/..;/b%2f../c%5cd/./e`} {
		list, readable := readPath(path)
		if len(list) > maxReadings || len(list) == 0 {
			t.Errorf("%.60s: %d readings", path, len(list))
		}
		if readable && len(path) > 100 {
			t.Errorf("%.60s is read", path)
		}
	}
}

func FuzzReadings(f *testing.F) {
	for _, s := range []string{"/a/../b", "/a%2f..%2fb", "/a/..;/b", `/a\..\b`, "/%252e%252e/x", "/%4%31", "/%2%35", "//h/x", "http://h/../x",
		"/a%00b", "/a%c0%afb", "/a/%", "/;", "/a;b/../c", "/\xff/..", "a/b", "/%5c%2f%3b%3f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		list, readable := readPath(path)
		if len(list) > maxReadings {
			t.Fatalf("%d readings", len(list))
		}
		if list == nil {
			if !readable {
				t.Fatal("nothing, and not readable")
			}
			return
		}
		first := list[0].Path
		if list[0].Ambiguous || !strings.HasPrefix(first, "/") {
			t.Fatalf("%q: first %q", path, first)
		}
		for i, r := range list {
			for _, other := range list[:i] {
				if other.Path == r.Path {
					t.Fatalf("%q: %q is there twice", path, r.Path)
				}
			}
		}
		// The first reading of the first reading is equal to it.
		if again, _ := readPath(first); again != nil && again[0].Path != first && len(first) <= MaxReadable {
			t.Fatalf("%q: %q, then %q", path, first, again[0].Path)
		}
		if twice, _ := readPath(path); twice[0] != list[0] || len(twice) != len(list) {
			t.Fatal("not the same twice")
		}
		for _, seg := range split(first, nil) {
			if (seg == "." || seg == "..") && !strings.Contains(first, ";") {
				t.Fatalf("%q: %q holds a dot segment", path, first)
			}
		}
	})
}

var closeRule = Rule{Method: "POST", Template: "/v1/accounts/{id}/close", Effect: schema.EffectDelete, Reversibility: schema.Irreversible}

// For every spelling of a path, the log contains the worst effect that the call may have had.
func TestHiddenPathIsNoMilderInTheLog(t *testing.T) {
	for _, path := range []string{"/v1/accounts/7/close", "/v1/notes/../accounts/7/close", "/v1/notes/..%2faccounts/7/close",
		"/v1/notes/..;/accounts/7/close", "/v1/notes/%252e%252e/accounts/7/close",
		`/v1/notes\..\accounts\7\close`, "/v1/accounts/7%2fclose", "/v1/accounts/7/close%2F", "/v1/accounts/7/close%20", "/V1/Accounts/7/CLOSE",
		"/v1/accounts/7/close.json", "/v1/accounts/7/close;x", "//v1//accounts/7/close/"} {
		c := classified("POST", path, "", "", closeRule)(t)
		if c.Reversibility != schema.Irreversible || !slices.ContainsFunc(c.Resources, func(r schema.Resource) bool {
			return r.String() == "account:7" || strings.Contains(path, "CLOSE") && r.ID == "7"
		}) {
			t.Errorf("%s: %s %s %v", path, c.Route, c.Reversibility, c.Resources)
		}
	}
}

// Project paths of GitLab and scoped packages of npm: the operator declares them as one
// segment.
func TestEncodedSlashOfADeclaredRouteIsNotAmbiguous(t *testing.T) {
	tb := table(t, Rule{Method: "DELETE", Template: "/projects/{id}/hooks/{hook}", Reversibility: schema.Irreversible},
		Rule{Method: "PUT", Template: "/{package}"})
	for method, path := range map[string]string{"DELETE": "/projects/group%2Fsub%2fproject/hooks/7", "PUT": "/@scope%2fname"} {
		c := schema.Call{Method: method, Path: path, OpKind: schema.OpHTTP}
		others, readable := tb.Readings(&c, &Input{})
		if !readable || slices.ContainsFunc(others, func(o Other) bool { return o.Ambiguous }) || c.RouteSource != schema.RouteFromConfig {
			t.Errorf("%s: %s %+v", path, c.Route, others)
		}
	}
	// A value with a parent segment is not a project path.
	c := schema.Call{Method: "DELETE", Path: "/projects/x%2f..%2fy/hooks/7", OpKind: schema.OpHTTP}
	if others, _ := tb.Readings(&c, &Input{}); !slices.ContainsFunc(others, func(o Other) bool { return o.Ambiguous }) {
		t.Errorf("%+v", others)
	}
	// If the decoded slash leads to another declared route, its effect counts too.
	two := table(t, closeRule, Rule{Method: "POST", Template: "/v1/accounts/{id}", Effect: schema.EffectUpdate})
	c = schema.Call{Method: "POST", Path: "/v1/accounts/7%2fclose", OpKind: schema.OpHTTP}
	if others, _ := two.Readings(&c, &Input{}); len(others) != 1 || others[0].Ambiguous ||
		others[0].Call.Reversibility != schema.Irreversible {
		t.Errorf("%+v", others)
	}
}

func TestMethodThatAHeaderOrAParameterNamesIsWeighed(t *testing.T) {
	for name, x := range map[string]struct {
		method string
		in     Input
	}{
		"header on POST": {"POST", Input{MethodOverride: "DELETE"}},
		"header on GET":  {"GET", Input{MethodOverride: "delete"}},
		"two headers":    {"POST", Input{MethodOverride: "GET, DELETE"}},
		"query":          {"POST", Input{RawQuery: "a=b&_method=delete"}},
		"encoded query":  {"GET", Input{RawQuery: "%5fmeth%6fd=%44ELETE"}},
		"query twice":    {"POST", Input{RawQuery: "_method=GET&_method=DELETE"}},
		"form":           {"POST", Input{Form: []byte("x=1&_method=DELETE")}},
		"multipart form": {"POST",
			Input{Form: []byte("--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--b--")}},
		"member of the body":       {"POST", Input{Args: []byte(`{"_method":"DELETE"}`)}},
		"a method that none knows": {"GET", Input{MethodOverride: "DELETE;x"}},
	} {
		c := schema.Call{Method: x.method, Path: "/v1/items/7", OpKind: schema.OpHTTP}
		table(t).Classify(&c, &x.in)
		want := schema.Irreversible
		if strings.Contains(name, "none knows") {
			want = schema.ReversibilityUnknown
		}
		if c.Reversibility != want || c.Attr(AttrMethodOverride) == "" || c.Method != x.method {
			t.Errorf("%s: %s %q", name, c.Reversibility, c.Attr(AttrMethodOverride))
		}
	}
	c := schema.Call{Method: "DELETE", Path: "/v1/items/7", OpKind: schema.OpHTTP}
	table(t).Classify(&c, &Input{MethodOverride: "GET"})
	if c.Reversibility != schema.Irreversible {
		t.Errorf("a header made a DELETE milder: %s", c.Reversibility)
	}
	c = schema.Call{Method: "POST", Path: "/v1/items/7", OpKind: schema.OpHTTP}
	if _, readable := table(t).Readings(&c, &Input{MethodOverride: "A,B,C,D,E"}); readable {
		t.Error("five other methods are said to be weighed")
	}
}

func TestHeaderOfMCPDoesNotMakeACallMilder(t *testing.T) {
	lists := Rule{Tool: "list_x", Effect: schema.EffectRead, Reversibility: schema.ReadOnly}
	for _, words := range [][2]string{{"ping", ""}, {"", "list_x"}, {"tools/call", "list_x"}, {"tools/list", "get_x"}} {
		for method, want := range map[string]schema.Reversibility{"DELETE": schema.Irreversible, "PUT": schema.Compensable,
			"POST": schema.Reversible} {
			c := schema.Call{Method: method, Path: "/v1/accounts/7", MCPMethod: words[0], ToolName: words[1], OpKind: schema.OpMCP}
			table(t, lists).Classify(&c, &Input{MCPSource: MCPClaimed})
			if severity[c.Reversibility] < severity[want] || c.ToolName != "" || c.Operation != method+" /v1/accounts/{id}" ||
				c.OpKind != schema.OpHTTP {
				t.Errorf("%s %v: %s %s %q", method, words, c.Reversibility, c.Effect, c.Operation)
			}
			if words[1] != "" && c.Attr(attrClaimedTool) != words[1] {
				t.Errorf("%v is not kept: %v", words, c.Attrs)
			}
		}
	}
	c := schema.Call{Method: "GET", Path: "/v1/accounts/7", MCPMethod: "tools/call", ToolName: "delete_account"}
	table(t).Classify(&c, &Input{MCPSource: MCPClaimed})
	if c.Reversibility != schema.Irreversible {
		t.Errorf("a header that makes it worse was not heard: %s", c.Reversibility)
	}
	// On a route that the operator declared as MCP, the claimed tool is the tool of the call.
	c = schema.Call{Method: "POST", Path: "/tools", MCPMethod: "tools/call", ToolName: "list_x"}
	table(t, lists, Rule{Template: "/tools", MCP: true}).Classify(&c, &Input{MCPSource: MCPClaimed})
	if c.Reversibility != schema.ReadOnly || c.ToolName != "list_x" {
		t.Errorf("declared as MCP: %s %q", c.Reversibility, c.ToolName)
	}
}

func worstOf(c schema.Call, others []Other) schema.Reversibility {
	Worsen(&c, others, true)
	return c.Reversibility
}

func TestBodyOfMCPDoesNotMakeACallMilder(t *testing.T) {
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_x","arguments":{}}}`
	const drop = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_x","arguments":{}}}`
	read := func(method, path, body string, rules ...Rule) (schema.Call, []Other) {
		c := schema.Call{Method: method, Path: path, OpKind: schema.OpHTTP}
		var in Input
		in.ReadBody(method, []byte(body))
		others, _ := table(t, rules...).Readings(&c, &in)
		return c, others
	}
	for _, x := range []struct {
		what, method, path, body string
		want                     schema.Reversibility
		rules                    []Rule
	}{
		{"ping on DELETE", "DELETE", "/v1/accounts/7", ping, schema.Irreversible, nil},
		{"ping on PUT", "PUT", "/v1/accounts/7", ping, schema.Compensable, nil},
		{"ping on DELETE of a declared MCP route", "DELETE", "/mcp", ping, schema.Irreversible, []Rule{{Template: "/mcp", MCP: true}}},
		{"ping on an undeclared POST", "POST", "/v1/accounts/7/refund", ping, schema.Irreversible, nil},
		{"a list on an undeclared POST", "POST", "/v1/notes", list, schema.Reversible, nil},
		{"a delete on an undeclared POST", "POST", "/v1/search", drop, schema.Irreversible, nil},
		{"a list on a declared route", "POST", "/v1/accounts/7/close", list, schema.Irreversible, []Rule{closeRule}},
		{"a list on a declared route that ends in mcp", "POST", "/close/mcp", list, schema.Irreversible,
			[]Rule{{Template: "/close/{id}", Reversibility: schema.Irreversible}}},
		{"a list where MCP is served", "POST", "/mcp", list, schema.ReadOnly, nil},
		{"a list where the operator says so", "POST", "/tools", list, schema.ReadOnly, []Rule{{Template: "/tools", MCP: true}}},
		{"a batch that hides a delete", "POST", "/mcp", "[" + ping + "," + drop + "]", schema.Irreversible, nil},
		{"a method twice", "POST", "/mcp", `{"jsonrpc":"2.0","method":"tools/call","method":"ping","params":{"name":"list_x"}}`,
			schema.ReversibilityUnknown, nil},
		{"a name twice", "POST", "/mcp", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete_x","Name":"list_x"}}`,
			schema.ReversibilityUnknown, nil},
	} {
		c, others := read(x.method, x.path, x.body, x.rules...)
		if got := worstOf(c, others); got != x.want {
			t.Errorf("%s: %s, want %s (%s %q, %d others)", x.what, got, x.want, c.Operation, c.ToolName, len(others))
		}
	}
	if c, others := read("POST", "/mcp", list); c.ToolName != "list_x" || c.OpKind != schema.OpMCP || len(others) != 0 {
		t.Errorf("an ordinary call of a tool: %q %s %d", c.ToolName, c.OpKind, len(others))
	}
	var in Input
	in.ReadBody("POST", []byte("["+strings.Repeat(ping+",", 20)+ping+"]"))
	c := schema.Call{Method: "POST", Path: "/mcp"}
	if _, readable := table(t).Readings(&c, &in); readable {
		t.Error("a batch of 21 is said to be weighed")
	}
}

// The name of a model in a record must not make a DELETE a read.
func TestModelDoesNotMakeACallMilder(t *testing.T) {
	for _, kind := range []schema.OpKind{schema.OpLLM, schema.OpAgentInvoke} {
		c := schema.Call{Method: "DELETE", Path: "/v1/files/7", OpKind: kind}
		table(t).Classify(&c, &Input{})
		if c.Reversibility != schema.Irreversible {
			t.Errorf("%s: %s", kind, c.Reversibility)
		}
		c = schema.Call{Method: "POST", Path: "/v1/chat/completions", OpKind: kind}
		table(t).Classify(&c, &Input{})
		if c.Reversibility != schema.ReadOnly {
			t.Errorf("%s by POST: %s", kind, c.Reversibility)
		}
	}
}

func TestPatternTakesAnySegmentForAParameter(t *testing.T) {
	p, err := ParsePattern("DELETE /v2/items/{id}")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/v2/items/7": true, "/v2/./items/7": true, "/v2/items/abc": true, "/v2/items/7.json": true,
		"/v2/items/0x7": true, "/v2/items/%2f7": true, "/v2/items/7%20": true,
		"/V2/Items/7": true, "/v2/items/x/../7": true, "/v2/items": false, "/v2/items/7/lines": false, "/v3/items/7": false} {
		if p.MatchesPath("DELETE", path) != want || p.MatchesPath("GET", path) {
			t.Errorf("%s: not %v", path, want)
		}
	}
}

func BenchmarkReadings(b *testing.B) {
	for _, path := range []string{"/v1/orders/48151623/items", "/v1/notes/../accounts/7/close", "/v1/notes/..%2faccounts/7/close"} {
		b.Run(fmt.Sprint(len(path)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				readPath(path)
			}
		})
	}
}
