package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const (
	stitchingSQL = `SELECT format, run_rule AS rule, sum(s.calls) AS calls,
sum(s.calls) / sum(sum(s.calls)) OVER (PARTITION BY format) AS share
FROM stitching AS s WHERE $__timeFilter(hour) GROUP BY format, run_rule ORDER BY calls DESC LIMIT 50`
	lossesSQL = `SELECT noticed_at AS noticed, topic, partition, kind, records, read FROM log_losses
WHERE $__timeFilter(noticed_at) ORDER BY noticed_at DESC LIMIT 200`
)

func pipeline() Board {
	part := func(title, name, about string, h uint32) panel {
		return healthTable(panel{title: title, w: 24, h: h, about: about + " A state other than ok says what to do.",
			empty: "Nothing is stored of this part: it may not have started.", asks: []Query{{Type: "health", Part: name}}})
	}
	return Board{UID: pipelineUID, Title: "Pipeline health", About: "Whether Flyball sees everything: input, losses, storage.",
		variables: []dashboard.VariableModel{sourceVariable()},
		panels: []panel{
			statOf(panel{title: "Could not be read", w: 6, h: 4, unit: "locale",
				about: "Records of this time that are dead letters: calls that Flyball does not know. Orange: one or more, red from 100.",
				asks:  []Query{{Type: "count", Of: "dead_letters"}}},
				thresholds(green, step{1, orange}, step{100, vermilion}), "dead letters"),
			statOf(panel{title: "Input", w: 6, h: 4, unit: "locale", about: "Calls of this time. Red: none, so nothing is watched.",
				asks: []Query{{Type: "count", Of: "calls"}}},
				thresholds(vermilion, step{1, green}), "calls"),
			statOf(panel{title: "Lag", w: 6, h: 4, unit: "s",
				about: "How long the oldest record has waited for its reader now; below by reader. " +
					"Orange from a minute, red from five. Needs controlUrl.",
				asks: []Query{{Type: "count", Of: "lag_seconds"}}},
				thresholds(green, step{60, orange}, step{300, vermilion}), "longest wait"),
			statOf(panel{title: "Stale points", w: 6, h: 4, unit: "locale",
				about: "Enforcement points that do not follow the log now: what they refuse may be out of date. Red: one or more. Needs controlUrl.",
				asks:  []Query{{Type: "count", Of: "stale_points"}}},
				thresholds(green, step{1, vermilion}), "stale points"),
			part("Input", "ingest", "Records that could not be read, and records that a topic lost.", 6),
			part("Detection", "detect", "Open findings, and when the newest was written.", 6),
			part("Store", "store", "How old the newest stored call is, and whether rows still change.", 6),
			part("Stitching", "stitching", "How sure it is that calls belong to their runs.", 6),
			barsOf(panel{title: "Calls by outcome", w: 24, h: 7, about: "The input over time. No bar: no call was logged.",
				empty: "No call in this time.", asks: []Query{{Type: "calls", By: "outcome"}}}, outcomes),
			tableOf(panel{title: "Calls by the rule that found their run", w: 12, h: 7,
				about: "Explicit, trace and conversation are certain, session is a guess. Not for a data source that is bound to a tenant.",
				empty: "No call in this time.", asks: []Query{{Type: "sql", SQL: stitchingSQL}}},
				column{name: "rule", width: 110}, column{name: "format", width: 130, wide: true}, column{name: "calls", width: 100, look: count},
				column{name: "share", width: 90, look: share}),
			tableOf(panel{title: "Lost records", w: 12, h: 7,
				about: "Records that a topic lost. Red: known to be missing. Not for a data source that is bound to a tenant.",
				empty: "No record was lost in this time.", asks: []Query{{Type: "sql", SQL: lossesSQL}}},
				column{name: "records", width: 80, look: danger}, column{name: "topic", width: 140, wide: true},
				column{name: "kind", width: 90}, column{name: "partition", width: 80, look: count}, column{name: "noticed", width: 126, look: moment}),
		}}
}
