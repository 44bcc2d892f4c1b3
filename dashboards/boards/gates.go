package boards

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func gates() Board {
	return Board{UID: gatesUID, Title: "Breakers and gates", About: "What is held, what was held, and what waits for a person.",
		variables: slices.Concat([]dashboard.VariableModel{sourceVariable()}, anyAgent()),
		panels: []panel{
			statOf(panel{title: "Now", w: 24, h: 4, unit: "locale",
				about: "Scopes that are held, questions that wait, and trips in this time. Red: one or more.",
				asks: []Query{{Type: "count", Of: "held", Agent: "${agent}"}, {Type: "count", Of: "gates_waiting", Agent: "${agent}"},
					{Type: "count", Of: "trips", Agent: "${agent}"}}},
				thresholds(green, step{1, vermilion}), "held now", "gates waiting", "trips"),
			gatesTable(panel{title: "Gates waiting", w: 24, h: 7,
				about: "Calls that wait for a person, the one that waits longest first. Without an answer in 15 minutes the answer is no.",
				empty: "No call waits for an answer.", asks: []Query{{Type: "gates", Agent: "${agent}", State: "waiting"}}}),
			heldTable(panel{title: "Held now", w: 24, h: 8,
				about: "One row for each run, agent, credential or tenant whose calls are refused or slowed now. Reset lets it call again.",
				empty: "Nothing is held now.", asks: []Query{{Type: "held", Agent: "${agent}"}}}),
			bypassTable(panel{title: "The enforcement itself", w: 24, h: 6,
				about: "What the store knows of the enforcement. While a bypass holds, nothing is refused: the button ends the one of the tenant.",
				empty: "Nothing is known of the enforcement.",
				asks:  []Query{{Type: "health", Part: "breakers"}}}),
			tableOf(panel{title: "Changes of breakers", w: 24, h: 9,
				about: "Every change in this time, the latest first. Red: irreversible calls between the onset and the trip.",
				empty: "No breaker changed in this time.", asks: []Query{{Type: "breakers", Agent: "${agent}"}}},
				column{name: "since", width: 126, look: moment}, column{name: "state", width: 96, look: worded}, column{name: "scope", width: 150, wraps: true},
				agentColumn(200), column{name: "reason", width: 220, wide: true},
				column{name: "irreversible before", width: 146, look: danger}, column{name: "by", width: 100}, column{name: "mode", width: 90},
				runColumn(80)),
			askedTable(panel{title: "Questions and answers", w: 24, h: 8, about: "Every question in this time, those that wait first.",
				empty: "No question in this time.", asks: []Query{{Type: "gates", Agent: "${agent}"}}}),
		}}
}
