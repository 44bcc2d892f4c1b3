package redteam

import (
	"fmt"
	"testing"

	"flyball/cmd/internal/realparts"
	"flyball/schema"
)

// The gateway files of the version before, with the check of this version: they use plain
// /check and forward all headers of the client. A client that sends headers of a gateway must
// be denied there too, and calls that passed before must still pass.
func TestFilesOfTheVersionBeforeOpenNothing(t *testing.T) {
	p := newPoint(t)
	s := newService(t)
	write := send("DELETE", "/v1/accounts/7", bot)
	with := func(headers ...string) *Request { return send("DELETE", "/v1/accounts/7", bot, headers...) }
	attacks := []Attack{
		{Name: "what is allowed, held and stopped stays so", Steps: []Step{{Manifest: scoped}, must(passes, send("GET", "/v1/orders/1?q=1", bot)),
			must(denied, write), must(passes, send("POST", "/v1/notes/1", bot)),
			kill(schema.ScopeAgent, "bot@@"), must(denied, send("GET", "/v1/orders/1", bot))}},
		{Name: "a client's headers say that a DELETE is a GET", Steps: []Step{{Manifest: scoped},
			must(refused, with("X-Original-Method: GET", "X-Original-URI: /v1/orders/7")),
			must(refused, with("X-Forwarded-Method: GET", "X-Forwarded-Uri: /v1/orders/7")),
			must(refused, with("X-Original-Method: GET")),
			must(refused, with("X-Original-URI: /v1/notes/7")),
			must(refused, with("X-Original-Method: GET", "X-Original-URI: /v1/orders/7", "X-Forwarded-Method: GET",
				"X-Forwarded-Uri: /v1/orders/7")),
			must(refused, with("X-Original-Method: DELETE", "X-Original-URI: /v1/notes/7"))}},
	}
	var all []*attempt
	for j, name := range gateways() {
		if name == "haproxy" {
			continue // its file of the version before was never tested
		}
		started := realparts.StartGateway(t, name, "testdata/released", s.Listener.Addr().String(), p.config.Check.Listen, p.config.Check.GRPC)
		w := &gateway{started, s, started.URL[len("http://"):]}
		for i, a := range attacks {
			all = append(all, p.run(&a, w, fmt.Sprintf("%dv%d", i, j)))
		}
	}
	judge(t, "released", all)
}
