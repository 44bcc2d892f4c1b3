package plugin

import (
	"context"
	"fmt"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// maxGraphResources is the maximum number of resources of a graph: more cannot be read.
const maxGraphResources = 150

// arcs are the parts of the circle of a node, with their colours, which are those of the dashboards: what was carried out by
// reversibility, and apart from it what failed and what was denied.
var arcs = []struct{ name, color string }{{"irreversible", "#D55E00"}, {"compensable", "#E69F00"}, {"reversible", "#56B4E9"},
	{"unknown", "#999999"}, {"read_only", "#009E73"}, {"failed", "#CC79A7"}, {"denied", "#0072B2"}}

// node is a node of the graph.
type node struct {
	id, title, subtitle string
	calls               uint64
	parts               query.Reached
	routes              []string
}

// edge is an edge of the graph.
type edge struct {
	source, target string
	query.Reached
}

// graph is what is drawn of what a run reached.
type graph struct {
	nodes []node
	edges []edge
	place map[string]int // of a node by its id
}

func answerTouchedGraph(ctx context.Context, q *question) (data.Frames, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	reach, err := query.ReachOf(ctx, q.db, &run, min(q.Limit, maxGraphResources))
	if err != nil {
		return nil, err
	}
	return graphFrames(reach), nil
}

// graphFrames draws run, services and resources. What is not drawn of a service is one node, and so are further services.
func graphFrames(r *query.Reach) data.Frames {
	g := graph{place: map[string]int{}}
	if len(r.Services) > 0 {
		g.run(r)
		g.services(r)
	}
	out := data.Frames{nodesFrame(g.nodes), edgesFrame(g.edges)}
	for _, text := range notDrawn(r) {
		out[0].AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: text})
	}
	appendCaveats(out[0], r.Report.Caveats)
	return out
}

func (g *graph) run(r *query.Reach) {
	title := r.Report.Subject.Value
	if run := r.Report.Run; run != nil && run.AgentID != "" {
		title = run.AgentID
	}
	n := node{id: "run", title: title, subtitle: "run", calls: r.Report.Calls}
	n.parts.Add(&r.More)
	for i := range r.Services {
		n.parts.Add(&r.Services[i].Reached)
	}
	g.add(n)
}

func (g *graph) services(r *query.Reach) {
	drawn := map[query.Place]*query.Reached{}
	number := map[query.Place]uint64{}
	for i := range r.Services {
		s := &r.Services[i]
		g.add(node{id: idOf(s.Place), title: s.Name, subtitle: kindOf(s), calls: s.Calls, parts: s.Reached})
		g.connect("run", idOf(s.Place), &s.Reached)
		drawn[s.Place] = &query.Reached{}
	}
	for i := range r.Pairs {
		p := &r.Pairs[i]
		id := "resource " + p.Resource
		g.add(node{id: id, title: resourceTitle(p.Resource), subtitle: p.Effect + ", " + words(p.Reversibility), calls: p.Sum(),
			parts: p.Reached, routes: p.Routes})
		g.connect(idOf(p.Place), id, &p.Reached)
		if drawn[p.Place] != nil {
			drawn[p.Place].Add(&p.Reached)
			number[p.Place]++
		}
	}
	for i := range r.Services {
		s := &r.Services[i]
		if s.Resources <= number[s.Place] {
			continue
		}
		left := s.Minus(drawn[s.Place])
		n := node{id: "more of " + idOf(s.Place), title: wording.Count(s.Resources-number[s.Place], "more resource"),
			subtitle: "not drawn", calls: left.Sum(), parts: left}
		g.add(n)
		g.connect(idOf(s.Place), n.id, &left)
	}
	if r.MoreServices > 0 {
		n := node{id: "more services", title: wording.Count(r.MoreServices, "more service"), subtitle: "not drawn",
			calls: r.More.Sum(), parts: r.More}
		g.add(n)
		g.connect("run", n.id, &r.More)
	}
}

