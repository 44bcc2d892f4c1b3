package exception

import (
	"fmt"
	"reflect"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/route"
)

const sec = int64(1e9)

// apply applies a command at time 0, and returns its result and the exception's id.
func apply(s *State, c *schema.Command) (enforce.ResultCode, string) {
	r, _ := s.Apply(enforce.LogPosition{}, c)
	return r.Code, r.Ref
}

func add(id string, change func(*schema.Command)) *schema.Command {
	c := &schema.Command{ID: "o_" + id, Kind: schema.CommandException, Tenant: "t", By: "ann", Reason: "the nightly purge", TTL: 60 * sec,
		Exception: &schema.ExceptionOrder{Agent: "ops/*", Family: "runaway.*", Routes: []string{"DELETE /v1/orders/{id}"}}}
	if change != nil {
		change(c)
	}
	return c
}

func TestOnlyWhatIsMeantIsExcepted(t *testing.T) {
	for name, tc := range map[string]struct {
		tenant string
		clock  int64
		change func(*schema.Decision, *schema.Holder)
		want   bool
	}{
		"meant":                     {want: true},
		"another route":             {change: func(d *schema.Decision, _ *schema.Holder) { d.Route = "POST /v1/refunds" }},
		"another method":            {change: func(d *schema.Decision, _ *schema.Holder) { d.Route = "GET /v1/orders/{id}" }},
		"another agent":             {change: func(d *schema.Decision, h *schema.Holder) { d.AgentID, h.AgentID = "billing/bot", "billing/bot" }},
		"another family":            {change: func(d *schema.Decision, _ *schema.Holder) { d.Family = schema.FamilyHijack }},
		"what a manifest decided":   {change: func(d *schema.Decision, _ *schema.Holder) { d.Family = schema.FamilyAfterTask }},
		"a name that is claimed":    {change: func(_ *schema.Decision, h *schema.Holder) { h.AgentTrust = schema.TrustAsserted }},
		"another one's trust":       {change: func(_ *schema.Decision, h *schema.Holder) { h.AgentID = "ops/other" }},
		"a record without a family": {change: func(d *schema.Decision, _ *schema.Holder) { d.Family = "" }},
		"a record without a route":  {change: func(d *schema.Decision, _ *schema.Holder) { d.Route = "" }},
		"too late":                  {clock: 61 * sec},
		"another tenant":            {tenant: "u"},
	} {
		s := New()
		if o, id := apply(s, add("1", nil)); o != enforce.ExceptionAdded || id != "x_1" {
			t.Fatal(o, id)
		}
		d := &schema.Decision{AgentID: "ops/purge", Family: schema.FamilyDestroy, Route: "DELETE /v1/orders/{order_id}"}
		h := &schema.Holder{AgentID: "ops/purge", AgentTrust: schema.TrustInfrastructure}
		if tc.change != nil {
			tc.change(d, h)
		}
		if tc.tenant == "" {
			tc.tenant = "t"
		}
		if got := s.Find(tc.clock, tc.tenant, d, h); (got != nil) != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
		if s.Find(0, "t", d, nil) != nil {
			t.Errorf("%s: who acts is not known, and he is excepted", name)
		}
	}
}

func TestExceptionEndsByItself(t *testing.T) {
	s := New()
	apply(s, add("1", nil))
	apply(s, add("2", func(c *schema.Command) { c.TTL = 120 * sec }))
	s.Advance(enforce.LogPosition{Time: 60 * sec})
	if l := s.List("t"); len(l) != 1 || l[0].ID != "x_2" {
		t.Fatalf("%+v", l)
	}
	s.Advance(enforce.LogPosition{Time: 120 * sec})
	if len(s.all) != 0 {
		t.Error("it did not end")
	}
}

func TestOrderThatCannotHoldIsRefused(t *testing.T) {
	for name, change := range map[string]func(*schema.Command){
		"no reason":       func(c *schema.Command) { c.Reason = "" },
		"no end":          func(c *schema.Command) { c.TTL = 0 },
		"years":           func(c *schema.Command) { c.TTL = int64(maxDuration) + 1 },
		"no agent":        func(c *schema.Command) { c.Exception.Agent = " " },
		"policy":          func(c *schema.Command) { c.Exception.Family = "policy.*" },
		"suspicion":       func(c *schema.Command) { c.Exception.Family = schema.FamilyBorrowed },
		"no pattern":      func(c *schema.Command) { c.Exception.Agent = "a[" },
		"no route":        func(c *schema.Command) { c.Exception.Routes = []string{"orders"} },
		"no id":           func(c *schema.Command) { c.ID = "" },
		"nothing at all":  func(c *schema.Command) { c.Exception = nil },
		"too many routes": func(c *schema.Command) { c.Exception.Routes = make([]string, maxRoutes+1) },
	} {
		if o, _ := apply(New(), add("1", change)); o != enforce.Rejected {
			t.Errorf("%s: %s", name, o)
		}
	}
}

