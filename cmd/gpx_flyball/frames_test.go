package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/dashboards/plugin"
)

// documented is a frame as Grafana documents it for a visualization: the fields that it reads, with their types.
type documented struct {
	is       data.VisType
	required map[string]data.FieldType
	optional map[string]data.FieldType
	others   *regexp.Regexp // names of further fields
}

var (
	nodesFrame = documented{data.VisTypeNodeGraph, map[string]data.FieldType{"id": data.FieldTypeString},
		map[string]data.FieldType{"title": data.FieldTypeString, "subtitle": data.FieldTypeString, "mainstat": 0, "secondarystat": 0,
			"color": 0, "icon": data.FieldTypeString, "nodeRadius": 0, "highlighted": data.FieldTypeBool},
		regexp.MustCompile(`^(arc__|detail__)\w+$`)}
	edgesFrame = documented{data.VisTypeNodeGraph, map[string]data.FieldType{"id": data.FieldTypeString, "source": data.FieldTypeString,
		"target": data.FieldTypeString},
		map[string]data.FieldType{"mainstat": 0, "secondarystat": 0, "thickness": 0, "highlighted": data.FieldTypeBool,
			"color": data.FieldTypeString, "strokeDasharray": data.FieldTypeString},
		regexp.MustCompile(`^detail__\w+$`)}
	spansFrame = documented{data.VisTypeTrace, map[string]data.FieldType{"traceID": data.FieldTypeString, "spanID": data.FieldTypeString,
		"parentSpanID": data.FieldTypeString, "operationName": data.FieldTypeString, "serviceName": data.FieldTypeString,
		"serviceTags": data.FieldTypeJSON, "startTime": data.FieldTypeFloat64, "duration": data.FieldTypeFloat64},
		map[string]data.FieldType{"logs": data.FieldTypeJSON, "references": data.FieldTypeJSON, "tags": data.FieldTypeJSON,
			"kind": data.FieldTypeString, "statusCode": 0, "statusMessage": data.FieldTypeString,
			"instrumentationLibraryName": data.FieldTypeString, "instrumentationLibraryVersion": data.FieldTypeString,
			"traceState": data.FieldTypeString, "warnings": data.FieldTypeJSON, "stackTraces": data.FieldTypeJSON,
			"errorIconColor": data.FieldTypeString}, nil}
	linesFrame = documented{data.VisTypeLogs, map[string]data.FieldType{"timestamp": data.FieldTypeTime, "body": data.FieldTypeString},
		map[string]data.FieldType{"severity": data.FieldTypeString, "id": data.FieldTypeString, "labels": data.FieldTypeJSON}, nil}
)

// check fails for a field that Grafana does not read, or reads as another type. A nullable field is one of its type; 0 is any type.
func (d *documented) check(t *testing.T, f *data.Frame) {
	t.Helper()
	if f.Meta == nil || f.Meta.PreferredVisualization != d.is || f.Rows() == 0 {
		t.Errorf("%s: %d rows, drawn as %+v", f.Name, f.Rows(), f.Meta)
	}
	for name, kind := range d.required {
		if field, _ := f.FieldByName(name); field == nil || field.Type().NonNullableType() != kind {
			t.Errorf("%s has no field %s of the type %s", f.Name, name, kind)
		}
	}
	for _, field := range f.Fields {
		kind, known := d.required[field.Name]
		if !known {
			kind, known = d.optional[field.Name]
		}
		switch {
		case !known && (d.others == nil || !d.others.MatchString(field.Name)):
			t.Errorf("%s: Grafana does not read the field %s", f.Name, field.Name)
		case known && kind != 0 && field.Type().NonNullableType() != kind:
			t.Errorf("%s: %s is a %s, Grafana reads a %s", f.Name, field.Name, field.Type(), kind)
		}
	}
}

// Node graph, trace and logs are in no package and cannot be drawn here: their frames are compared with what Grafana documents.
func TestGraphTraceOrLogHasFieldsThatGrafanaDoesNotRead(t *testing.T) {
	s := newStore(t)
	s.tell()
	graph := s.frames(plugin.Query{Type: "touched_graph", Run: "task-1"})
	if len(graph) != 2 || graph[0].Name != "nodes" || graph[1].Name != "edges" {
		t.Fatalf("a graph is the frames nodes and edges: %v", graph)
	}
	nodesFrame.check(t, graph[0])
	edgesFrame.check(t, graph[1])
	ids := column(graph[0], "id")
	for _, end := range append(column(graph[1], "source"), column(graph[1], "target")...) {
		if !slices.Contains(ids, end) {
			t.Errorf("an edge ends at %q, which is no node", end)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		t.Errorf("two nodes have one id: %v", ids)
	}
	arcs := 0
	for _, field := range graph[0].Fields {
		if len(field.Name) > 5 && field.Name[:5] == "arc__" {
			arcs++
			if field.Config == nil || len(field.Config.Color) == 0 {
				t.Errorf("the arc %s has no colour", field.Name)
			}
		}
	}
	for row := range ids {
		sum := 0.0
		for _, field := range graph[0].Fields {
			if len(field.Name) > 5 && field.Name[:5] == "arc__" {
				if v, err := field.NullableFloatAt(row); err == nil && v != nil {
					sum += *v
				}
			}
		}
		if arcs > 0 && (sum < 0.999 || sum > 1.001) {
			t.Errorf("the arcs of the node %s are %v of a circle", ids[row], sum)
		}
	}

	trace := s.frames(plugin.Query{Type: "trace", Run: "task-1"})[0]
	spansFrame.check(t, trace)
	spans, parents := column(trace, "spanID"), column(trace, "parentSpanID")
	for i, parent := range parents {
		if parent != "" && parent != "-" && !slices.Contains(spans, parent) {
			t.Errorf("the span %s is below %q, which is none", spans[i], parent)
		}
	}
	for _, name := range []string{"tags", "serviceTags"} {
		for _, text := range column(trace, name) {
			var pairs []struct {
				Key   string
				Value any
			}
			if err := json.Unmarshal([]byte(text), &pairs); err != nil || name == "tags" && len(pairs) == 0 || len(pairs) > 0 && pairs[0].Key == "" {
				t.Errorf("%s: %s is no list of keys and values (%v)", name, text, err)
			}
		}
	}
	for _, text := range column(trace, "logs") {
		var events []struct {
			Timestamp float64
			Fields    []struct {
				Key   string
				Value any
			}
		}
		if err := json.Unmarshal([]byte(text), &events); err != nil {
			t.Errorf("logs: %s: %v", text, err)
		}
		for _, e := range events {
			if e.Timestamp < 1e12 || len(e.Fields) == 0 || e.Fields[0].Key == "" {
				t.Errorf("logs: %+v is at no millisecond, or says nothing", e)
			}
		}
	}

	lines := s.frames(plugin.Query{Type: "logs", Run: "task-1"})[0]
	linesFrame.check(t, lines)
	if lines.Meta.Type != data.FrameTypeLogLines {
		t.Errorf("the type of log lines is %q", lines.Meta.Type)
	}
	for _, text := range column(lines, "labels") {
		var labels map[string]string
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			t.Errorf("labels: %s: %v", text, err)
		}
	}
	for _, severity := range column(lines, "severity") {
		if !slices.Contains([]string{"critical", "error", "warning", "info", "debug", "trace"}, severity) {
			t.Errorf("Grafana has no colour for the severity %q", severity)
		}
	}
}
