package boards

// The tables that several dashboards show, with the same columns everywhere. Widths add up to
// what a screen of 1280 pixels shows without scrolling.

var (
	toAgent    = link{title: "Open the agent", board: agentUID, vars: map[string]string{"agent": "agent"}}
	toRun      = link{title: "Open the run", board: runUID, vars: map[string]string{"run": "run", "agent": "agent"}}
	toItsTime  = link{title: "Show the run in its own time", board: runUID, vars: toRun.vars, times: true}
	toResource = link{title: "Who touched it", board: resourceUID, vars: map[string]string{"resource": "resource"}}
)

func agentColumn(width int) column {
	return column{name: "agent", width: width, wraps: true, links: []link{toAgent}}
}

// runColumn has the beginning of the id of a run; its link leads to the whole id.
func runColumn() column { return column{name: "run", width: 84, links: []link{toRun}} }

func findingsTable(p panel) panel {
	return tableOf(p,
		column{name: "level", width: 84, look: worded}, agentColumn(200),
		column{name: "what happened", width: 250, wide: true, links: []link{toRun}},
		column{name: "clean runs", width: 132}, column{name: "done irreversible", width: 96, look: danger, title: "irreversible"},
		column{name: "denied", width: 70, look: caution}, column{name: "state", width: 60},
		column{name: "updated", width: 126, look: moment},
		column{name: "finding", width: 190, look: buttons, title: "verdict", actions: actions(markTrue, markBenign, except)})
}

func runsTable(p panel) panel {
	return tableOf(p,
		column{name: "agent", width: 206, wide: true, links: []link{toAgent}},
		column{name: "score", width: 66, look: scored}, column{name: "level", width: 84, look: worded},
		column{name: "irreversible", width: 96, look: danger}, column{name: "denied", width: 70, look: caution},
		column{name: "failed", width: 70, look: caution}, column{name: "calls", width: 70, look: count}, column{name: "state", width: 86},
		column{name: "started", width: 126, look: moment, links: []link{toItsTime}}, column{name: "last", width: 126, look: moment},
		runColumn(),
		column{name: "run key", width: 70, look: buttons, title: "act", actions: actions(tripRun)})
}

func heldTable(p panel) panel {
	return tableOf(p,
		column{name: "scope", width: scopeWidth, wraps: true, links: []link{toRun}}, agentColumn(170),
		column{name: "reason", width: 210, wide: true},
		column{name: "stopped calls", width: 80, look: count, title: "stopped"}, column{name: "until", width: 126, look: moment},
		column{name: "since", width: 126, look: moment}, column{name: "mode", width: 108, look: worded},
		column{name: "by", width: 96, wraps: true},
		column{name: "breaker", width: 90, look: buttons, title: "act", actions: actions(resetBreaker)})
}

// scopeWidth is the width of a scope: the id of a run takes two lines, and not three.
const scopeWidth = 214

// gatesTable shows questions that wait, with the buttons that answer them.
func gatesTable(p panel) panel {
	return tableOf(p, append(gateColumns(),
		column{name: "gate", width: 160, look: buttons, title: "answer", actions: actions(grantGate, refuseGate)})...)
}

// askedTable shows questions that may be answered, and so has no buttons.
func askedTable(p panel) panel {
	return tableOf(p, append(gateColumns(), column{name: "by", width: 96, wraps: true}, column{name: "reason", width: 160, wraps: true})...)
}

func gateColumns() []column {
	return []column{agentColumn(200), column{name: "call", width: 200, wide: true},
		column{name: "resource", width: 190, wraps: true, links: []link{toResource}}, column{name: "waits", width: 80, look: seconds},
		column{name: "state", width: 84, look: worded}, column{name: "asked", width: 126, look: moment}, runColumn()}
}

func agentsTable(p panel) panel {
	return tableOf(p,
		column{name: "agent", width: 160, wide: true, links: []link{toAgent}},
		column{name: "level", width: 84, look: worded},
		column{name: "worst score", width: 98, look: scored}, column{name: "open findings", width: 114, look: caution},
		column{name: "irreversible", width: 96, look: danger}, column{name: "runs", width: 80, look: count},
		column{name: "calls", width: 90, look: count}, column{name: "last", width: 126, look: moment},
		column{name: "owner", width: 116, wraps: true},
		column{name: "manifest", width: 124, wraps: true},
		column{name: "denied", width: 124, look: buttons, title: "act", actions: actions(tripAgent)})
}

func healthTable(p panel) panel {
	return tableOf(p,
		column{name: "state", width: 84, look: worded}, column{name: "what", width: 300, wraps: true},
		column{name: "value", width: 84, look: count},
		column{name: "unit", width: 80}, column{name: "what to do", width: 200, wide: true})
}

// bypassTable shows bypasses that are in force, with the button that ends the one of the tenant.
func bypassTable(p panel) panel {
	return tableOf(p,
		column{name: "what", width: 250, wide: true}, column{name: "value", width: 104, look: count, title: "minutes left"},
		column{name: "what to do", width: 200, wraps: true},
		column{name: "since", width: 130, look: buttons, title: "act", actions: actions(endBypass)})
}

func qualityTable(p panel) panel {
	return tableOf(p,
		column{name: "level", width: 120, wide: true}, column{name: "achieved per 1,000", width: 160, look: ratio},
		column{name: "nominal per 1,000", width: 152, look: ratio},
		column{name: "false per 1,000", width: 130, look: ratio}, column{name: "false per 1,000 at most", width: 188, look: ratio},
		column{name: "runs", width: 80, look: count}, column{name: "findings", width: 104, look: count, title: "runs found"},
		column{name: "benign", width: 80, look: caution}, column{name: "true", width: 70, look: count},
		column{name: "not judged", width: 90, look: caution})
}

func contributionsTable(p panel) panel {
	return tableOf(p, column{name: "feature", width: 200, wide: true}, column{name: "observed", width: 84, look: ratio},
		column{name: "usual", width: 84, look: ratio}, column{name: "peers", width: 84, look: ratio},
		column{name: "humans", width: 84, look: ratio})
}

// distributionTable shows how many of the runs of each population are in each bin: the bars of a column are a histogram on its side. All
// columns are of one width, or a share would be a longer bar in one than in another.
func distributionTable(p panel, populations ...column) panel {
	const bound = 84
	columns := []column{{name: "xMin", width: bound, look: figure, title: "from"}, {name: "xMax", width: bound, look: figure, title: "below"}}
	for _, c := range populations {
		c.look, c.width = bar, (pixels(p.w)-2*bound)/len(populations)
		columns = append(columns, c)
	}
	return tableOf(p, columns...)
}
