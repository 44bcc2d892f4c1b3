package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/dashboards/plugin"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// calls stores a run of team/a with calls, one a second, each as a gateway logs it unless change says otherwise.
func (s *store) calls(n int, change func(i int, c *schema.Call)) {
	s.t.Helper()
	hash := schema.HashActor("g:team/a")
	b, runs := clickhouse.CallsTable.NewBlock(), clickhouse.RunsTable.NewBlock()
	last := s.at
	for i := range n {
		last = s.at.Add(time.Duration(i) * time.Millisecond)
		c := schema.Call{Source: schema.Source{Topic: "edge"}, Pos: schema.Position{Offset: int64(i)}, Tenant: "acme", RunID: schema.RunID{1},
			ActorHash: hash, RunRule: schema.RunExplicit, RunConfidence: 95, Start: last.UnixNano(), DurationNs: 5e6,
			ObserverKind: schema.ObserverGateway, Observer: "edge", Method: "DELETE", Path: fmt.Sprint("/orders/", i), Route: "/orders/{id}",
			Status: 204, Outcome: ok, AgentID: "team/a", AgentTrust: schema.TrustInfrastructure, Effect: schema.EffectDelete,
			Reversibility: schema.Irreversible, Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i)}}}
		change(i, &c)
		b.Append(&c)
	}
	runs.Append(&schema.RunSnapshot{RunID: schema.RunID{1}, Version: 2, RunKey: "task-1", Tenant: "acme", Actor: "g:team/a", AgentID: "team/a",
		AgentTrust: schema.TrustInfrastructure, Rule: schema.RunExplicit, StartedAt: s.at.UnixNano(), LastAt: last.UnixNano(), Calls: uint64(n)})
	s.insert(b, runs)
}

// drawnGraph is a graph as it is read: what stands in a node and on an edge.
type drawnGraph struct {
	nodes, edges map[string]string
	calls        map[string]int // on edges
	notices      string
}

func (s *store) graph(limit int) drawnGraph {
	s.t.Helper()
	f := s.frames(plugin.Query{Type: "touched_graph", Run: "task-1", Limit: limit})
	nodesFrame.check(s.t, f[0])
	edgesFrame.check(s.t, f[1])
	g := drawnGraph{nodes: map[string]string{}, edges: map[string]string{}, calls: map[string]int{}}
	for i, id := range column(f[0], "id") {
		var arcs []string
		for _, field := range f[0].Fields {
			part, isArc := strings.CutPrefix(field.Name, "arc__")
			if v, err := field.NullableFloatAt(i); isArc && err == nil && v != nil && *v > 0 {
				arcs = append(arcs, fmt.Sprintf("%s %.2f", part, *v))
			}
		}
		if g.nodes[id] != "" {
			s.t.Errorf("two nodes have the id %s", id)
		}
		g.nodes[id] = strings.Join([]string{column(f[0], "title")[i], column(f[0], "subtitle")[i], column(f[0], "mainstat")[i],
			column(f[0], "secondarystat")[i], strings.Join(arcs, " ")}, " | ")
	}
	for i, id := range column(f[1], "id") {
		g.edges[id] = column(f[1], "mainstat")[i] + " " + column(f[1], "secondarystat")[i]
		g.calls[id], _ = strconv.Atoi(column(f[1], "mainstat")[i])
		for _, end := range []string{column(f[1], "source")[i], column(f[1], "target")[i]} {
			if g.nodes[end] == "" {
				s.t.Errorf("an edge ends at %q, which is no node", end)
			}
		}
	}
	if f[0].Meta != nil {
		g.notices = noticesOf(f[0])
	}
	return g
}

func noticesOf(f *data.Frame) string {
	var out []string
	for _, n := range f.Meta.Notices {
		out = append(out, n.Text)
	}
	return strings.Join(out, "\n")
}

