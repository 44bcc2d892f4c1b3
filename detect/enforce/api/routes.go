package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// routes holds the operations on learned routes.
type routes struct{ *server }

func (o *routes) operations() []operation {
	change := func(path, id, summary string) operation {
		return operation{path: path, id: id, summary: summary, role: Admin, answer: ChangeResult{}, problems: []int{404, 409, 422}}
	}
	return []operation{
		list("/v1/routes", "routes", "Learned routes, and what commands ordered about them", []RouteLine{},
			func(x *exchange) any { return o.lines(x.caller.tenant) }),
		withBody(change("/v1/routes/pin", "pinRoute", "Pin a template: calls that fit it have it as their route, whatever is learned"),
			func(x *exchange, in *RouteRequest) { o.set(x, in, schema.CommandRoutePin, enforce.RoutePinned) }),
		withBody(change("/v1/routes/undo", "undoRoute",
			"Undo a template: calls that fit it have routes of their words, also if it is learned again"),
			func(x *exchange, in *RouteRequest) { o.set(x, in, schema.CommandRouteUndo, enforce.RouteUndone) }),
		withBody(change("/v1/routes/clear", "clearRoute", "Remove the order about a template: what is learned applies again"),
			func(x *exchange, in *RouteRequest) { o.set(x, in, schema.CommandRouteClear, enforce.RouteCleared) }),
	}
}

// RouteLine is a template that was learned, or that a command is about.
type RouteLine struct {
	Tenant string `json:"tenant"`
	Route  string `json:"route"` // "GET /repos/{slug}/{slug}/issues"
	// State is learned, pinned or undone.
	State   string `json:"state"`
	Learned bool   `json:"learned"` // it was learned, whatever was ordered
	// Words is the number of different words at each parameter when it was learned, from the left; 101 means "at least".
	// It is absent if an earlier release learned the template.
	Words []int  `json:"words,omitempty"`
	Calls uint64 `json:"calls,omitempty"` // with these words, within a day
	Since string `json:"since,omitempty"` // when it was learned or ordered; absent: by an earlier release
	By    string `json:"by,omitempty"`    // who ordered it
	Role  string `json:"role,omitempty"`
	// Reason of the order.
	Reason     string `json:"reason,omitempty"`
	Generation uint64 `json:"generation,omitempty"` // of the order
}

// lines returns the learned routes of a tenant with the orders about them. Only the tenant of the process has learned
// routes here.
func (o *routes) lines(tenant string) []RouteLine {
	byKey := map[string]*RouteLine{}
	if o.o.LearnedRoutes != nil && tenant == o.o.Tenant {
		learned := o.o.LearnedRoutes()
		for _, s := range learned.Collapsed {
			e := learned.Evidence[s.String()]
			byKey[s.Key()] = &RouteLine{Tenant: tenant, Route: s.String(), State: "learned", Learned: true, Words: e.Words, Calls: e.Calls,
				Since: timestamp(e.At)}
		}
	}
	for _, x := range o.orders(tenant) {
		l := cmp.Or(byKey[x.Key()], &RouteLine{Tenant: tenant})
		l.Route, l.State, l.Since, l.By, l.Role, l.Reason, l.Generation = x.String(), orderState(&x), timestamp(x.At), x.By, x.Role, x.Reason,
			x.Generation
		byKey[x.Key()] = l
	}
	out := make([]RouteLine, 0, len(byKey))
	for _, l := range byKey {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b RouteLine) int {
		_, x, _ := strings.Cut(a.Route, " ")
		_, y, _ := strings.Cut(b.Route, " ")
		return cmp.Or(strings.Compare(x, y), strings.Compare(a.Route, b.Route))
	})
	return out
}

func orderState(o *route.Order) string {
	if o.Pinned {
		return string(enforce.RoutePinned)
	}
	return string(enforce.RouteUndone)
}

func (o *routes) orders(tenant string) []route.Order {
	v := o.o.State.Acquire()
	defer v.Release()
	return v.Routes.Orders(tenant).Orders
}

// routeStatuses maps results of commands on routes to HTTP statuses.
var routeStatuses = map[enforce.ResultCode]int{enforce.NoSuchRoute: http.StatusNotFound, enforce.Rejected: http.StatusUnprocessableEntity}

func (o *routes) set(x *exchange, in *RouteRequest, kind schema.CommandKind, success enforce.ResultCode) {
	if hasSecret(in.Route) {
		x.refuse(refuseSecret())
		return
	}
	slot, err := route.ParseSlot(in.Route)
	if err == nil && kind == schema.CommandRouteUndo && !slot.HasParameter() {
		err = fmt.Errorf("route: an undo is of a template with a parameter; flyball routes learned lists them")
	}
	if err != nil {
		x.refuse(&refusal{http.StatusUnprocessableEntity, "route", err})
		return
	}
	x.submit(change{command: schema.Command{Kind: kind, By: x.by(in.By), Reason: in.Reason, Route: &schema.RouteOrder{Route: slot.String()}},
		success: success, statuses: routeStatuses, met: o.met(x.caller.tenant, slot)})
}

// met describes what an order meets: what was ordered and learned about the template.
func (o *routes) met(tenant string, slot route.Slot) []string {
	for _, l := range o.lines(tenant) {
		_, template, _ := strings.Cut(l.Route, " ")
		if (route.Slot{Method: slot.Method, Template: template}).Key() != slot.Key() || !strings.HasPrefix(l.Route, slot.Method+" ") {
			continue
		}
		if l.State != "learned" {
			return []string{fmt.Sprintf("a command had %s it, by %s at %s: %s", l.State, l.By, l.Since, l.Reason)}
		}
		return []string{"it was learned" + learnedWhen(&l)}
	}
	return []string{"it was not learned, and no command was in force about it"}
}

func learnedWhen(l *RouteLine) string {
	if l.Since == "" {
		return " by an earlier release"
	}
	return " at " + l.Since
}
