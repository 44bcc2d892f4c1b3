package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const (
	strangersSQL = `SELECT if(acquaintance = '', 'not recorded', replaceAll(toString(acquaintance), '_', ' ')) AS caller, count() AS findings,
countIf(level = 'trip') AS "at trip", countIf(level = 'alert') AS "at alert", countIf(state = 'open') AS open
FROM findings WHERE $__timeFilter(updated_at) GROUP BY caller ORDER BY "at trip" DESC, "at alert" DESC LIMIT 50`
	judgedSQL = `SELECT v.verdict AS verdict, f.level AS level, f.family AS family, f.agent_id AS agent, v.by AS person, v.why AS why, v.at AS judged,
toString(f.run_id) AS run, left(run, 8) AS "run in short"
FROM verdicts AS v INNER JOIN findings AS f ON f.tenant = v.tenant AND f.finding_id = v.finding_id
WHERE $__timeFilter(v.at) ORDER BY f.level = 'trip' AND v.verdict = 'benign' DESC, judged DESC LIMIT 200`
)

func quality() Board {
	short := runColumn()
	short.shown = "run in short"
	return Board{UID: qualityUID, Title: "Detection quality", About: "Whether levels alarm as often as they promise, and what people said.",
		variables: []dashboard.VariableModel{sourceVariable()},
		changes:   true,
		panels: []panel{
			qualityTable(panel{title: "Achieved against nominal", w: 24, h: 7,
				about: "How many of 1,000 runs reach each level; the budget of trips is 1 of 1,000 clean ones unless you set another. " +
					"False: as people judged; at most: if all that nobody judged are false.",
				empty: "No finding reached alert in this time.", asks: []Query{{Type: "quality"}}}),
			statOf(panel{title: "Open findings by level", w: 12, h: 5, unit: "locale",
				about: "Findings that changed in this time and nobody has judged. Orange: one or more.",
				asks:  []Query{{Type: "count", Of: "findings", By: "level"}}},
				thresholds(green, step{1, orange})),
			statOf(panel{title: "Trips by kind of finding", w: 12, h: 5, unit: "locale",
				about: "Which kinds of findings were enforced in this time. Red: one or more.",
				asks:  []Query{{Type: "count", Of: "trips", By: "family"}}},
				thresholds(green, step{1, vermilion})),
			tableOf(panel{title: "What people said", w: 24, h: 9,
				about: "Verdicts of this time: trips that were benign (false trips) first. Not for a data source that is bound to a tenant.",
				empty: "Nobody judged a finding in this time.", asks: []Query{{Type: "sql", SQL: judgedSQL}}},
				column{name: "verdict", width: 90}, column{name: "level", width: 84, look: worded}, column{name: "family", width: 130},
				agentColumn(240), column{name: "why", width: 280, wide: true, links: []link{toRun}}, column{name: "person", width: 130},
				column{name: "judged", width: 126, look: moment}, short),
			tableOf(panel{title: "How well the callers were known", w: 24, h: 6,
				about: "Findings by how well the baseline knew the caller; many on strangers mean that little was learned.",
				empty: "No finding in this time.", asks: []Query{{Type: "sql", SQL: strangersSQL}}},
				column{name: "caller", width: 200, wide: true}, column{name: "at trip", width: 100, look: danger}, column{name: "at alert",
					width: 100, look: caution}, column{name: "open", width: 100, look: caution}, column{name: "findings", width: 100, look: count}),
			findingsTable(panel{title: "Trips, worst first", w: 24, h: 8, about: "The findings that reached trip: each deserves a verdict.",
				empty: "No finding reached trip in this time.", asks: []Query{{Type: "findings", MinLevel: "trip"}}}),
		}}
}
