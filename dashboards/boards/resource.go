package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func resourceBoard() Board {
	here := link{title: "What else this run did, below", board: resourceUID, vars: map[string]string{"run": "run", "resource": ""}}
	return Board{UID: resourceUID, Title: "Resource", About: "Who touched one resource, and what else they did.",
		variables: []dashboard.VariableModel{sourceVariable(),
			queryVariable("resource", "Resource", "the name as calls have it, such as order:7", Query{Of: "resources"}),
			queryVariable("run", "Run", "click a route in the first table", Query{Of: "runs"})},
		panels: []panel{
			tableOf(panel{title: "Who touched it, worst first", w: 24, h: 9,
				about: "One row for each run and effect on the resource: how many calls were carried out (ok), failed and were denied. " +
					"Click the route to see below what else its run did.",
				empty: "Nobody touched this resource in this time.", asks: []Query{{Type: "resource", Resource: "${resource}"}}},
				column{name: "reversibility", width: 110, look: worded}, column{name: "effect", width: 80},
				column{name: "route", width: 226, wide: true, links: []link{here}}, agentColumn(220),
				column{name: "ok", width: 70, look: count}, column{name: "failed", width: 70, look: caution}, column{name: "denied", width: 70,
					look: caution}, column{name: "first", width: 126, look: moment}, column{name: "last", width: 126, look: moment},
				runColumn()),
			heldTable(panel{title: "Held now", w: 24, h: 6, about: "Every scope that is held now, of any agent.",
				empty: "Nothing is held now.", asks: []Query{{Type: "held"}}}),
			tableOf(panel{title: "What the selected run touched", w: 24, h: 9, about: "Everything that the run touched, the worst first.",
				empty: "Click a route in the first table.", asks: []Query{{Type: "touched", Run: "${run}"}}},
				column{name: "reversibility", width: 110, look: worded}, column{name: "effect", width: 90},
				column{name: "resource", width: 260, wide: true, links: []link{toResource}},
				column{name: "ok", width: 70, look: count}, column{name: "failed", width: 70, look: caution}, column{name: "denied", width: 70,
					look: caution}, column{name: "route", width: 240, wraps: true}, column{name: "first", width: 126, look: moment},
				column{name: "last", width: 126, look: moment}),
			graphOf(panel{title: "Reach of the selected run", w: 12, h: 12,
				about: "Run, services and resources; the colour is how well the effects can be undone.",
				empty: "Click a route in the first table.", asks: []Query{{Type: "touched_graph", Run: "${run}"}}}),
			logsOf(panel{title: "The selected run in order", w: 12, h: 12, about: "Its calls, findings and decisions, the earliest first.",
				empty: "Click a route in the first table.", asks: []Query{{Type: "logs", Run: "${run}", Limit: 1000}}}),
		}}
}
