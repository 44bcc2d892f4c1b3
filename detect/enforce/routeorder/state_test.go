package routeorder

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

func apply(s *State, offset int64, kind schema.CommandKind, tenant, text string) enforce.Result {
	r, _ := s.Apply(enforce.LogPosition{Offset: offset, Time: offset * 10}, &schema.Command{Kind: kind, Tenant: tenant, By: "ann",
		Role: "admin", Reason: "r", Route: &schema.RouteOrder{Route: text}})
	return r
}

func TestOrderAboutARouteIsForgotten(t *testing.T) {
	s := New()
	for i, step := range []struct {
		kind schema.CommandKind
		text string
		want enforce.ResultCode
	}{
		{schema.CommandRouteClear, "GET /a/{b}", enforce.NoSuchRoute},
		{schema.CommandRoutePin, "GET /a/{b}", enforce.RoutePinned},
		{schema.CommandRouteUndo, "GET /a/{other}", enforce.RouteUndone}, // the same route by another name of its parameter
		{schema.CommandRoutePin, "GET /c/word", enforce.RoutePinned},
		{schema.CommandRouteUndo, "GET /c/word", enforce.Rejected}, // a template without a parameter is never learned
		{schema.CommandRoutePin, "GET /{all}", enforce.Rejected},
		{schema.CommandRoutePin, "GET /d/{e}", enforce.RoutePinned},
		{schema.CommandRouteClear, "GET /d/{x}", enforce.RouteCleared},
		{schema.CommandRouteClear, "GET /d/{x}", enforce.NoSuchRoute},
	} {
		if r := apply(s, int64(i), step.kind, "t", step.text); r.Code != step.want {
			t.Errorf("%d %s %s: %+v, want %s", i, step.kind, step.text, r, step.want)
		}
	}
	got := s.Orders("t")
	want := route.Orders{Generation: 8, Former: []route.Slot{{Method: "GET", Template: "/d/{e}"}}, Orders: []route.Order{
		{Slot: route.Slot{Method: "GET", Template: "/a/{other}"}, By: "ann", Role: "admin", Reason: "r", At: 20, Generation: 3},
		{Slot: route.Slot{Method: "GET", Template: "/c/word"}, Pinned: true, By: "ann", Role: "admin", Reason: "r", At: 30, Generation: 4}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if other := s.Orders("other"); other.Generation != 0 || len(other.Orders) != 0 {
		t.Errorf("another tenant: %+v", other)
	}
	// A snapshot keeps all, and also the generation of the last clear: without it what was cleared stays published.
	b, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var list []Tenant
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	again, err := Restore(list)
	if err != nil || !reflect.DeepEqual(again.Orders("t"), want) {
		t.Errorf("%v %+v", err, again.Orders("t"))
	}
	if without, err := Restore(nil); err != nil || len(without.Snapshot()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestOrdersAboutRoutesAreUnbounded(t *testing.T) {
	s := New()
	for i := range route.MaxOrders {
		if r := apply(s, int64(i), schema.CommandRoutePin, "t0", fmt.Sprintf("GET /a%d/{b}", i)); r.Code != enforce.RoutePinned {
			t.Fatalf("%d: %+v", i, r)
		}
	}
	if r := apply(s, 1000, schema.CommandRoutePin, "t0", "GET /more/{b}"); r.Code != enforce.TooManyRoutes {
		t.Errorf("%+v", r)
	}
	// A tenant that uses all of its orders took those of the others.
	if r := apply(s, 1000, schema.CommandRoutePin, "t1", "GET /more/{b}"); r.Code != enforce.RoutePinned {
		t.Errorf("another tenant: %+v", r)
	}
	if r := apply(s, 1001, schema.CommandRouteUndo, "t0", "GET /a0/{b}"); r.Code != enforce.RouteUndone {
		t.Errorf("a change of an order that is in force: %+v", r)
	}
	none := &schema.Command{Kind: schema.CommandRoutePin, Reason: "r"}
	if r, _ := s.Apply(enforce.LogPosition{Offset: 1002}, none); r.Code != enforce.Rejected {
		t.Errorf("%+v", r)
	}
}

// A breaker may be open on a template that is cleared: the template stays known, within a bound for each tenant.
func TestClearedTemplateIsForgotten(t *testing.T) {
	s, offset := New(), int64(0)
	do := func(kind schema.CommandKind, tenant, text string) {
		t.Helper()
		offset++
		if r := apply(s, offset, kind, tenant, text); r.Code == enforce.Rejected || r.Code == enforce.NoSuchRoute {
			t.Fatalf("%s %s: %+v", kind, text, r)
		}
	}
	for i := range route.MaxOrders + 2 {
		do(schema.CommandRoutePin, "t", fmt.Sprintf("GET /a%d/{b}", i))
		do(schema.CommandRouteClear, "t", fmt.Sprintf("GET /a%d/{other}", i))
	}
	do(schema.CommandRouteUndo, "u", "GET /a/{b}")
	do(schema.CommandRouteClear, "u", "GET /a/{b}")
	former := s.Orders("t").Former
	if len(former) != route.MaxOrders || former[0].Template != "/a2/{b}" || former[len(former)-1].Template != "/a501/{b}" {
		t.Errorf("%d: %v", len(former), former)
	}
	if l := s.Orders("u"); len(l.Former) != 1 {
		t.Errorf("%+v", l)
	}
	before := s.Orders("t")
	do(schema.CommandRoutePin, "t", "GET /a2/{again}") // in force again
	if l := s.Orders("t").Former; len(l) != route.MaxOrders-1 || l[0].Template != "/a3/{b}" {
		t.Errorf("%d: %v", len(l), l[0])
	}
	if before.Former[0].Template != "/a2/{b}" || before.Former[route.MaxOrders-1].Template != "/a501/{b}" {
		t.Error("what was returned has changed")
	}
}
