package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func agentBoard() Board {
	return Board{UID: agentUID, Title: "Agent", About: "One agent: who owns it, what it does, what was found, and what holds it.",
		variables: append(append([]dashboard.VariableModel{sourceVariable()}, anyOwner()...),
			queryVariable("agent", "Agent", "one agent, of those of the owner", Query{Of: "agents", Owner: "${owner}"}), figureVariable()),
		changes: true,
		panels: []panel{
			agentsTable(panel{title: "The agent", w: 24, h: 5, only: map[string]string{"agent": "agent"},
				about: "Highest level of an open finding, what it did in this time, its owner, and the manifest in force; empty: not known.",
				empty: "The agent did not call in this time.", asks: []Query{{Type: "agents", Agent: "${agent}", Limit: most}}}),
			statOf(panel{title: "Now", w: 12, h: 4, unit: "locale",
				about: "Scopes of the agent that are held now, questions that wait, and trips in this time. Red: one or more.",
				asks: []Query{{Type: "count", Of: "held", Agent: "${agent}"}, {Type: "count", Of: "gates_waiting", Agent: "${agent}"},
					{Type: "count", Of: "trips", Agent: "${agent}"}}},
				thresholds(green, step{1, vermilion}), "held now", "gates waiting", "trips"),
			statOf(panel{title: "In this time", w: 12, h: 4, unit: "locale",
				about: "Its open findings, its calls that were refused, and those that were carried out and cannot be undone. Orange: one or more.",
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
			distributionTable(panel{title: "One figure of its runs, beside peers and people", w: 12, h: 8,
				about: "The figure that is chosen above, of each run: the share of the runs that are in each row. The other agents of its peer " +
					"group and people call in the same time. Of many runs a sample, chosen by their ids.",
				empty: "No run in this time has this figure.",
				asks:  []Query{{Type: "distribution", Of: "${figure}", Agent: "${agent}"}}},
				column{name: "agent", colour: blue}, column{name: "peers", colour: orange},
				column{name: "humans", title: "people", colour: green, wide: true}),
			tableOf(panel{title: "Beside its peers", w: 24, h: 5,
				about: "The agent, the agents of its peer group together, and the calls of people and services that name no agent. An hour: one " +
					"with calls. Not for a data source that is bound to a tenant.",
				empty: "The agent did not call in this time.", asks: []Query{{Type: "sql", Agent: "${agent}", SQL: besideSQL}}},
				column{name: "beside", width: 240, wide: true}, column{name: "agents", width: 90, look: count},
				column{name: "calls", width: 110, look: count}, column{name: "calls an hour", width: 120, look: ratio},
				column{name: "share irreversible", width: 150, look: share}, column{name: "share denied", width: 120, look: share},
				column{name: "share failed", width: 120, look: share}),
			tableOf(panel{title: "Routes it used, worst first", w: 24, h: 8,
				about: "What its credentials were used for in this time; calls that were denied are counted too. What a manifest still lets it " +
					"do: flyball reach --agent.",
				empty: "No call of this agent in this time.", asks: []Query{{Type: "routes", Agent: "${agent}"}}},
				column{name: "reversibility", width: 110, look: worded}, column{name: "effect", width: 90},
				column{name: "route", width: 300, wide: true}, column{name: "calls", width: 80, look: count},
				column{name: "runs", width: 80, look: count}, column{name: "busiest hour", width: 110, look: count},
				column{name: "resources", width: 170}, column{name: "last", width: 126, look: moment}),
			tableOf(panel{title: "Baselines and drift", w: 24, h: 7,
				about: "Every version of what was learned of the agent, the newest first. Change: calls a run against the version before. Taken " +
					"over: how much of a change the limit on drift let through. Left out: runs that taught nothing. Not for a data source " +
					"that is bound to a tenant.",
				empty: "Nothing was learned of this agent.", asks: []Query{{Type: "sql", Agent: "${agent}", SQL: baselinesSQL}}},
				column{name: "made", width: 126, look: moment}, column{name: "state", width: 90}, column{name: "runs", width: 80, look: count},
				column{name: "calls a run", width: 100, look: ratio}, column{name: "change", width: 90, look: share},
				column{name: "taken over", width: 100, look: share}, column{name: "left out", width: 80, look: count},
				column{name: "caller", width: 150}, column{name: "why", width: 190, wide: true}, column{name: "version", width: 184}),
			askedTable(panel{title: "Questions to people", w: 24, h: 6,
				about: "Approval questions of this agent and their answers; those that wait are answered in Breakers and gates.",
				empty: "This agent asked nothing in this time.", asks: []Query{{Type: "gates", Agent: "${agent}"}}}),
		}}
}

// most is the largest number of rows that a query can ask for. It is asked for where Grafana
// selects rows of the answer.
const most = 5000

const (
	baselinesSQL = `SELECT made_at AS made, state, runs, calls / greatest(runs, 1) AS "calls a run",
"calls a run" / nullIf(lagInFrame("calls a run") OVER (PARTITION BY tenant, name ORDER BY version
ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), 0) - 1 AS change,
coalesce(nullIf(JSONExtractFloat(body, 'drift_let_through'), 0), 1) AS "taken over",
arraySum(arrayMap(x -> x.2, JSONExtractKeysAndValues(body, 'left_out', 'UInt64'))) AS "left out",
replaceAll(toString(acquaintance), '_', ' ') AS caller, replaceAll(toString(why), '_', ' ') AS why, toString(version) AS version
FROM baselines WHERE name = $__agent ORDER BY made DESC LIMIT 200`

	// In this order: calls, irreversible ones that were carried out, denied and failed ones, hours with calls.
	besideSQL = `SELECT of.1 AS beside, of.2 AS agents, of.3 AS calls, of.3 / of.7 AS "calls an hour",
of.4 / of.3 AS "share irreversible", of.5 / of.3 AS "share denied", of.6 / of.3 AS "share failed"
FROM (SELECT agent_id AS agent, arrayJoin([('the agent', 1, n, undone, denied, failed, hours),
('its peers: ' || peers, count() OVER g - 1, sum(n) OVER g - n, sum(undone) OVER g - undone, sum(denied) OVER g - denied,
sum(failed) OVER g - failed, sum(hours) OVER g - hours),
('no agent is named', 0, sumIf(n, agent_id = '') OVER (), sumIf(undone, agent_id = '') OVER (), sumIf(denied, agent_id = '') OVER (),
sumIf(failed, agent_id = '') OVER (), sumIf(hours, agent_id = '') OVER ())]) AS of
FROM (SELECT agent_id, if(agent_id = '', '', any(groups.peers)) AS peers, toInt64(sum(s.calls)) AS n,
toInt64(sum(s.done_irreversible)) AS undone, toInt64(sum(s.outcome_denied)) AS denied,
n - denied - toInt64(sum(s.outcome_ok) + sum(s.outcome_unknown)) AS failed, toInt64(uniqExact(s.hour)) AS hours
FROM hour_counts AS s LEFT JOIN (SELECT name, argMax(JSONExtractString(body, 'group'), made_at) AS peers FROM baselines GROUP BY name)
AS groups ON groups.name = s.agent_id WHERE $__timeFilter(hour) GROUP BY agent_id)
WINDOW g AS (PARTITION BY peers))
WHERE agent = $__agent AND agent != '' AND calls > 0 AND beside != 'its peers: ' ORDER BY agents != 1, beside LIMIT 10`
)