func TestTooManyExceptionsAreRefused(t *testing.T) {
	s := New()
	for i := range maxExceptions {
		apply(s, add(fmt.Sprint(i), nil))
	}
	if o, _ := apply(s, add("more", nil)); o != enforce.TooManyExceptions || len(s.List("t")) != maxExceptions {
		t.Error(o)
	}
	again, err := Restore(s.Snapshot())
	if err != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("a snapshot is not what it was made of: %v", err)
	}
	if o, _ := apply(s, &schema.Command{Kind: schema.CommandExceptionRemove, Tenant: "t", Reason: "r",
		Exception: &schema.ExceptionOrder{ID: "x_7"}}); o != enforce.ExceptionRemoved {
		t.Error(o)
	}
	if o, _ := apply(s, &schema.Command{Kind: schema.CommandExceptionRemove, Tenant: "u", Reason: "r",
		Exception: &schema.ExceptionOrder{ID: "x_8"}}); o != enforce.NoSuchException {
		t.Errorf("of another tenant: %s", o)
	}
}

// decisionOn returns a trip's decision about a call, and who made the call, as the engine makes them.
func decisionOn(t *testing.T, path string, rules []route.Rule) (*schema.Decision, *schema.Holder) {
	t.Helper()
	table, err := route.NewTable(route.Options{DigestKey: []byte("0123456789abcdef"), Operator: rules})
	if err != nil {
		t.Fatal(err)
	}
	c := &schema.Call{Tenant: "t", Method: "POST", Path: path}
	table.Classify(c, &route.Input{})
	d, ok := policy.Decide(policy.Rules{}, policy.Input{Call: c, Run: &schema.RunSnapshot{}, Finding: &schema.Finding{Tenant: "t",
		Family: schema.FamilyDestroy, AgentID: "ops/purge", Level: schema.LevelTrip}})
	if !ok {
		t.Fatal("no decision")
	}
	return &d, &schema.Holder{AgentID: "ops/purge", AgentTrust: schema.TrustInfrastructure}
}

func TestLearnedOrDeclaredRouteVoidsAnException(t *testing.T) {
	slot := route.Slot{Method: "POST", Template: "/shop/items/{slug}"}
	learned := route.Learned{Collapsed: []route.Slot{slot}}.Rules()
	pinned := route.Orders{Orders: []route.Order{{Slot: slot, Pinned: true}}}.Rules()
	declared := []route.Rule{{Method: "POST", Template: "/shop/items/{item}"}}
	wide := []route.Rule{{Method: "POST", Template: "/shop/{x}/{y}"}}
	for name, tc := range map[string]struct {
		route, path string
		rules       []route.Rule
		want        bool
	}{
		"words":                        {"POST /shop/items/sale", "/shop/items/sale", nil, true},
		"learned":                      {"POST /shop/items/sale", "/shop/items/sale", learned, true},
		"pinned":                       {"POST /shop/items/sale", "/shop/items/sale", pinned, true},
		"pinned, an escape":            {"POST /shop/items/sale", "/shop/./items/s%61le/", pinned, true},
		"by the learned name":          {"POST /shop/items/{slug}", "/shop/items/sale", learned, true},
		"learned, another word":        {"POST /shop/items/sale", "/shop/items/blue", learned, false},
		"learned, another method":      {"PUT /shop/items/sale", "/shop/items/sale", learned, false},
		"a part of a segment, learned": {"POST /shop/items/sku_{id}", "/shop/items/sku_77", learned, true},
		"declared":                     {"POST /shop/items/sale", "/shop/items/sale", declared, true},
		"declared, by a learned name":  {"POST /shop/items/{slug}", "/shop/items/sale", wide, true},
		"declared, another word":       {"POST /shop/items/sale", "/shop/items/blue", declared, false},
		"declared, another collection": {"POST /shop/items/sale", "/shop/carts/sale", wide, false},
		"declared, another method":     {"PUT /shop/items/sale", "/shop/items/sale", declared, false},
	} {
		s := New()
		apply(s, add("1", func(c *schema.Command) { c.Exception.Routes = []string{tc.route} }))
		d, h := decisionOn(t, tc.path, tc.rules)
		if got := s.Find(0, "t", d, h); (got != nil) != tc.want {
			t.Errorf("%s: %+v of %q, %q", name, got, d.Route, d.RouteByWords)
		}
	}
}
