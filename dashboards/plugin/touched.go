package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// touchedBy reads the touched set of the run of a question.
func touchedBy(ctx context.Context, q *question) (*query.Touched, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	return query.TouchedBy(ctx, q.db, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
}

func answerTouched(ctx context.Context, q *question) (data.Frames, error) {
	report, err := touchedBy(ctx, q)
	if err != nil {
		return nil, err
	}
	return data.Frames{touchedFrame(report, q.Limit)}, nil
}

// touchedFrame returns the resources of a report, with its caveats as notices.
func touchedFrame(report *query.Touched, limit int) *data.Frame {
	type row = query.TouchedResource
	out := table("touched", report.Resources, limit, "The run has no stored calls.",
		text("reversibility", func(r *row) string { return r.Reversibility }),
		text("effect", func(r *row) string { return r.Effect }),
		text("resource", func(r *row) string { return r.Resource }),
		number("ok", func(r *row) uint64 { return r.OK }).describedAs("calls that were carried out, or not known to have failed"),
		number("failed", func(r *row) uint64 { return r.Failed }).describedAs(aboutFailed),
		number("denied", func(r *row) uint64 { return r.Denied }).describedAs(aboutDenied),
		text("route", func(r *row) string { return joined(r.Method, r.Route) }),
		moment("first", func(r *row) time.Time { return r.FirstAt.Time }),
		moment("last", func(r *row) time.Time { return r.LastAt.Time }),
		number("calls", func(r *row) uint64 { return r.Calls }),
	)
	appendCaveats(out, report.Caveats)
	return out
}

// appendCaveats adds what a report may lack as notices.
func appendCaveats(f *data.Frame, caveats []string) {
	for _, c := range caveats {
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: schema.Visible(c)})
	}
}

// touching is a run's use of a resource.
type touching struct {
	query.TouchedResource
	run, agent string
}

func answerResource(ctx context.Context, q *question) (data.Frames, error) {
	if q.Resource == "" {
		return emptyFrame(q.Type, "No resource is chosen: enter its type and id, such as order:7."), nil
	}
	report, err := query.TouchedBy(ctx, q.db, query.Subject{Kind: "resource", Value: q.Resource}, nil, q.window())
	if err != nil {
		return nil, err
	}
	rows := make([]touching, len(report.Resources))
	for i, r := range report.Resources {
		rows[i] = touching{r, first(r.Runs), first(r.Agents)}
	}
	out := table("resource", rows, q.Limit, "Nobody touched it in this time range.",
		text("agent", func(r *touching) string { return r.agent }),
		text("reversibility", func(r *touching) string { return r.Reversibility }),
		text("effect", func(r *touching) string { return r.Effect }),
		number("ok", func(r *touching) uint64 { return r.OK }).describedAs("calls that were carried out, or not known to have failed"),
		number("failed", func(r *touching) uint64 { return r.Failed }).describedAs(aboutFailed),
		number("denied", func(r *touching) uint64 { return r.Denied }).describedAs(aboutDenied),
		moment("first", func(r *touching) time.Time { return r.FirstAt.Time }),
		moment("last", func(r *touching) time.Time { return r.LastAt.Time }),
		text("run", func(r *touching) string { return r.run }),
		text("route", func(r *touching) string { return joined(r.Method, r.Route) }),
	)
	appendCaveats(out, report.Caveats)
	return data.Frames{out}, nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// maxGraphResources is the maximum number of resources of a graph: more cannot be read.
const maxGraphResources = 150

// arcs are the parts of the circle of a resource, with their colours: what was carried out by reversibility, and apart from it what
// failed and what was denied.
var arcs = []struct{ name, color string }{{"irreversible", "#d55e00"}, {"compensable", "#e69f00"}, {"reversible", "#f0e442"},
	{"unknown", "#999999"}, {"read_only", "#0072b2"}, {"failed", "#cc79a7"}, {"denied", "#333333"}}

// node is a node of the graph.
type node struct {
	id, title, subtitle string
	main                string // what is written into the node
	parts               map[string]float64
}

// edge is an edge of the graph.
type edge struct {
	source, target string
	calls          uint64
}

func answerTouchedGraph(ctx context.Context, q *question) (data.Frames, error) {
	report, err := touchedBy(ctx, q)
	if err != nil {
		return nil, err
	}
	return graphFrames(report, min(q.Limit, maxGraphResources)), nil
}

// graphFrames draws run, routes and resources, the most dangerous resources if there are more than the limit.
func graphFrames(report *query.Touched, limit int) data.Frames {
	rows := report.Resources
	all := len(rows)
	rows = rows[:min(all, limit)]
	var nodes []node
	var edges []edge
	if len(rows) > 0 {
		title := report.Subject.Value
		if report.Run != nil && report.Run.AgentID != "" {
			title = report.Run.AgentID
		}
		nodes = append(nodes, node{id: "run", title: title, subtitle: "run", main: fmt.Sprint(report.Calls)})
	}
	place := map[string]int{} // of a node
	link := map[[2]string]int{}
	add := func(n node) *node {
		i, ok := place[n.id]
		if !ok {
			i = len(nodes)
			n.parts = map[string]float64{}
			place[n.id], nodes = i, append(nodes, n)
		}
		return &nodes[i]
	}
	connect := func(from, to string, calls uint64) {
		k := [2]string{from, to}
		i, ok := link[k]
		if !ok {
			i = len(edges)
			link[k], edges = i, append(edges, edge{from, to, 0})
		}
		edges[i].calls += calls
	}
	for i := range rows {
		r := &rows[i]
		route, resource := "route "+joined(r.Method, r.Route), "resource "+r.Resource
		add(node{id: route, title: joined(r.Method, r.Route), subtitle: "route"}).count(r)
		add(node{id: resource, title: r.Resource, subtitle: r.Effect}).count(r)
		connect("run", route, r.Calls)
		connect(route, resource, r.Calls)
	}
	out := data.Frames{nodesFrame(nodes), edgesFrame(edges)}
	if all > limit {
		out[0].AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning,
			Text: fmt.Sprintf("%d of %d resources are drawn, the most dangerous ones; the table has the others.", limit, all)})
	}
	appendCaveats(out[0], report.Caveats)
	return out
}

