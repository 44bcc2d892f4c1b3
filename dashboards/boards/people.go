package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const (
	kindsSQL = `SELECT caller_kind AS kind, count() AS runs, sum(r.calls) AS calls, sum(r.irreversible) AS irreversible, sum(r.denied) AS denied,
round(avg(r.calls), 1) AS "calls a run", round(sum(r.irreversible) / greatest(sum(r.calls), 1), 5) AS "share irreversible",
countIf(level IN ('alert', 'trip')) AS "runs at alert or above"
FROM runs AS r WHERE $__timeFilter(started_at) GROUP BY caller_kind ORDER BY irreversible DESC LIMIT 20`
	kindsOverTimeSQL = `SELECT toDateTime(toStartOfInterval(started_at, INTERVAL 10 MINUTE), 'UTC') AS time,
sumIf(r.calls, caller_kind = 'agent') AS agents, sumIf(r.calls, caller_kind = 'human') AS people,
sumIf(r.calls, caller_kind NOT IN ('agent', 'human')) AS others
FROM runs AS r WHERE $__timeFilter(started_at) GROUP BY time ORDER BY time LIMIT 5000`
	borrowedSQL = `SELECT principal_id AS person, agent_id AS agent, caller_kind AS kind, count() AS runs, sum(r.calls) AS calls,
sum(r.irreversible) AS irreversible, max(r.calls) AS "calls of the longest run", max(last_at) AS last
FROM runs AS r WHERE $__timeFilter(started_at) AND principal_kind = 'human' AND principal_id != ''
GROUP BY person, agent, kind ORDER BY irreversible DESC, calls DESC LIMIT 100`
)

func people() Board {
	return Board{UID: peopleUID, Title: "Humans and agents", About: "What agents do beside what people and services do. " +
		"The panels ask views by SQL, which a data source that is bound to a tenant refuses.",
		variables: []dashboard.VariableModel{sourceVariable(), figureVariable()},
		changes:   true,
		panels: []panel{
			tableOf(panel{title: "By kind of caller", w: 24, h: 6,
				about: "Runs that began in this time, by who calls; the kind with the most irreversible calls first. Calls are counted as they " +
					"were asked for: some may have been denied.",
				empty: "No run began in this time.", asks: []Query{{Type: "sql", SQL: kindsSQL}}},
				column{name: "kind", width: 120, wide: true}, column{name: "runs", width: 100, look: count},
				column{name: "calls", width: 110, look: count}, column{name: "calls a run", width: 110, look: count},
				column{name: "irreversible", width: 110, look: count}, column{name: "share irreversible", width: 140, look: share},
				column{name: "denied", width: 90, look: caution}, column{name: "runs at alert or above", width: 168, look: caution}),
			barsOf(panel{title: "Calls of agents, people and others", w: 24, h: 8,
				about: "Calls of the runs that began in each ten minutes. No bar: no run began.",
				empty: "No run began in this time.", asks: []Query{{Type: "sql", Limit: most, SQL: kindsOverTimeSQL}}}, callers),
			distributionTable(panel{title: "One figure of runs, of agents and of people", w: 24, h: 8,
				about: "The figure that is chosen above, of each run: the share of the runs that are in each row. Of many runs a sample, chosen " +
					"by their ids.",
				empty: "No run in this time has this figure.", asks: []Query{{Type: "distribution", Of: "${figure}"}}},
				column{name: "agents", colour: blue}, column{name: "humans", title: "people", colour: green, wide: true}),
			tableOf(panel{title: "Whose rights agents use", w: 24, h: 10,
				about: "For each person, the callers that act with the person's credentials, the one with the most irreversible calls first.",
				empty: "No call named a person in this time.", asks: []Query{{Type: "sql", SQL: borrowedSQL}}},
				column{name: "person", width: 200, wide: true}, agentColumn(250), column{name: "kind", width: 90},
				column{name: "runs", width: 80, look: count}, column{name: "calls", width: 90, look: count},
				column{name: "irreversible", width: 110, look: count}, column{name: "calls of the longest run", width: 182, look: count},
				column{name: "last", width: 126, look: moment}),
			agentsTable(panel{title: "Agents by risk", w: 24, h: 9, about: "One row for each agent, the one at most risk first.",
				empty: "No agent called in this time.", asks: []Query{{Type: "agents"}}}),
		}}
}
