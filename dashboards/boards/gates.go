package boards

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func gates() Board {
	return Board{UID: gatesUID, Title: "Breakers and gates", About: "What is held, what was held, and what waits for a person.",
		variables: slices.Concat([]dashboard.VariableModel{sourceVariable()}, anyAgent()),
		panels: []panel{
			statOf(panel{title: "Now", w: 10, h: 5, unit: "locale",
				about: "Scopes that are held, questions that wait, and trips in this time. Red: one or more.",
				asks: []Query{{Type: "count", Of: "held", Agent: "${agent}"}, {Type: "count", Of: "gates_waiting", Agent: "${agent}"},
					{Type: "count", Of: "trips", Agent: "${agent}"}}},
				thresholds(green, step{1, vermilion}), "held now", "gates waiting", "trips"),
			bypassTable(panel{title: "Bypasses in force", w: 14, h: 5,
				about: "While a bypass holds, nothing in its scope is refused. The control API knows them; the button ends the one of the tenant.",
				empty: "No bypass is in force.", asks: []Query{{Type: "health", Part: "bypass"}}}),
			gatesTable(panel{title: "Gates waiting", w: 24, h: 7,
				about: "Calls that wait for a person, the one that waits longest first. Without an answer in 15 minutes the answer is no.",
				empty: "No call waits for an answer.", asks: []Query{{Type: "gates", Agent: "${agent}", State: "waiting"}}}),
			heldTable(panel{title: "Held now", w: 24, h: 8,
				about: "One row for each run, agent, credential or tenant whose calls are refused or slowed now. Reset lets it call again.",
				empty: "Nothing is held now.", asks: []Query{{Type: "held", Agent: "${agent}"}}}),
			healthTable(panel{title: "The enforcement itself", w: 24, h: 6,
				about: "What is known of the enforcement: scopes that are held, and whether each point follows the log.",
				empty: "Nothing is known of the enforcement.",
				asks:  []Query{{Type: "health", Part: "breakers"}}}),
			tableOf(panel{title: "Changes of breakers", w: 24, h: 9,
				about: "Every change in this time, the latest first. Red: irreversible calls between the onset and the trip.",
				empty: "No breaker changed in this time.", asks: []Query{{Type: "breakers", Agent: "${agent}"}}},
				column{name: "since", width: 126, look: moment}, column{name: "state", width: 108, look: worded},
				column{name: "scope", width: scopeWidth, wraps: true, links: []link{toRun}},
				agentColumn(170), column{name: "reason", width: 210, wide: true},
				column{name: "irreversible before", width: 150, look: danger},
				column{name: "by", width: 120, wraps: true}, column{name: "mode", width: 76}),
			askedTable(panel{title: "Questions and answers", w: 24, h: 8, about: "Every question in this time, those that wait first.",
				empty: "No question in this time.", asks: []Query{{Type: "gates", Agent: "${agent}"}}}),
		}}
}