// count adds the calls of a resource to the parts of a node.
func (n *node) count(r *query.TouchedResource) {
	n.parts[r.Reversibility] += float64(r.OK)
	n.parts["failed"] += float64(r.Failed)
	n.parts["denied"] += float64(r.Denied)
}

func nodesFrame(nodes []node) *data.Frame {
	fields := []field[node]{
		text("id", func(n *node) string { return n.id }),
		text("title", func(n *node) string { return n.title }),
		text("subtitle", func(n *node) string { return n.subtitle }),
		text("mainstat", (*node).stat).describedAs("calls"),
		text("secondarystat", (*node).refused).describedAs("failed and denied calls"),
	}
	for _, a := range arcs {
		fields = append(fields, number("arc__"+a.name, func(n *node) float64 { return n.share(a.name) }).inUnit("percentunit", 2))
	}
	out := frame("nodes", data.VisTypeNodeGraph, nodes, len(nodes), fields...)
	for i, a := range arcs {
		out.Fields[len(out.Fields)-len(arcs)+i].Config.Color = map[string]any{"mode": "fixed", "fixedColor": a.color}
	}
	return out
}

func edgesFrame(edges []edge) *data.Frame {
	return frame("edges", data.VisTypeNodeGraph, edges, len(edges),
		text("id", func(e *edge) string { return e.source + " → " + e.target }),
		text("source", func(e *edge) string { return e.source }),
		text("target", func(e *edge) string { return e.target }),
		number("mainstat", func(e *edge) uint64 { return e.calls }).describedAs("calls"),
	)
}

func (n *node) total() (sum float64) {
	for _, v := range n.parts {
		sum += v
	}
	return sum
}

// share returns the part of a node's calls; all of the run's node is of no kind.
func (n *node) share(part string) float64 {
	if n.parts == nil {
		if part == "unknown" {
			return 1
		}
		return 0
	}
	if sum := n.total(); sum > 0 {
		return n.parts[part] / sum
	}
	return 0
}

func (n *node) stat() string {
	if n.parts == nil {
		return n.main
	}
	return fmt.Sprint(n.total())
}

func (n *node) refused() string {
	if n.parts["failed"]+n.parts["denied"] == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f failed, %.0f denied", n.parts["failed"], n.parts["denied"])
}
