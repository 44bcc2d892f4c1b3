package feature

import (
	"testing"

	"flyball/schema"
)

// A group of tools without a server is one API, or else every new tool would be an API that nobody knows.
func TestEveryToolIsAnAPI(t *testing.T) {
	for _, same := range [][2]schema.Call{
		{{Operation: "send_money"}, {Operation: "get_balance"}},
		{{Operation: "shop.orders.get"}, {Operation: "bank/accounts"}},
		{{MCPServer: "bank", Operation: "send_money"}, {MCPServer: "bank", Operation: "get_balance"}},
		{{Method: "GET", RouteKey: "/shop/orders/{}"}, {Method: "DELETE", RouteKey: "/shop/items"}},
		{{Method: "GET", RouteKey: "/orders"}, {Method: "POST", RouteKey: "/admin"}},
		{{Method: "GET", RouteKey: "/a/b", Host: "shop"}, {Method: "GET", RouteKey: "/c/d", Host: "shop"}},
		{{API: "shop", Host: "one"}, {API: "shop", Host: "two"}},
		{{Method: "GET", RouteKey: "/shop/{}"}, {Method: "GET", Route: "/shop/{id}"}},
	} {
		if a, b := apiName(&same[0]), apiName(&same[1]); a != b || apiHash(&same[0]) != apiHash(&same[1]) {
			t.Errorf("%+v and %+v are of two APIs, %q and %q", same[0], same[1], a, b)
		}
	}
}

// Services behind one gateway often have the same paths.
func TestOnePathOnTwoHostsIsOneAPI(t *testing.T) {
	for _, other := range [][2]schema.Call{
		{{Method: "GET", RouteKey: "/v1/orders", Host: "shop"}, {Method: "GET", RouteKey: "/v1/orders", Host: "bank"}},
		{{MCPServer: "shop", Operation: "get"}, {MCPServer: "bank", Operation: "get"}},
		{{Method: "GET", RouteKey: "/shop/orders"}, {Method: "GET", RouteKey: "/shops/orders"}},
		{{API: "shop", Host: "one"}, {API: "bank", Host: "one"}},
	} {
		if a, b := apiName(&other[0]), apiName(&other[1]); a == b || apiHash(&other[0]) == apiHash(&other[1]) {
			t.Errorf("%+v and %+v are of one API, %q and %q", other[0], other[1], a, b)
		}
	}
}

// An API of 0 is one that is not recorded.
func FuzzAPIOfACallIsNotRecorded(f *testing.F) {
	f.Add("", "", "/a/{}")
	f.Add("", "h", "")
	f.Fuzz(func(t *testing.T, api, host, key string) {
		var in Input
		if Extract(&schema.Call{API: api, Host: host, RouteKey: key}, &in); in.API == 0 {
			t.Fatal("the API is 0")
		}
	})
}
