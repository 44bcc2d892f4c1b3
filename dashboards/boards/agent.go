package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func agentBoard() Board {
	return Board{UID: agentUID, Title: "Agent", About: "One agent: who owns it, what it does, what was found, and what holds it.",
		variables: []dashboard.VariableModel{sourceVariable(), queryVariable("agent", "Agent", "one agent", Query{Of: "agents"})},
		changes:   true,
		panels: []panel{
			agentsTable(panel{title: "The agent", w: 24, h: 4, only: map[string]string{"agent": "agent"},
				about: "Highest level of an open finding, what it did in this time, and its owner by the manifest in force; empty: not known.",
				empty: "The agent did not call in this time.", asks: []Query{{Type: "agents", Agent: "${agent}", Limit: most}}}),
			statOf(panel{title: "Now", w: 12, h: 4, unit: "locale",
				about: "Scopes of the agent that are held now, questions that wait, and trips in this time. Red: one or more.",
				empty: "Nothing is held, nothing waits.",
				asks: []Query{{Type: "count", Of: "held", Agent: "${agent}"}, {Type: "count", Of: "gates_waiting", Agent: "${agent}"},
					{Type: "count", Of: "trips", Agent: "${agent}"}}},
				thresholds(green, step{1, vermilion}), "held now", "gates waiting", "trips"),
			statOf(panel{title: "In this time", w: 12, h: 4, unit: "locale",
				about: "Its open findings, its calls that were refused, and those that were carried out and cannot be undone. Orange: one or more.",
				empty: "No finding and no call in this time.",
				asks: []Query{{Type: "count", Of: "findings", Agent: "${agent}"}, {Type: "count", Of: "denied", Agent: "${agent}"},
					{Type: "count", Of: "irreversible", Agent: "${agent}"}}},
				thresholds(green, step{1, orange}), "open findings", "denied calls", "irreversible, done"),
			heldTable(panel{title: "What holds it now", w: 24, h: 5, about: "Scopes of this agent that are held now. Reset lets it call again.",
				empty: "Nothing of this agent is held.", asks: []Query{{Type: "held", Agent: "${agent}"}}}),
			findingsTable(panel{title: "Findings, worst first", w: 24, h: 8, about: "What the detector found in its runs, judged or not.",
				empty: "No finding on this agent in this time.", asks: []Query{{Type: "findings", Agent: "${agent}"}}}),
			runsTable(panel{title: "Runs, worst first", w: 24, h: 8,
				about: "One row for each run. The score is −ln of the share of clean runs that come as far: 4.6 is 1 in 100 (orange), " +
					"6.9 is 1 in 1,000 (red).",
				empty: "No run of this agent in this time.", asks: []Query{{Type: "runs", Agent: "${agent}", Sort: "worst"}}}),
			barsOf(panel{title: "Calls by outcome", w: 12, h: 8,
				about: "Its calls in each interval. A blue line is a new baseline. No bar: no call.",
				empty: "No call of this agent in this time.", asks: []Query{{Type: "calls", By: "outcome", Agent: "${agent}"}}}, outcomes),
			barsOf(panel{title: "Calls by reversibility", w: 12, h: 8, about: "How well its calls can be undone. No bar: no call.",
				empty: "No call of this agent in this time.", asks: []Query{{Type: "calls", By: "reversibility", Agent: "${agent}"}}},
				reversibilities),
			tableOf(panel{title: "Baselines", w: 24, h: 6, only: map[string]string{"agent": "agent"},
				about: "Every version of what was learned of the agent, the newest first: from how many runs, and why it was made or kept " +
					"back. Not for a data source that is bound to a tenant.",
				empty: "Nothing was learned of this agent.", asks: []Query{{Type: "sql", Limit: most, SQL: baselinesSQL}}},
				column{name: "made", width: 126, look: moment}, column{name: "state", width: 100}, column{name: "runs", width: 80, look: count},
				column{name: "calls", width: 90, look: count}, column{name: "caller", width: 120},
				column{name: "why", width: 300, wide: true}, column{name: "version", width: 130}),
			gatesTable(panel{title: "Questions to people", w: 24, h: 6, about: "Approval questions of this agent and their answers.",
				empty: "This agent asked nothing in this time.", asks: []Query{{Type: "gates", Agent: "${agent}"}}}),
			agentsTable(panel{title: "The agents beside it", w: 24, h: 8,
				about: "All agents, the one at most risk first: is this one unlike its peers.",
				empty: "No agent called in this time.", asks: []Query{{Type: "agents"}}}),
		}}
}

// most is the largest number of rows that a query can ask for. It is asked for where Grafana
// selects rows of the answer.
const most = 5000

const baselinesSQL = `SELECT name AS agent, made_at AS made, state, runs, calls, acquaintance AS caller, why, toString(version) AS version
FROM baselines ORDER BY made_at DESC LIMIT 5000`
