package route

import (
	"fmt"
	"strings"
	"testing"

	"flyball/schema"
)

func classified(method, path, query, args string, rules ...Rule) func(testing.TB) schema.Call {
	return func(t testing.TB) schema.Call {
		c := schema.Call{Method: method, Path: path, OpKind: schema.OpHTTP}
		table(t, rules...).Classify(&c, &Input{RawQuery: query, Args: []byte(args), BodyLogged: args != ""})
		return c
	}
}

// An id that is too long to be stored must be reported as an unknown resource and not as no
// resource.
func TestResourceTooLongToKeepLeavesAHole(t *testing.T) {
	c := classified("DELETE", "/files/"+strings.Repeat("a1", 200), "", "")(t)
	if len(c.Resources) != 1 || c.Resources[0].String() != "file:?" || c.Resources[0].Source != schema.ProvenanceNotLogged {
		t.Fatalf("%v", c.Resources)
	}
}

func TestMoreResourcesThanFitLeaveAHole(t *testing.T) {
	ids := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%d", i)
		}
		return `{"order_ids":[` + b.String()[1:] + `]}`
	}
	if c := classified("POST", "/bulk", "", ids(maxResources))(t); len(c.Resources) != maxResources || c.Resources[maxResources-1].ID == "?" {
		t.Errorf("what just fits: %v", c.Resources)
	}
	c := classified("POST", "/bulk", "", ids(maxResources+5))(t)
	if len(c.Resources) != maxResources || c.Resources[maxResources-1].String() != "order:?" ||
		c.Resources[maxResources-1].Source != schema.ProvenanceNotLogged {
		t.Errorf("what does not: %v", c.Resources)
	}
}

// float64 rounds ids above 2^53 to other ids.
func TestBigNumberIsNotAnothersId(t *testing.T) {
	for _, id := range []string{"9007199254740993", "18446744073709551615", "1790933415417000001"} {
		if c := classified("POST", "/refunds", "", `{"order_id":`+id+`}`)(t); len(c.Resources) != 1 || c.Resources[0].ID != id {
			t.Errorf("%s became %v", id, c.Resources)
		}
	}
}

// A caller chooses its path: a URL inside the path must not give the call another route.
func TestURLWithinAPathDoesNotBorrowARoute(t *testing.T) {
	rule := Rule{Template: "/orders/{id}", Effect: schema.EffectRead, Reversibility: schema.ReadOnly}
	c := classified("DELETE", "/p/http://h/orders/1", "", "", rule)(t)
	if c.RouteSource == schema.RouteFromConfig || c.Effect != schema.EffectDelete {
		t.Fatalf("%s %v %v", c.Route, c.RouteSource, c.Effect)
	}
}

func TestSecretsOfAQueryAreNoResources(t *testing.T) {
	c := classified("GET", "/a", "access_token=hush&session_id=hush&api_key=hush&code=hush&order_id=5",
		`{"auth_token_id":"hush","password":"hush"}`)(t)
	for _, r := range c.Resources {
		if r.ID == "hush" {
			t.Errorf("%v", r)
		}
	}
}

func TestPatternWithinAPlaceholderIsOnePlaceholder(t *testing.T) {
	for in, want := range map[string]string{"/a/{id:[0-9]{4}}": "/a/{}", "/a/{id}/b/{n:x{1,2}y{3}}": "/a/{}/b/{}", "/a/{open": "/a/{open",
		"/a/{x}{y}": "/a/{}{}", "/plain": "/plain"} {
		if got := Key(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestFrameworksSpellPlaceholdersAlike(t *testing.T) {
	for _, in := range []string{"/shops/:shop/items/:item", "/shops/<shop>/items/<int:item>", "/shops/[shop]/items/[item]",
		"/shops/(?P<shop>x+)/items/(?P<item>y+)", "/shops/{shop}/items/{item}"} {
		if got := normalise(in); got != "/shops/{shop}/items/{item}" {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestOperatorRules(t *testing.T) {
	rules := []Rule{
		{Method: "POST", Template: "/x/{id}", Effect: schema.EffectPay},
		{Template: "/x/{id}", Effect: schema.EffectRead},
		{Template: "/x/fixed", Effect: schema.EffectGrant},
		{Template: "/rest/{*}", Effect: schema.EffectSend},
		{Method: "GET", Template: "/only/things", Reversibility: schema.Irreversible},
		{Template: "/q", Resources: []string{"ref:case"}},
	}
	for _, x := range []struct {
		what, method, path string
		effect             schema.Effect
		rev                schema.Reversibility
		source             schema.Provenance
		route              string
	}{
		{"a method beats none", "POST", "/x/1", schema.EffectPay, schema.Irreversible, schema.ProvenanceOperator, "/x/{id}"},
		{"a rule of no method is for any", "DELETE", "/x/1", schema.EffectRead, schema.ReadOnly, schema.ProvenanceOperator, "/x/{id}"},
		{"a word beats a parameter", "POST", "/x/fixed", schema.EffectGrant, schema.Compensable, schema.ProvenanceOperator, "/x/fixed"},
		{"the rest is any depth", "GET", "/rest/a/b/c", schema.EffectSend, schema.Irreversible, schema.ProvenanceOperator, "/rest/{*}"},
		{"another method is not the rule's", "POST", "/only/things", schema.EffectCreate, schema.Reversible, schema.ProvenanceMethod,
			"/only/things"},
		{"reversibility alone leaves the effect", "GET", "/only/things", schema.EffectRead, schema.Irreversible, schema.ProvenanceMethod,
			"/only/things"},
		{"escapes do not dodge a rule", "POST", "/x/%66ixed", schema.EffectGrant, schema.Compensable, schema.ProvenanceOperator, "/x/fixed"},
		{"double slashes do not dodge a rule", "POST", "//x///fixed/", schema.EffectGrant, schema.Compensable, schema.ProvenanceOperator,
			"/x/fixed"},
	} {
		t.Run(x.what, func(t *testing.T) {
			c := classified(x.method, x.path, "", "", rules...)(t)
			if c.Effect != x.effect || c.Reversibility != x.rev || c.EffectSource != x.source || c.Route != x.route {
				t.Errorf("%s %s: %v %v %v %s", x.method, x.path, c.Effect, c.Reversibility, c.EffectSource, c.Route)
			}
		})
	}
	if c := classified("GET", "/q", "ref=77", "", rules...)(t); len(c.Resources) == 0 || c.Resources[0].String() != "case:77" {
		t.Errorf("a query key that only the operator knows: %v", c.Resources)
	}
}

func TestRuleThatCannotMatchIsRefused(t *testing.T) {
	if _, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: []Rule{{Template: "orders"}}}); err == nil ||
		!strings.Contains(err.Error(), "routes[0].template") {
		t.Error(err)
	}
	if _, err := NewTable(Options{DigestKey: []byte("short")}); err == nil {
		t.Error("a short key was taken")
	}
}