// Who reads the graph wants to know which services were called: a gateway that logged the call is none, and neither is the check.
func TestGraphOfARunNamesNoService(t *testing.T) {
	s := newStore(t)
	ways := []func(c *schema.Call){
		func(c *schema.Call) { c.API = "shop" },
		func(c *schema.Call) { c.API, c.Outcome, c.DeniedBy = "shop", denied, "flyball" },
		func(c *schema.Call) { c.API, c.Outcome = "shop", failed },
		func(c *schema.Call) { // the same resource by another service, and a second one
			c.MCPServer, c.Effect, c.Reversibility = "crm", schema.EffectUpdate, schema.Compensable
			c.Resources = []schema.Resource{{Type: "order", ID: "0"}, {Type: "customer", ID: "9"}}
		},
		func(c *schema.Call) {
			c.GenAIProvider, c.Effect, c.Reversibility, c.Resources = "openai", schema.EffectRead, schema.ReadOnly, nil
		},
		func(c *schema.Call) {
			c.Host, c.Effect, c.Reversibility = "billing.example.com", schema.EffectPay, schema.Irreversible
		},
		func(c *schema.Call) {
			c.ObserverKind, c.Observer, c.Reversibility = schema.ObserverServer, "stock", schema.Reversible
		},
		func(c *schema.Call) { // a question to the check, which nobody else has logged
			c.ObserverKind, c.Observer, c.Host, c.AskedOnly = schema.ObserverGate, "flyball", "shop.example.com", true
			c.Outcome = schema.OutcomeUnknown
		},
		func(c *schema.Call) { c.Route = "/carts/{id}" }, // nothing names a service
	}
	s.calls(len(ways), func(i int, c *schema.Call) { ways[i](c) })
	g := s.graph(0)
	for id, want := range map[string]string{
		"run": "team/a | run | 9 calls | 1 failed, 1 denied | irreversible 0.40 compensable 0.20 reversible 0.10 read_only 0.10 " +
			"failed 0.10 denied 0.10",
		"service shop":     "shop | service | 3 calls | 1 failed, 1 denied | irreversible 0.33 failed 0.33 denied 0.33",
		"service crm":      "crm | service | 1 call |  | compensable 1.00",
		"service openai":   "openai | service | 1 call |  | read_only 1.00",
		"service stock":    "stock | service | 1 call |  | reversible 1.00",
		"resource order:0": "order:0 | delete, irreversible | 2 calls |  | irreversible 0.50 compensable 0.50",
		"resource order:1": "order:1 | delete, irreversible | 1 call | 1 denied | denied 1.00",
		"resource ?:?":     "no resource named | read, read only | 1 call |  | read_only 1.00",

		"service billing.example.com": "billing.example.com | service | 1 call |  | irreversible 1.00",
		"service shop.example.com":    "shop.example.com | service | 1 call |  | irreversible 1.00",
		"route DELETE /carts/{id}":    "DELETE /carts/{id} | route, no service named | 1 call |  | irreversible 1.00",
	} {
		if g.nodes[id] != want {
			t.Errorf("%s: %q, want %q", id, g.nodes[id], want)
		}
	}
	for id, want := range map[string]string{"run → service shop": "3 1 failed, 1 denied", "service shop → resource order:1": "1 1 denied",
		"service shop → resource order:0": "1 ", "service crm → resource order:0": "1 ", "service crm → resource customer:9": "1 ",
		"run → service crm": "2 "} {
		if g.edges[id] != want {
			t.Errorf("%s: %q, want %q", id, g.edges[id], want)
		}
	}
	if len(g.nodes) != 17 || !strings.Contains(g.notices, "The log names no service for the calls of 1 route") {
		t.Errorf("%d nodes, %s", len(g.nodes), g.notices)
	}
}

