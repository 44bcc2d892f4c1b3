package route

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/schema"
)

func rows(t *testing.T, name string, each func(line string)) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			each(s.Text())
		}
	}
}

func table(t testing.TB, rules ...Rule) *Table {
	tb, err := NewTable(Options{Version: "test", Operator: rules, DigestKey: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func TestIdentifiersBecomePlaceholders(t *testing.T) {
	n := 0
	rows(t, "templates.tsv", func(line string) {
		n++
		in, want, _ := strings.Cut(line, "\t")
		if got := heuristicTemplate(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	})
	if n < 35 {
		t.Fatalf("%d vectors", n)
	}
}

func TestEffectReversibilityAndResources(t *testing.T) {
	tb := table(t)
	n := 0
	rows(t, "expected.tsv", func(line string) {
		n++
		f := strings.Split(line, "\t")
		c := schema.Call{Method: f[0], Path: f[1], ToolName: f[3], OpKind: schema.OpHTTP}
		if f[3] != "" {
			c.MCPMethod = "tools/call"
		}
		in := Input{RawQuery: f[2]}
		if f[4] != "" {
			in.Args, in.BodyLogged = []byte(f[4]), true
		}
		tb.Classify(&c, &in)
		var res []string
		for _, r := range c.Resources {
			res = append(res, r.String())
		}
		got := strings.Join([]string{c.Effect.String(), c.Reversibility.String(), c.EffectSource.String(), strings.Join(res, " ")}, "\t")
		if want := strings.Join(f[5:], "\t"); got != want {
			t.Errorf("%s %s %s %s: %s, want %s", f[0], f[1], f[3], f[4], got, want)
		}
	})
	if n < 30 {
		t.Fatalf("%d rows", n)
	}
}

func TestResourceThatWasNotLoggedIsSaidSo(t *testing.T) {
	c := schema.Call{Method: "POST", Path: "/refunds", OpKind: schema.OpHTTP}
	table(t).Classify(&c, &Input{})
	if len(c.Resources) != 1 || c.Resources[0].Source != schema.ProvenanceNotLogged {
		t.Fatalf("%+v", c.Resources)
	}
	c = schema.Call{Method: "POST", Path: "/refunds", OpKind: schema.OpHTTP}
	table(t).Classify(&c, &Input{Args: []byte(`{"order_id":"A-17","amount":40,"api_token":"s3cret"}`)})
	if len(c.Resources) != 1 || c.Resources[0].String() != "order:A-17" || c.Resources[0].Source != schema.ProvenanceToolArguments {
		t.Fatalf("%+v", c.Resources)
	}
}

func TestOperatorsWordStands(t *testing.T) {
	tb := table(t, Rule{Method: "POST", Template: "/ledger/:account/entries", Effect: schema.EffectPay,
		Resources: []string{"account:bank_account"}},
		Rule{Template: "/ledger/{account}/{*}", Reversibility: schema.ReadOnly})
	c := schema.Call{Method: "POST", Path: "/ledger/main/entries", OpKind: schema.OpHTTP}
	tb.Classify(&c, &Input{})
	if c.Route != "/ledger/{account}/entries" || c.RouteSource != schema.RouteFromConfig || c.Effect != schema.EffectPay ||
		c.Reversibility != schema.Irreversible ||
		c.EffectSource != schema.ProvenanceOperator || len(c.Resources) == 0 || c.Resources[0].String() != "bank_account:main" {
		t.Fatalf("%+v", c)
	}
}

func TestSourceTemplateBeatsTheGuess(t *testing.T) {
	c := schema.Call{Method: "GET", Path: "/shops/berlin/items/blue", OpKind: schema.OpHTTP}
	table(t).Classify(&c, &Input{SourceRoute: "/shops/<shop>/items/:item"})
	if c.Route != "/shops/{shop}/items/{item}" || c.RouteKey != "/shops/{}/items/{}" || c.RouteSource != schema.RouteFromSource {
		t.Fatalf("%+v", c)
	}
	if len(c.Resources) != 2 || c.Resources[1].String() != "item:blue" {
		t.Fatalf("%+v", c.Resources)
	}
}

func TestDigestsOfTwoDeploymentsDiffer(t *testing.T) {
	other, err := NewTable(Options{DigestKey: []byte("another key of another deployment")})
	if err != nil {
		t.Fatal(err)
	}
	digest := func(tb *Table, query string, args string) (uint64, schema.DigestBasis) {
		c := schema.Call{Method: "GET", Path: "/a"}
		tb.Classify(&c, &Input{RawQuery: query, Args: []byte(args)})
		return c.ArgsDigest, c.ArgsDigestBasis
	}
	tb := table(t)
	one, basis := digest(tb, "x=1", "")
	again, _ := digest(tb, "x=1", "")
	two, _ := digest(tb, "x=2", "")
	foreign, _ := digest(other, "x=1", "")
	_, body := digest(tb, "x=1", "{}")
	if one != again || one == two || one == foreign || basis != schema.DigestURL || body != schema.DigestBody {
		t.Fatal(one, again, two, foreign, basis, body)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"/orders/1", "", "//", "/a%2fb/%zz", "/{x}/..", "https://h/p?q#f", "/\xff\xfe", "/a/123.{x", "/a/1.%2Fb",
		"/p/http://h/orders/1", "/%ff", "/cus_{id}", "/a/%7B%7D"} {
		f.Add(s)
	}
	tb := table(f)
	f.Fuzz(func(t *testing.T, path string) {
		got := heuristicTemplate(path)
		if !strings.HasPrefix(got, "/") {
			t.Fatalf("%q: %q", path, got)
		}
		key := Key(got)
		if n := strings.Count(key, "{}"); strings.Count(key, "{") != n || strings.Count(key, "}") != n {
			t.Fatalf("%q: a brace that is no placeholder: %q", path, key)
		}
		if Key(key) != key {
			t.Fatalf("%q: key %q is not its own key", path, key)
		}
		if n := strings.Count(got, "/"); n > maxSegments || n > strings.Count(path, "/")+1 {
			t.Fatalf("%q grew a segment: %q", path, got)
		}
		// A template that is read as a path has at most as many segments,
		// and without escapes only its placeholders can change.
		if !strings.ContainsAny(got, "%?#;") && !strings.Contains(got, "://") {
			again := heuristicTemplate(got)
			if strings.Count(again, "/") > strings.Count(got, "/") || heuristicTemplate(again) != again {
				t.Fatalf("%q: %q, then %q, then %q", path, got, again, heuristicTemplate(again))
			}
		}
		if !utf8.ValidString(path) {
			return
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q: %q is not UTF-8", path, got)
		}
		c := schema.Call{Method: "POST", Path: path}
		tb.Classify(&c, &Input{RawQuery: path, Args: []byte(path)})
		if !utf8.ValidString(c.Route) {
			t.Fatalf("%q: route %q", path, c.Route)
		}
		for _, r := range c.Resources {
			if !utf8.ValidString(r.ID) {
				t.Fatalf("%q: resource %q", path, r.ID)
			}
		}
		if len(c.Resources) > maxResources {
			t.Fatalf("%d resources", len(c.Resources))
		}
		for _, r := range c.Resources {
			if r.Type == "" || r.ID == "" || len(r.ID) > schema.MaxID {
				t.Fatalf("%q: resource %q", path, r)
			}
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	tb := table(b)
	b.ReportAllocs()
	for b.Loop() {
		c := schema.Call{Method: "GET", Path: "/v1/orders/48151623/items", OpKind: schema.OpHTTP}
		tb.Classify(&c, &Input{RawQuery: "expand=lines"})
	}
}

// heuristicTemplate returns the template of a path for which nothing is declared or learned.
func heuristicTemplate(path string) string { return templateOf(split(path, nil)) }
