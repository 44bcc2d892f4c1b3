package boards

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func overview() Board {
	return Board{UID: overviewUID, Title: "Overview", About: "Is anything running away now, and what is held.",
		variables: slices.Concat([]dashboard.VariableModel{sourceVariable()}, anyAgent(), []dashboard.VariableModel{filterVariable()}),
		panels: []panel{
			statOf(panel{title: "Now", w: 9, h: 4, unit: "locale",
				about: "What a person should look at first: scopes that are held now, approval questions that wait, and trips in this time. " +
					"Red: one or more.",
				asks: []Query{{Type: "count", Of: "held", Agent: "${agent}"}, {Type: "count", Of: "gates_waiting", Agent: "${agent}"},
					{Type: "count", Of: "trips", Agent: "${agent}"}}},
				thresholds(green, step{1, vermilion}), "held now", "gates waiting", "trips"),
			// By itself: beside other numbers one that is not known is left out.
			statOf(panel{title: "Bypasses in force", w: 5, h: 4, unit: "locale",
				about: "Scopes in which nothing is refused now. The control API knows them: not known without controlUrl, nor to a data source " +
					"that is bound to a tenant. Red: one or more.",
				asks: []Query{{Type: "count", Of: "bypasses"}}},
				thresholds(green, step{1, vermilion}), "bypasses"),
			statOf(panel{title: "In this time", w: 10, h: 4, unit: "locale",
				about: "Open findings, calls that were refused, and calls that were carried out and cannot be undone. Orange: one or more.",
				asks: []Query{{Type: "count", Of: "findings", Agent: "${agent}"}, {Type: "count", Of: "denied", Agent: "${agent}"},
					{Type: "count", Of: "irreversible", Agent: "${agent}"}}},
				thresholds(green, step{1, orange}), "open findings", "denied calls", "irreversible, done"),
			heldTable(panel{title: "Held now", w: 24, h: 6,
				about: "One row for each run, agent, credential or tenant whose calls are refused or slowed now. Reset lets it call again.",
				empty: "Nothing is held now.", asks: []Query{{Type: "held", Agent: "${agent}"}}}),
			findingsTable(panel{title: "Open findings, worst first", w: 24, h: 11,
				about: "What the detector found and nobody has judged. Clean runs: how many of those that were learned come as far. " +
					"Irreversible: carried out. Click the sentence to open the run.",
				empty: "No open finding in this time.", asks: []Query{{Type: "findings", Agent: "${agent}", State: "open"}}}),
			gatesTable(panel{title: "Gates waiting", w: 24, h: 6,
				about: "Calls that wait for a person. Without an answer in 15 minutes the answer is no. Grant allows one call, once.",
				empty: "No call waits for an answer.", asks: []Query{{Type: "gates", Agent: "${agent}", State: "waiting"}}}),
			qualityTable(panel{title: "Alarms against the budget", w: 24, h: 6,
				about: "How many of 1,000 runs reach each level: the budget of trips is 1 unless you set another. Benign ones are false " +
					"alarms that a person named.",
				empty: "No finding reached alert in this time.", asks: []Query{{Type: "quality"}}}),
			agentsTable(panel{title: "Agents by risk", w: 24, h: 8,
				about: "One row for each agent, the one with the worst open finding first. Irreversible: carried out in this time.",
				empty: "No agent called in this time.", asks: []Query{{Type: "agents", Agent: "${agent}"}}}),
			barsOf(panel{title: "Calls by outcome", w: 12, h: 8,
				about: "What gateways and services logged, in each interval. Denied calls did not reach the API. No bar: no call.",
				empty: "No call in this time.", asks: []Query{{Type: "calls", By: "outcome", Agent: "${agent}"}}}, outcomes),
			barsOf(panel{title: "Calls by reversibility", w: 12, h: 8,
				about: "How well the calls can be undone. Denied calls are counted too. No bar: no call.",
				empty: "No call in this time.", asks: []Query{{Type: "calls", By: "reversibility", Agent: "${agent}"}}}, reversibilities),
		}}
}
