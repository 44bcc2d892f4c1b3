package routeorder

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// Tenant is the stored form of a tenant's orders.
type Tenant struct {
	Tenant string `json:"tenant"`
	route.Orders
}

// orders are those of one tenant, by route.Slot.Key.
type orders struct {
	generation uint64
	byKey      map[string]route.Order
	former     []route.Slot // see route.Orders.Former
}

// State holds the orders in force. It is not safe for concurrent use.
type State struct{ tenants map[string]*orders }

// New returns the state before any command.
func New() *State { return &State{tenants: map[string]*orders{}} }

// Apply pins, undoes or clears a template. The result contains it in its normal form. A template that is cleared
// stays known as a former one, so that breakers on it still apply.
func (s *State) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Route == nil || c.Reason == "" {
		return enforce.Result{Code: enforce.Rejected, Detail: "no route or no reason in the order"}, nil
	}
	slot, err := route.ParseSlot(c.Route.Route)
	switch {
	case err != nil:
		return enforce.Result{Code: enforce.Rejected, Detail: err.Error()}, nil
	case c.Kind == schema.CommandRouteUndo && !slot.HasParameter():
		return enforce.Result{Code: enforce.Rejected, Detail: "route: an undo is of a template with a parameter"}, nil
	}
	return enforce.Result{Code: s.apply(at, c, slot), Ref: slot.String()}, nil
}

func (s *State) apply(at enforce.LogPosition, c *schema.Command, slot route.Slot) enforce.ResultCode {
	t := s.tenants[c.Tenant]
	if t == nil {
		t = &orders{byKey: map[string]route.Order{}}
	}
	before, known := t.byKey[slot.Key()]
	switch {
	case c.Kind == schema.CommandRouteClear && !known:
		return enforce.NoSuchRoute
	case c.Kind == schema.CommandRouteClear:
		delete(t.byKey, slot.Key())
		t.former = append(t.former, before.Slot)
		t.former = t.former[max(0, len(t.former)-route.MaxOrders):]
		t.generation = at.Generation()
		return enforce.RouteCleared
	case !known && len(t.byKey) >= route.MaxOrders:
		return enforce.TooManyRoutes
	}
	o := route.Order{Slot: slot, Pinned: c.Kind == schema.CommandRoutePin, By: c.By, Role: c.Role, Reason: c.Reason, At: at.Time,
		Generation: at.Generation()}
	t.byKey[slot.Key()], t.generation = o, at.Generation()
	t.former = slices.DeleteFunc(t.former, func(f route.Slot) bool { return f.Key() == slot.Key() }) // it is in force again
	s.tenants[c.Tenant] = t
	if o.Pinned {
		return enforce.RoutePinned
	}
	return enforce.RouteUndone
}

// Orders returns the orders in force in a tenant by route, with the generation of its last command
// about a route; 0: there was none.
func (s *State) Orders(tenant string) route.Orders {
	out := route.Orders{Orders: []route.Order{}}
	if t := s.tenants[tenant]; t != nil {
		out.Generation, out.Former = t.generation, slices.Clone(t.former)
		out.Orders = slices.SortedFunc(maps.Values(t.byKey), func(a, b route.Order) int {
			return cmp.Or(strings.Compare(a.Template, b.Template), strings.Compare(a.Method, b.Method))
		})
	}
	return out
}

// Snapshot returns everything that a restart needs, by tenant.
func (s *State) Snapshot() (out []Tenant) {
	for _, tenant := range slices.Sorted(maps.Keys(s.tenants)) {
		out = append(out, Tenant{tenant, s.Orders(tenant)})
	}
	return out
}

// Restore returns the state of a snapshot.
func Restore(list []Tenant) (*State, error) {
	s := New()
	for _, t := range list {
		o := &orders{generation: t.Generation, byKey: map[string]route.Order{}}
		for _, x := range t.Orders.Orders {
			slot, err := route.ParseSlot(x.String())
			if err != nil {
				return nil, fmt.Errorf("tenant %s: %w", t.Tenant, err)
			}
			x.Slot = slot
			o.byKey[slot.Key()] = x
		}
		for _, x := range t.Former {
			slot, err := route.ParseSlot(x.String())
			if err != nil {
				return nil, fmt.Errorf("tenant %s: a former template: %w", t.Tenant, err)
			}
			o.former = append(o.former, slot)
		}
		s.tenants[t.Tenant] = o
	}
	return s, nil
}
