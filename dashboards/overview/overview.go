// Package overview generates the first dashboard for an analyst.
//
// The output is dashboards/json/overview.json, which must not be edited by hand: a test
// compares the two.
package overview

import (
	"encoding/json"

	"flyball/dashboards/plugin"
)

type object = map[string]any

var source = object{"type": plugin.ID, "uid": "flyball"}

// panel is a panel with its place in a grid of 24 columns.
type panel struct {
	title, about, kind string
	x, y, w, h         int
	query              plugin.Query
	options            object
	defaults           object
	overrides          []object
}

// JSON returns the dashboard in the form that Grafana's file provisioning reads.
func JSON() ([]byte, error) {
	panels := []object{}
	for i, p := range layout {
		panels = append(panels, object{
			"id": i + 1, "type": p.kind, "title": p.title, "description": p.about, "datasource": source,
			"gridPos": object{"x": p.x, "y": p.y, "w": p.w, "h": p.h},
			"targets": []object{{"refId": "A", "datasource": source, "queryType": p.query.Type, "agent": p.query.Agent, "run": p.query.Run,
				"minLevel": p.query.MinLevel, "limit": p.query.Limit}},
			"options": p.options, "fieldConfig": object{"defaults": p.defaults, "overrides": p.overrides},
		})
	}
	b, err := json.MarshalIndent(object{
		"uid": "flyball-overview", "title": "Flyball · Overview", "tags": []string{"flyball"}, "schemaVersion": 41, "version": 1,
		"editable": false,
		"time":     object{"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "utc", "panels": panels,
		"templating": object{"list": []object{
			{"name": "agent", "label": "Agent", "type": "textbox", "query": "", "current": object{"text": "", "value": ""},
				"description": "exact name; empty is all"},
			{"name": "run", "label": "Run", "type": "textbox", "query": "", "current": object{"text": "", "value": ""},
				"description": "a run id, or the run's own key: click one in a table"},
		}},
		"links": []object{}, "annotations": object{"list": []object{}},
	}, "", " ")
	return append(b, '\n'), err
}

var table = object{"cellHeight": "sm", "showHeader": true}

// words are the colours of values by their severity, the same in every table.
var words = []object{{"type": "value", "options": object{
	"trip": object{"color": "red", "index": 0}, "alert": object{"color": "orange", "index": 1}, "annotate": object{"color": "yellow",
		"index": 2},
	"irreversible": object{"color": "red", "index": 3}, "compensable": object{"color": "orange", "index": 4},
	"reversible": object{"color": "yellow", "index": 5}, "read_only": object{"color": "green", "index": 6},
	"open": object{"color": "red", "index": 7}, "forced_open": object{"color": "red", "index": 8}, "closed": object{"color": "green",
		"index": 9},
}}}

func byName(field string, properties ...object) object {
	return object{"matcher": object{"id": "byName", "options": field}, "properties": properties}
}

func property(id string, value any) object { return object{"id": id, "value": value} }

func coloured(field string) object {
	return byName(field, property("custom.cellOptions", object{"type": "color-text"}), property("mappings", words))
}

// chosen makes a click on a run show the run in the panels below.
var chosen = byName("run", property("links", []object{{"title": "Show this run below",
	"url": "/d/flyball-overview?var-run=${__value.raw}&${__url_time_range}"}}), property("custom.width", 290))

var layout = []panel{
	{title: "Calls", about: "What gateways and services logged, by what became of it. Denied calls did not reach the API.",
		kind: "timeseries", x: 0, y: 0, w: 12, h: 8,
		query: plugin.Query{Type: "calls", Agent: "${agent}"}, options: object{"legend": object{"displayMode": "list", "placement": "bottom",
			"showLegend": true}, "tooltip": object{"mode": "multi", "sort": "desc"}},
		defaults: object{"custom": object{"fillOpacity": 10, "lineWidth": 1}, "min": 0},
		overrides: []object{byName("denied", property("color", object{"mode": "fixed", "fixedColor": "red"})), byName("irreversible",
			property("color", object{"mode": "fixed", "fixedColor": "orange"}))}},
	{title: "Breakers", about: "Who is held, or was: the latest change of each. Reset with flyball breakers reset.", kind: "table", x: 12,
		y: 0, w: 12, h: 8,
		query: plugin.Query{Type: "breakers", Agent: "${agent}"}, options: table, defaults: object{}, overrides: []object{coloured("state"),
			chosen}},
	{title: "Findings", about: "What the detector found, with the share of clean runs that come as far, and how well the caller was known.",
		kind: "table", x: 0, y: 8, w: 24,
		h:     8,
		query: plugin.Query{Type: "findings", Agent: "${agent}"}, options: table, defaults: object{}, overrides: []object{coloured("level"),
			chosen}},
	{title: "Runs", about: "One line for each run of an agent, the latest first.", kind: "table", x: 0, y: 16, w: 24, h: 10,
		query: plugin.Query{Type: "runs", Agent: "${agent}"}, options: table, defaults: object{}, overrides: []object{coloured("level"), chosen}},
	{title: "What the run touched", about: "The most dangerous first. Choose a run above.", kind: "table", x: 0, y: 26, w: 12, h: 12,
		query: plugin.Query{Type: "touched", Run: "${run}"}, options: table, defaults: object{}, overrides: []object{coloured("reversibility")}},
	{title: "The run's calls", about: "One span for each call. Choose a run above.", kind: "traces", x: 12, y: 26, w: 12, h: 12,
		query: plugin.Query{Type: "trace", Run: "${run}", Limit: 1000}, options: object{}, defaults: object{}, overrides: []object{}},
}
