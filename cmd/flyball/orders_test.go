package main

import (
	"strings"
	"testing"
)

// orderCase is a command that changes something, with the answers of the control API.
type orderCase struct {
	args []string
	api  map[string]string
	json bool // the command has -o json
}

// orders returns the commands that change something.
func orders() map[string]orderCase {
	applied := `[{"point":"p1","generation":12,"lag_ms":3}]`
	configured := `[{"point":"p1","mode":"observe","armed":["billing/*"],"generation":12,"lag_ms":3}]`
	return map[string]orderCase{
		"trip": {[]string{"breakers", "trip", "run", "nightly", "--for", "15m", "--reason", "why"}, map[string]string{"POST " +
			"/v1/breakers/trip": `{"outcome":"opened","generation":12,"tenant":"default",
"scope":{"kind":"run","value":"` + runA + `"},"run_key":"nightly","expires":"2026-11-20T10:15:00Z","holder":{"agent_id":"billing/bot",
"agent_trust":"verified","credential_id":"key-1"},"points":` + applied + `}`}, true},
		"trip-unknown": {[]string{"breakers", "trip", "agent", "nobody", "--until-reset", "--reason", "why"}, map[string]string{"POST " +
			"/v1/breakers/trip": "404 agent nobody is not known"}, false},
		"reset": {[]string{"breakers", "reset", "agent", "bot", "--reason", "why"}, map[string]string{"POST " +
			"/v1/breakers/reset": `{"outcome":"closed","generation":12,"tenant":"default","scope":{"kind":"agent","value":"bot"},
"met":["it was open since 2026-11-20T10:00:00Z, until a reset, opened by the detector: it deletes"],"points":` + applied + `}`,
			"GET /v1/breakers": `[]`}, true},
		"arm": {[]string{"arm", "billing/*", "--reason", "why"}, map[string]string{"POST /v1/arming/arm": `{"outcome":"armed",
"generation":12,"tenant":"default","configured":` + configured + `,"notes":["it matches 2 agents"]}`}, true},
		"disarm": {[]string{"disarm", "billing/*", "--reason", "why"}, map[string]string{"POST " +
			"/v1/arming/disarm": `{"outcome":"disarmed","generation":12,"tenant":"default","configured":` + configured + `,"notes":[]}`}, true},
		"arming-clear": {[]string{"arming", "clear", "billing/*", "--reason", "why"}, map[string]string{"POST " +
			"/v1/arming/clear": `{"outcome":"cleared","generation":12,"tenant":"default","met":["a command had disarmed it, by ops at x: y"],"configured":[],"notes":[]}`}, true},
		"bypass": {[]string{"bypass", "--for", "30m", "--agent", "bot", "--reason", "why"}, map[string]string{"POST " +
			"/v1/bypass": `{"outcome":"bypassed","generation":12,"tenant":"default","agent":"bot","until":"2026-11-20T11:00:00Z","points":` +
			applied + `}`}, true},
		"bypass-end": {[]string{"bypass", "end", "--reason", "why"}, map[string]string{"POST /v1/bypass/end": `{"outcome":"ended","generation":12,"tenant":"default",
"met":["there was a bypass by ops until 2026-11-20T11:00:00Z: maintenance"],"points":` + applied + `}`}, true},
		"route-pin": {[]string{"routes", "pin", "GET /items/sale", "--reason", "why"}, map[string]string{"POST " +
			"/v1/routes/pin": `{"outcome":"pinned","generation":12,"ref":"GET /items/sale","tenant":"default",
"met":["it was not learned, and no command was in force about it"],"points":` + applied + `}`}, true},
		"route-undo": {[]string{"routes", "undo", "POST /jobs/{slug}", "--reason", "why"}, map[string]string{"POST " +
			"/v1/routes/undo": `{"outcome":"undone","generation":12,"ref":"POST /jobs/{slug}","tenant":"default",
"met":["a command had pinned it, by ops at x: y"],"points":` + applied + `}`}, true},
		"exception-add": {[]string{"exceptions", "add", "--agent", "bot", "--family", "scope", "--for", "48h", "--reason", "why"},
			map[string]string{"POST /v1/exceptions": `{"outcome":"added","generation":12,"ref":"ex_1","tenant":"default","until":"2026-11-22T10:00:00Z","points":` + applied + `,
"notes":["bot is not known yet"]}`}, true},
		"exception-remove": {[]string{"exceptions", "remove", "ex_1234", "--reason", "why"}, map[string]string{"GET " +
			"/v1/exceptions": `[{"id":"ex_123456","agent":"bot","family":"scope","expires":"2099-01-01T00:00:00Z"}]`,
			"POST /v1/exceptions/ex_123456/remove": `{"outcome":"removed","generation":12,"tenant":"default","points":` + applied + `}`}, true},
		"grant": {[]string{"breakers", "grant", "g_1", "--for", "1h", "--uses", "2", "--reason", "why"},
			map[string]string{"GET /v1/grants": `[{"gate_id":"g_1","state":"pending","agent_id":"bot","route":"POST /customers/{id}/emails",
"path":"/customers/5/emails","resources":["customer:5"],"run_key":"nightly"}]`, "POST /v1/grants/g_1/grant": `{"outcome":"granted",
"generation":12,"ref":"g_1","tenant":"default","until":"2026-11-20T11:00:00Z","met":["bot wants POST /customers/5/emails about customer:5"],
"points":` + applied + `}`}, true},
		"refuse": {[]string{"breakers", "refuse", "g_1", "--reason", "why"}, map[string]string{"GET /v1/grants": `[{"gate_id":"g_1","state":"pending","agent_id":"bot","route":"POST /customers/{id}/emails",
"path":"/customers/5/emails","resources":["customer:5"],"run_key":"nightly"}]`, "POST /v1/grants/g_1/refuse": `{"outcome":"refused",
"generation":12,"ref":"g_1","tenant":"default","points":` + applied + `}`}, true},
		"refuse-by-run-key": {[]string{"breakers", "refuse", "nightly", "--reason", "why"}, map[string]string{"GET /v1/grants": `[{"gate_id":"g_1","state":"pending","agent_id":"bot","route":"POST /customers/{id}/emails",
"path":"/customers/5/emails","resources":["customer:5"],"run_key":"nightly"}]`,
			"POST /v1/grants/g_1/refuse": `{"outcome":"refused","generation":12,"ref":"g_1","tenant":"default","points":` + applied + `}`}, true},
		"verdict": {[]string{"findings", "verdict", "f_1", "benign", "--reason", "seen"}, map[string]string{"POST " +
			"/v1/findings/f_1/verdict": `{"outcome":"judged","generation":12,"ref":"f_1","tenant":"default",
"met":["the verdict was true by ops at 2026-11-20T10:00:00Z: seen"],"points":` + applied + `}`}, true},
		"verdict-another-stands": {[]string{"findings", "verdict", "f_1", "benign", "--reason", "seen"}, map[string]string{"POST " +
			"/v1/findings/f_1/verdict": "409 the verdict on f_1 is true by ops"}, false},
		"task-declare": {[]string{"task", "declare", "bot", "nightly", "--for", "30m", "--target", "order:1"}, map[string]string{"POST " +
			"/v1/runs": `{"outcome":"declared","generation":12,"ref":"t_1","tenant":"default","until":"2026-11-20T10:30:00Z",
"points":` + applied + `}`}, true},
		"task-end": {[]string{"task", "end", "nightly", "--reason", "why"}, map[string]string{"GET /v1/runs": `[{"task_id":"t_1",
"run_key":"nightly","agent_id":"bot","targets":["order:1"],"expires":"2026-11-20T11:00:00Z"}]`,
			"POST /v1/runs/t_1/end": `{"outcome":"ended","generation":12,"ref":"t_1","tenant":"default","points":` + applied + `}`}, true},
		"task-end-ambiguous": {[]string{"task", "end", "nightly"}, map[string]string{"GET /v1/runs": `[{"task_id":"t_1","run_key":"nightly",
"agent_id":"bot","expires":"2026-11-20T11:00:00Z"},{"task_id":"t_2","run_key":"nightly","agent_id":"other","expires":"x"}]`}, false},
		"manifest-drop": {[]string{"manifest", "drop", "bot", "--reason", "why"}, map[string]string{"POST /v1/manifests/drop": `{"outcome":"dropped",
"generation":12,"ref":"bot","tenant":"default","met":["version 3 by ops was in force since 2026-11-20T10:00:00Z"],"points":` +
			applied + `}`}, true},
		"manifest-show": {[]string{"manifest", "show", "billing/bot"}, map[string]string{"GET /v1/manifests": `[` + manifestLine + `]`},
			false},
		"settings-set": {[]string{"settings", "set", "--trips-per-hour", "8", "--reason", "why"}, map[string]string{"POST /v1/settings": `{"outcome":"in_force",
"generation":12,"tenant":"default","met":["it was at most 5 automatic trips an hour"],"points":` + applied + `}`,
			"GET /v1/settings": `{"tenant":"default","trips_per_hour":8,"agents_percent":10,"generation":12,"file":{"trips_per_hour":5,
"agents_percent":10}}`}, false},
		"baseline-freeze": {[]string{"baselines", "freeze", "--all", "--for", "24h", "--reason", "why"}, map[string]string{"POST " +
			"/v1/baselines/freeze": `{"outcome":"ordered","generation":12,"tenant":"default","until":"2026-11-21T10:00:00Z","points":` +
			applied + `}`}, true},
		"baseline-reset": {[]string{"baselines", "reset", "--agent", "bot", "--reason", "why"}, map[string]string{"POST " +
			"/v1/baselines/reset": `{"outcome":"ordered","generation":12,"tenant":"default","points":` + applied + `}`}, true},
	}
}

// A command that changes something prints the change, its subject and how to undo it; the test
// also checks the request.
func TestOrders(t *testing.T) {
	for name, o := range orders() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "")
			f.api = o.api
			code, out, errs := f.run(o.args...)
			sent := strings.ReplaceAll(strings.Join(f.got, "\n"), `"by":"`+currentUser()+`"`, `"by":"ME"`)
			golden(t, "orders/"+name+".txt", out+"--- standard error\n"+errs+"--- sent\n"+sent+"\n--- exit "+string(rune('0'+code))+"\n")
			if o.json {
				_, out, _ := f.run(append(o.args, "-o", "json")...)
				golden(t, "orders/"+name+".json", out)
			}
		})
	}
}