// A run of very many calls cannot be drawn. What is not drawn is counted, and it is never the worst.
func TestGraphOfALongRunHidesWhatItLeavesOut(t *testing.T) {
	s := newStore(t)
	const n, services = 100_000, 50
	s.calls(n, func(i int, c *schema.Call) {
		c.API, c.Effect, c.Reversibility = fmt.Sprintf("s%02d", i%services), schema.EffectRead, schema.ReadOnly
		switch i {
		case n - 1: // the last of all, of the last service
			c.Effect, c.Reversibility = schema.EffectDelete, schema.Irreversible
		case n - 2:
			c.Effect, c.Reversibility, c.Outcome = schema.EffectDelete, schema.Irreversible, denied
		}
	})
	started := time.Now()
	g := s.graph(5000)
	t.Logf("%d calls of %d services and as many resources as calls: %v", n, services, time.Since(started))
	for id, want := range map[string]string{
		"run":                  "team/a | run | 100000 calls | 1 denied | irreversible 0.00 read_only 1.00 denied 0.00",
		"service s49":          "s49 | service | 2000 calls |  | irreversible 0.00 read_only 1.00",
		"more services":        "20 more services | not drawn | 40000 calls |  | read_only 1.00",
		"service s48":          "s48 | service | 2000 calls | 1 denied | read_only 1.00 denied 0.00",
		"resource order:99999": "order:99999 | delete, irreversible | 1 call |  | irreversible 1.00",
		"resource order:99998": "order:99998 | delete, irreversible | 1 call | 1 denied | denied 1.00",
	} {
		if g.nodes[id] != want {
			t.Errorf("%s: %q, want %q", id, g.nodes[id], want)
		}
	}
	drawn, from := 0, map[string]int{}
	for id := range g.nodes {
		if strings.HasPrefix(id, "resource ") {
			drawn++
		}
	}
	for id, calls := range g.calls {
		source, _, _ := strings.Cut(id, " → ")
		from[source] += calls
	}
	if drawn != 150 || from["run"] != n {
		t.Errorf("%d resources are drawn, %d calls go out of the run", drawn, from["run"])
	}
	for id, calls := range from {
		if id != "run" && calls != g.calls["run → "+id] {
			t.Errorf("%s: %d calls go in, %d out", id, g.calls["run → "+id], calls)
		}
	}
	for _, want := range []string{"150 of 60000 resources of services are drawn", "30 services are drawn, the most dangerous ones; 20 more"} {
		if !strings.Contains(g.notices, want) {
			t.Errorf("not said: %s\n%s", want, g.notices)
		}
	}
	if few := s.graph(3); !strings.HasPrefix(few.nodes["resource order:99999"], "order:99999") || len(few.nodes) != 1+30+1+3+30 {
		t.Errorf("3 resources: %d nodes", len(few.nodes))
	}
}

// A call that a gateway, a service and the check saw is one, by the service that the counted row names; what only a row that does not
// count names is drawn, too.
func TestGraphCountsACallOfThreeObserversThreeTimes(t *testing.T) {
	s := newStore(t)
	s.calls(6, func(i int, c *schema.Call) {
		c.Path, c.Resources, c.API = "/orders/1", []schema.Resource{{Type: "order", ID: "1"}}, "shop"
		switch i {
		case 1:
			c.ObserverKind, c.Observer, c.API, c.Duplicate = schema.ObserverServer, "shop", "", true
		case 2:
			c.ObserverKind, c.Observer, c.API, c.Duplicate = schema.ObserverGate, "flyball", "", true
		case 3: // another resource in a row that does not count
			c.Duplicate, c.Resources = true, []schema.Resource{{Type: "invoice", ID: "4"}}
		case 4, 5:
			c.Path, c.Outcome = "/orders/2", denied
		}
	})
	g := s.graph(0)
	touched := s.frames(plugin.Query{Type: "touched", Run: "task-1"})[0]
	var rows, nodes []string
	for i, r := range column(touched, "resource") {
		rows = append(rows, r+" "+column(touched, "calls")[i])
	}
	for id, text := range g.nodes {
		if name, is := strings.CutPrefix(id, "resource "); is {
			nodes = append(nodes, name+" "+strings.Fields(strings.Split(text, " | ")[2])[0])
		}
	}
	slices.Sort(rows)
	slices.Sort(nodes)
	same(t, "the graph beside the table", nodes, rows...)
	if g.nodes["service shop"] == "" || g.nodes["service edge"] != "" || g.nodes["service flyball"] != "" {
		t.Errorf("services: %v", g.nodes)
	}
}

// Of a run whose calls have expired nothing is known but its numbers: an empty graph says so, and none is drawn from what is left.
func TestGraphOfAnExpiredRunIsStale(t *testing.T) {
	s := newStore(t)
	s.calls(3, func(_ int, c *schema.Call) { c.API = "shop" })
	s.run("ALTER TABLE {db}.calls_v5 DELETE WHERE 1 SETTINGS mutations_sync = 1")
	f := s.frames(plugin.Query{Type: "touched_graph", Run: "task-1"})
	if f[0].Rows() != 0 || f[1].Rows() != 0 || !strings.Contains(noticesOf(f[0]), "nothing_found: no call of run") {
		t.Errorf("%d nodes, %s", f[0].Rows(), noticesOf(f[0]))
	}
}