// notDrawn says what the graph does not draw, and of what the log names no service.
func notDrawn(r *query.Reach) (out []string) {
	var pairs uint64
	routes := 0
	for i := range r.Services {
		pairs += r.Services[i].Resources
		if r.Services[i].IsRoute {
			routes++
		}
	}
	if pairs > uint64(len(r.Pairs)) {
		out = append(out, fmt.Sprintf("%d of %d resources of services are drawn, the most dangerous ones; the table has the others.",
			len(r.Pairs), pairs))
	}
	if r.MoreServices > 0 {
		out = append(out, fmt.Sprintf("%d services are drawn, the most dangerous ones; %d more are one node.", len(r.Services), r.MoreServices))
	}
	if routes > 0 {
		out = append(out, fmt.Sprintf("The log names no service for the calls of %s: the route is drawn in its place.",
			wording.Count(routes, "route")))
	}
	return out
}

func idOf(p query.Place) string {
	if p.IsRoute {
		return "route " + p.Name
	}
	return "service " + p.Name
}

func kindOf(s *query.ReachedService) string {
	kind := "service"
	if s.IsRoute {
		kind = "route, no service named"
	}
	if s.Behalf == s.Calls {
		kind += ", on its behalf"
	}
	return kind
}

func resourceTitle(name string) string {
	if name == "?:?" {
		return "no resource named"
	}
	return name
}

// words returns a word of the schema as people read it.
func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

// add adds a node, or to the calls of the node with its id.
func (g *graph) add(n node) {
	i, ok := g.place[n.id]
	if !ok {
		g.place[n.id], g.nodes = len(g.nodes), append(g.nodes, n)
		return
	}
	old := &g.nodes[i]
	old.calls += n.calls
	parts := old.parts
	old.parts = query.Reached{}
	old.parts.Add(&parts)
	old.parts.Add(&n.parts)
}

func (g *graph) connect(from, to string, calls *query.Reached) {
	g.edges = append(g.edges, edge{from, to, *calls})
}

func nodesFrame(nodes []node) *data.Frame {
	fields := []field[node]{
		text("id", func(n *node) string { return n.id }),
		text("title", func(n *node) string { return n.title }),
		text("subtitle", func(n *node) string { return n.subtitle }),
		text("mainstat", func(n *node) string { return wording.Count(n.calls, "call") }).describedAs("calls"),
		text("secondarystat", func(n *node) string { return stopped(&n.parts) }).describedAs("failed and denied calls"),
	}
	for _, a := range arcs {
		fields = append(fields, number("arc__"+a.name, func(n *node) float64 { return share(&n.parts, a.name) }).inUnit("percentunit", 2))
	}
	fields = append(fields, text("detail__routes", func(n *node) string { return strings.Join(n.routes, ", ") }).describedAs("at most three"))
	out := frame("nodes", data.VisTypeNodeGraph, nodes, len(nodes), fields...)
	for _, f := range out.Fields {
		for _, a := range arcs {
			if f.Name == "arc__"+a.name {
				f.Config.Color = map[string]any{"mode": "fixed", "fixedColor": a.color}
				f.Config.DisplayName = words(a.name)
			}
		}
	}
	return out
}

func edgesFrame(edges []edge) *data.Frame {
	return frame("edges", data.VisTypeNodeGraph, edges, len(edges),
		text("id", func(e *edge) string { return e.source + " → " + e.target }),
		text("source", func(e *edge) string { return e.source }),
		text("target", func(e *edge) string { return e.target }),
		number("mainstat", func(e *edge) uint64 { return e.Sum() }).describedAs("calls"),
		text("secondarystat", func(e *edge) string { return stopped(&e.Reached) }).describedAs("failed and denied calls"),
	)
}

// share returns the part of calls that an arc stands for.
func share(r *query.Reached, arc string) float64 {
	n := r.Done[arc]
	switch arc {
	case "failed":
		n = r.Failed
	case "denied":
		n = r.Denied
	}
	if sum := r.Sum(); sum > 0 {
		return float64(n) / float64(sum)
	}
	return 0
}

// stopped says how many calls failed and were denied; empty: none.
func stopped(r *query.Reached) string {
	var out []string
	if r.Failed > 0 {
		out = append(out, fmt.Sprint(r.Failed, " failed"))
	}
	if r.Denied > 0 {
		out = append(out, fmt.Sprint(r.Denied, " denied"))
	}
	return strings.Join(out, ", ")
}
