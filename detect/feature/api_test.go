package feature

import (
	"testing"

	"flyball/schema"
)

// A baseline knows the APIs of its routes' names, and a call has fields. If the two differed, every call of a known agent
// would be one to an unknown API.
func TestAPIOfACallIsNotThatOfItsRoute(t *testing.T) {
	for _, c := range []schema.Call{
		{Method: "GET", RouteKey: "/shop/orders/{}"}, {Method: "GET", RouteKey: "/"}, {Method: "GET"}, {Method: "CONNECT", RouteKey: "host:443"},
		{Method: "A B", RouteKey: "/shop"}, {Method: " ", RouteKey: "/shop"}, {Method: "R", RouteKey: "1"}, {},
		{Operation: "get order"}, {Operation: "GET /shop/orders"}, {Operation: "shop.orders.get"}, {Operation: "shop__get"}, {Operation: "__x"},
		{Operation: "/shop.v1.Orders/Get"}, {Operation: "/"}, {Operation: "."}, {Operation: " "}, {Operation: "search"},
		{Method: "POST", RouteKey: "/shop.v1.Orders/Get", Operation: "ignored"},
	} {
		if got, want := apiHash(&c), APIHash(RouteName(c.Method, c.RouteKey, c.Operation)); got != want || got == 0 {
			t.Errorf("%+v: %x, its route's %x", RouteName(c.Method, c.RouteKey, c.Operation), got, want)
		}
	}
}

func TestOneAPIIsTwo(t *testing.T) {
	for _, same := range [][2]string{
		{"GET /shop/orders/{}", "DELETE /shop"}, {"shop.orders.get", "shop/orders"}, {"shop__get", "shop__delete"},
		{"/shop.v1.Orders/Get", "/shop.v1.Orders/Delete"},
	} {
		if APIHash(same[0]) != APIHash(same[1]) {
			t.Errorf("%q and %q are of two APIs", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"GET /shop/orders", "GET /shops/orders"}, {"shop.get", "bank.get"}, {"shop__get", "bank__get"},
		{"get order", "delete order"}} {
		if APIHash(other[0]) == APIHash(other[1]) {
			t.Errorf("%q and %q are of one API", other[0], other[1])
		}
	}
}

func FuzzAPIOfACallIsThatOfItsRoute(f *testing.F) {
	f.Add("GET", "/a/{}", "")
	f.Add("", "", "/a.b/c d")
	f.Fuzz(func(t *testing.T, method, key, operation string) {
		c := schema.Call{Method: method, RouteKey: key, Operation: operation}
		if got, want := apiHash(&c), APIHash(RouteName(method, key, operation)); got != want {
			t.Fatalf("%x, its route's %x", got, want)
		}
	})
}
