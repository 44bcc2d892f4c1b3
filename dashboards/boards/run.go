package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func runBoard() Board {
	return Board{UID: runUID, Title: "Run", About: "The investigation of one run: verdict, score, story, what it touched, what was decided.",
		variables: append(append([]dashboard.VariableModel{sourceVariable()}, anyAgent()...),
			queryVariable("run", "Run", "a run id; the list has the runs of the agent", Query{Of: "runs", Agent: "${agent}"})),
		panels: []panel{
			findingsTable(panel{title: "What was found", w: 24, h: 7,
				about: "The verdict on this run in one sentence for each finding. True and Benign record what a person says about it.",
				empty: "Nothing was found in this run.", asks: []Query{{Type: "findings", Run: "${run}", OneRun: true}}}),
			runsTable(panel{title: "The run", w: 24, h: 6, // an agent whose name has six lines, in whose middle the numbers stand
				about: "Its calls by what became of them; irreversible: carried out. Click when it started to see the charts in its own time. " +
					"Trip holds this run.",
				empty: "No such run is stored: it may have expired.", asks: []Query{{Type: "runs", Run: "${run}", OneRun: true}}}),
			lineOf(panel{title: "Score", w: 12, h: 8, unit: "none", decimals: new(1.0),
				about: "−ln of the share of clean runs that come as far, at each call that raised it. Lines: 4.6 is 1 in 100, 6.9 is 1 in 1,000.",
				empty: "No score: the run did nothing that the detector rates, or the agent is not known.",
				asks:  []Query{{Type: "score", Run: "${run}"}}}, green, scoreSteps...),
			contributionsTable(panel{title: "What raised the score", w: 12, h: 8, frame: 1,
				about: "The parts of the highest score, the largest first, beside what is usual for this agent, its peers and people.",
				empty: "No score, so nothing raised it.", asks: []Query{{Type: "score", Run: "${run}"}}}),
			heldTable(panel{title: "Held now because of it", w: 24, h: 5, about: "Scopes that this run caused to be held.",
				empty: "Nothing is held because of this run.", asks: []Query{{Type: "held", Run: "${run}", OneRun: true}}}),
			tableOf(panel{title: "What it touched, worst first", w: 24, h: 10,
				about: "Each resource and effect once: how many calls were carried out (ok), failed and were denied. " +
					"Click a resource to see who else touched it.",
				empty: "The run touched nothing that is stored.", asks: []Query{{Type: "touched", Run: "${run}"}}},
				column{name: "reversibility", width: 110, look: worded}, column{name: "effect", width: 90},
				column{name: "resource", width: 260, wide: true, links: []link{{title: "Who touched it", board: resourceUID,
					vars: map[string]string{"resource": "resource", "run": ""}}}},
				column{name: "ok", width: 70, look: count}, column{name: "failed", width: 70, look: caution}, column{name: "denied", width: 70,
					look: caution}, column{name: "route", width: 240, wraps: true}, column{name: "first", width: 126, look: moment},
				column{name: "last", width: 126, look: moment}),
			graphOf(panel{title: "Reach", w: 12, h: 12,
				about: "Run, services and resources; the colour is how well the effects can be undone, failed and denied calls apart.",
				empty: "The run touched nothing that is stored.", asks: []Query{{Type: "touched_graph", Run: "${run}"}}}),
			logsOf(panel{title: "The story in order", w: 12, h: 12, about: "Its calls, findings and decisions, the earliest first.",
				empty: "No call of this run is stored.", asks: []Query{{Type: "logs", Run: "${run}", Limit: most}}}),
			traceOf(panel{title: "Trace", w: 24, h: 14,
				about: "One span for each call; tags have path, resource, effect, outcome and score, span logs the findings and decisions. " +
					"Of a long run the dangerous and the newest calls are kept.",
				empty: "No call of this run is stored.", asks: []Query{{Type: "trace", Run: "${run}", Limit: 1000}}}),
			askedTable(panel{title: "Questions to people", w: 24, h: 5,
				about: "Calls of this run that asked a person; those that wait are answered in Breakers and gates.",
				empty: "This run asked nothing.", asks: []Query{{Type: "gates", Run: "${run}", OneRun: true}}}),
			runsTable(panel{title: "Latest runs", w: 24, h: 7,
				about: "The latest runs of the agent, or of all if none is chosen: did it go on under another id.",
				empty: "No run in this time.", asks: []Query{{Type: "runs", Agent: "${agent}", Sort: "latest"}}}),
		}}
}
