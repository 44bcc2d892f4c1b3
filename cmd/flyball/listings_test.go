package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

const (
	runA = "0190aaaa-0000-5000-8000-000000000001"
	runB = "0190bbbb-0000-5000-8000-000000000002"
)

// storedRun returns the columns of a run in the order of the query for runs.
func storedRun(id, key, agent string) []any {
	return []any{
		id,
		key,
		"default",
		agent,
		"verified",
		"alice",
		"key-1",
		"agent",
		"explicit",
		uint8(100),
		"00000000-0000-0000-0000-000000000000",
		"task-9",
		at(
			"2026-11-20 10:00:00",
		),
		at("2026-11-20 10:05:00"),
		"closed",
		uint64(42),
		uint64(3),
		uint32(4),
		uint32(17),
		uint64(2),
		uint64(9000),
		nil,
		"alert",
		"",
		uint32(7),
	}
}

// withBreaker sets the state of the breaker that a stored run caused.
func withBreaker(run []any, state string) []any {
	run[23] = state
	return run
}

// foundRun is runA with one time for its start and its last call.
func foundRun(at time.Time) []any {
	run := storedRun(runA, "nightly", "billing/bot")
	run[12], run[13] = at, at
	return run
}

// placed returns the answer to the selection of the places of runs.
func placed(in string, ids ...string) fakeAnswer {
	a := fakeAnswer{in: in}
	for _, id := range ids {
		a.rows = append(a.rows, []any{"default", uint32(7), id, at("2026-11-20 10:05:00")})
	}
	return a
}

// listings returns the commands that list something, with the answers of the database and the
// control API.
func listings() map[string]struct {
	args []string
	db   fakeDB
	api  map[string]string
	yaml string
} {
	type listing = struct {
		args []string
		db   fakeDB
		api  map[string]string
		yaml string
	}
	last := at("2026-11-20 10:05:00")
	audit := [][]any{
		{uint64(2), "default", last.UnixNano(), int64(7), "force_open", "ops", "responder", "agent bot", "looks wrong", "opened", "d", "p", "h"},
		{uint64(1), "default", last.UnixNano() - 1e9, int64(6), "reset", "", "", "agent bot", "", "closed", "d", "", "p"},
	}
	agents := fakeAnswer{in: "uniqExactIf(agent_version", rows: [][]any{
		{
			"billing/bot",
			"verified",
			"registry",
			"1.4",
			uint64(2),
			[]string{"key-1", "key-2", "key-3"},
			uint64(5),
			at("2026-11-01 08:00:00"),
			last,
			uint64(9),
			uint64(400),
			uint64(12),
			"agent",
		},
		{"~stranger", "asserted", "header", "", uint64(0), []string{}, uint64(0), last, last, uint64(1), uint64(3), uint64(0), "agent"}}}
	baselines := fakeAnswer{in: "argMax(state, version)", rows: [][]any{{"billing/bot", "active"}}}
	uncalibrated := `{"new_population":"few_populations","nothing_learned":"nothing_learned"}`
	learned := fakeAnswer{in: "JSONExtractRaw(body, 'learned')", rows: [][]any{
		{"billing/bot", "known_agent", uint64(40), int64(24 * time.Hour), last.UnixNano(), `{"acquaintance":"known_agent","runs":40,
"runs_needed":20,"group":"billing","peer_runs":75,"peer_runs_needed":60,"peer_agents":2,"peer_agents_needed":2,"wait_runs":0,"wait_days":0}`,
			uncalibrated},
		{"cloud/audit", "new_population", uint64(5), int64(24 * time.Hour), last.UnixNano(), `{"acquaintance":"new_population","uncalibrated":"few_populations","runs":5,
"runs_needed":20,"group":"cloud","peer_runs":5,"peer_runs_needed":60,"peer_agents":0,"peer_agents_needed":2,"pending_runs":3,
"wait_runs":15,"wait_days":4.5}`, uncalibrated}}}
	onlyKnown := fakeAnswer{in: learned.in, rows: learned.rows[:1]}
	earlier := fakeAnswer{in: "JSONExtractRaw(body, 'learned')", rows: [][]any{
		{"billing/bot", "", uint64(40), int64(24 * time.Hour), last.UnixNano(), ``, ``}}}
	shared := fakeAnswer{
		in:   "agent_source != 'credential'",
		rows: [][]any{{"shared_credential", "key-1", uint64(40), last, []string{"billing/bot", "other/bot", "third/bot", "fourth/bot"}}},
	}
	start := fakeAnswer{in: "reversibility_source IN ('operator', 'openapi')) = n", rows: [][]any{
		{"billing/bot", "verified", "POST", "/refunds", "", "pay", uint64(30), uint64(4), last, false},
		{"billing/bot", "verified", "", "", "delete_customer", "delete", uint64(2), uint64(1), last, true}}}
	newcomer := fakeAnswer{in: start.in, rows: [][]any{
		{"cloud/audit", "verified", "DELETE", "/pods/{id}", "", "delete", uint64(9), uint64(2), last, true}}}
	coverage := fakeAnswer{in: "AS never,", rows: [][]any{
		{"billing/bot", "envoy-1", uint64(10), uint64(4), uint64(1), uint64(5), last, last},
		{"", "nginx-1", uint64(2), uint64(0), uint64(2), uint64(0), last, at("1970-01-01 00:00:00")}}}
	usage := fakeAnswer{in: "quantileExactMerge(0.95)(p95)", rows: [][]any{
		{
			"POST",
			"/refunds",
			"/refunds",
			"",
			"pay",
			"irreversible",
			uint64(30),
			uint64(4),
			last,
			uint64(9),
			[]string{"order"},
			uint64(0),
			uint64(30),
			900.0,
			450.0,
			2000.0,
			[]string{"EUR"},
		},
		{
			"GET",
			"/orders/{id}",
			"/orders/{id}",
			"",
			"read",
			"read_only",
			uint64(70),
			uint64(9),
			last,
			uint64(20),
			[]string{"order"},
			uint64(0),
			uint64(0),
			0.0,
			0.0,
			0.0,
			[]string{},
		}}}
	armed := map[string]string{
		"POST /v1/arming/agents": `[{"agent":"billing/bot","state":"armed","why":"configuration"}]`,
		"GET /v1/manifests":      `[` + manifestLine + `]`,
	}
	return map[string]listing{
		"runs": {args: []string{"runs"}, db: fakeDB{placed("FROM run_states", runA, runB), {in: "FROM runs ", rows: [][]any{
			withBreaker(storedRun(runA, "nightly", "billing/bot"), "open"), storedRun(runB, "", "")}}}},
		"find": {args: []string{"find", "nightly"}, db: fakeDB{
			{in: "FROM call_ids", rows: [][]any{{"host", last}}},
			placed("FROM run_states WHERE run_key =", runA),
			{in: "AND run_key =", rows: [][]any{foundRun(last)}},
			placed("FROM calls WHERE host =", runB),
			{in: "AND host =", rows: [][]any{{runB, "", "", uint64(1), last, last}}}}},
		"find-nothing": {
			args: []string{"find", "nigtly"},
			db:   fakeDB{{in: "SELECT kind, value", rows: [][]any{{"run", "nightly", "spelling", last}}}},
		},
		"findings": {args: []string{"findings"}, db: fakeDB{{in: "SELECT finding_id", rows: [][]any{
			{
				"f_1",
				runA,
				"billing/bot",
				"runaway.loop",
				"trip",
				"open",
				last,
				last,
				12.5,
				0.0004,
				uint32(3),
				uint64(12),
				uint64(1),
				"The same call, 40 times",
				"[]",
				"",
				"own",
				"true",
				"ops",
				"seen",
				uint64(2500),
				"default",
				last,
				"known_agent",
			},
			{
				"f_2",
				runB,
				"",
				"scope",
				"alert",
				"resolved",
				last,
				last,
				math.NaN(),
				math.Inf(1),
				uint32(0),
				uint64(0),
				uint64(0),
				"Wrote to order:9",
				"[]",
				"nightly-import",
				"",
				"true",
				"",
				"",
				uint64(0),
				"default",
				at("1970-01-01 00:00:00"),
				"",
			}}}}},
		"rates": {args: []string{"findings", "rates"}, db: fakeDB{
			{in: "'scope.target_outside '", rows: [][]any{{"targets", uint64(4), uint64(1), uint64(1), uint64(0), uint64(2), uint64(2000)}}},
			{in: "SELECT toString(l) AS level", rows: [][]any{{"trip", uint64(3), uint64(2), uint64(1), uint64(0), uint64(0), uint64(1000)}}}}},
		"exceptions-of-the-file": {
			args: []string{"findings", "exceptions"},
			yaml: exceptionsYAML,
			db:   fakeDB{{in: "GROUP BY exception", rows: [][]any{{"nightly-import", uint64(7), last}}}},
		},
		"exceptions": {
			args: []string{"exceptions", "list"},
			yaml: exceptionsYAML,
			api: map[string]string{"GET /v1/exceptions": `[{"id":"ex_123456","tenant":"default","agent":"billing/*",
"family":"runaway.destroy","routes":["DELETE /v1/orders/{id}"],"since":"2026-11-20T10:00:00Z","expires":"2026-11-22T10:00:00Z",
"by":"ops","reason":"clean-up","trips":3}]`},
		},
		"exceptions-none": {args: []string{"exceptions", "list"}, api: map[string]string{"GET /v1/exceptions": `[]`}},
		"breakers": {
			args: []string{"breakers", "list"},
			api: map[string]string{
				"GET /v1/breakers": `[{"tenant":"default","scope":{"kind":"run","value":"r-1"},"state":"open","mode":"armed","action":"deny",
"origin":"detector","generation":12,"reason":"The same call, 40 times","since_ns":1,"exposure":{"calls":0,"irreversible":0},
"since":"2026-11-20T10:00:00.5Z","expires":"2026-11-20T10:15:00Z","applied":[{"point":"p1","generation":12,"lag_ms":4}]}]`,
			},
		},
		"breakers-history": {
			args: []string{"breakers", "history"},
			api: map[string]string{
				"GET /v1/breakers/history": `[{"tenant":"default","scope":{"kind":"agent","value":"bot"},"state":"closed","mode":"armed",
"action":"none","origin":"operator","generation":13,"since_ns":1,"exposure":{"calls":0,"irreversible":0},"since":"2026-11-20T10:00:00Z",
"applied":[]}]`,
			},
		},
		"gates": {
			args: []string{"breakers", "gates"},
			api: map[string]string{
				"GET /v1/grants": `[{"gate_id":"g_1","tenant":"default","state":"pending","agent_id":"billing/bot","route":"POST /refunds",
"holder":"run:` + runA + `","run_id":"` + runA + `","run_key":"nightly","path":"/refunds/7","resources":["customer:5","order:9"],
"resource":"order:9","amount":"900",
"currency":"EUR","why":"policy.autonomy:always_asks","asked":"2026-11-20T10:00:00.25Z"},{"gate_id":"g_2","tenant":"default","state":"granted",
"route":"POST /refunds","why":"policy.amount","by":"ops","asked":"2026-11-20T09:00:00Z"}]`,
			},
		},
		"receipts": {
			args: []string{"breakers", "receipts"},
			db:   fakeDB{{in: "countIf(reversibility = 'irreversible') FROM calls", rows: [][]any{{uint64(3), uint64(1)}}}},
			api: map[string]string{
				"GET /v1/receipts": `[{"tenant":"default","scope":{"kind":"run","value":"` + runA + `"},"generation":12,"action":"deny",
"run_id":"` + runA + `",
"call_at":"2026-11-20T10:00:00.5Z","commanded_at":"2026-11-20T10:00:00.52Z","exposure":{"calls":12,"irreversible":1},
"points":[{"point":"p1","applied_at":"2026-11-20T10:00:00.53Z","first_denied_at":"2026-11-20T10:00:01Z","denied":4}]},
{"tenant":"default","scope":{"kind":"agent","value":"bot"},"generation":9,"action":"deny","commanded_at":"2026-11-20T09:00:00Z",
"exposure":{"calls":0,"irreversible":0},"points":[]}]`,
			},
		},
		"tasks": {
			args: []string{"task", "list"},
			api: map[string]string{
				"GET /v1/runs": `[{"task_id":"t_1","tenant":"default","agent_id":"billing/bot","run_key":"nightly","task_type":"refund",
"targets":["order:1","order:2"],
"by":"orchestrator","declared":"2026-11-20T10:00:00Z","expires":"2026-11-20T11:00:00Z"}]`,
			},
		},
		"manifests": {args: []string{"manifest", "list"}, api: armed},
		"quotas": {
			args: []string{"manifest", "quotas"},
			api:  map[string]string{"GET /v1/quotas": `[{"agent":"billing/bot","quota":"refunds","of":"agent","units":40,"limit":100}]`},
		},
		"manifest-check": {args: []string{"manifest", "check", "billing/bot"}, db: fakeDB{usage}, api: armed},
		"manifest-review": {args: []string{"manifest", "review"}, db: fakeDB{usage, {in: "quantileExactIfOrNull(0.5)", rows: [][]any{
			{
				"billing/bot",
				"POST /refunds",
				"policy.amount",
				uint64(30),
				uint64(30),
				uint64(0),
				uint64(0),
				uint64(2),
				12.0,
				900.0,
				"EUR",
				uint64(0),
				last,
			}}}}, api: armed},
		"reach": {args: []string{"reach", "--agent", "billing/bot"}, db: fakeDB{usage}, api: armed},
		"settings": {
			args: []string{"settings", "list"},
			api: map[string]string{
				"GET /v1/settings": `{"tenant":"default","trips_per_hour":5,"agents_percent":10,"generation":3,"by":"ops","reason":"first",
"since":"2026-11-20T10:00:00Z","file":{"trips_per_hour":8,"agents_percent":10},"differ":true}`,
			},
		},
		"arming": {
			args: []string{"arming"},
			api: map[string]string{
				"GET /v1/arming": `{"points":[{"point":"p1","mode":"observe","armed":["billing/*"],"generation":12,"lag_ms":3},{"point":"old",
"armed":[],"generation":2,"lag_ms":0}],
"orders":[{"pattern":"tag:gold","state":"armed","since":"2026-11-20T10:00:00Z","by":"ops","reason":"ready","generation":11}]}`,
			},
		},
		"arming-none": {args: []string{"arming"}, api: map[string]string{"GET /v1/arming": `{"points":[],"orders":[]}`}},
		"audit":       {args: []string{"audit", "list"}, db: fakeDB{{in: "FROM audit ", rows: audit}}},
		"audit-none":  {args: []string{"audit", "list", "--since", "7d"}, db: fakeDB{}},
		"audit-older": {args: []string{"audit", "list"}, db: fakeDB{{in: "FROM audit  ORDER", rows: audit}}},
		"audit-period": {args: []string{"audit", "list", "--since", "2026-11-20", "--until", "2026-11-21"},
			db: fakeDB{{in: "FROM audit WHERE", rows: audit}}},
		"agents": {args: []string{"agents", "--until", "2026-11-20T10:10:00Z"}, db: fakeDB{agents, baselines, learned, shared, start},
			api: armed},
		"hygiene":      {args: []string{"agents", "--hygiene"}, db: fakeDB{agents, baselines, shared, start}, api: armed},
		"hygiene-none": {args: []string{"agents", "--hygiene"}, db: fakeDB{}, api: armed},
		"routes-learned": {args: []string{"routes", "learned"}, db: fakeDB{{in: "route_source = 'overflow'", rows: [][]any{
			{"GET /repos/{slug}/{slug}/issues", []string{"/repos/acme/rocket/issues", "/repos/acme/sled/issues"}}}}},
			api: map[string]string{"GET /v1/routes": `[{"route":"GET /items/{slug}","state":"learned","learned":true},
{"route":"GET /items/sale","state":"pinned","learned":false,"since":"2026-11-20T10:00:00Z","by":"ops","reason":"a page of its own","generation":12},
{"route":"GET /repos/{slug}/{slug}/issues","state":"learned","learned":true,"words":[101,101],"calls":4210,"since":"2026-11-19T10:00:00Z"},
{"route":"POST /jobs/{slug}","state":"undone","learned":true,"words":[101],"calls":320,"since":"2026-11-20T11:00:00Z","by":"ops",
"reason":"names of jobs","generation":14}]`}},
		"routes-learned-none": {args: []string{"routes", "learned"}, api: map[string]string{"GET /v1/routes": `[]`}},
		"routes": {args: []string{"routes"}, db: fakeDB{{in: "AS undeclared", rows: [][]any{
			{
				"DELETE",
				"/orders/{id}",
				"",
				"orders",
				"heuristic",
				"delete",
				"method",
				"irreversible",
				"method",
				uint64(2),
				uint64(8),
				uint64(1),
				uint64(0),
				last,
				true,
			},
			{
				"",
				"",
				"get_order",
				"",
				"tool",
				"read",
				"operator",
				"read_only",
				"operator",
				uint64(3),
				uint64(80),
				uint64(0),
				uint64(2),
				last,
				false,
			}}}}},
		"start-here":          {args: []string{"start-here"}, db: fakeDB{start, coverage, learned}, api: armed},
		"start-here-newcomer": {args: []string{"start-here"}, db: fakeDB{newcomer, coverage, onlyKnown}, api: armed},
		"start-here-nothing-learned": {args: []string{"start-here", "--until", "2026-11-20T10:10:00Z"}, db: fakeDB{start, coverage, agents},
			api: armed},
		"start-here-earlier-release": {args: []string{"start-here"}, db: fakeDB{start, coverage, earlier}, api: armed},
		"start-here-none":            {args: []string{"start-here"}, db: fakeDB{coverage}, api: armed},
		"coverage":                   {args: []string{"coverage", "--since", "2026-11-20T00:00:00Z"}, db: fakeDB{coverage}},
		"coverage-none":              {args: []string{"coverage", "--since", "2026-11-20T00:00:00Z"}, db: fakeDB{}},
		"stitching": {args: []string{"stitching"}, db: fakeDB{{in: "FROM stitching", rows: [][]any{
			{
				at("1970-01-01 00:00:00"),
				"edge",
				"envoy_json",
				"session",
				uint64(90),
				0.9,
			}, {at("1970-01-01 00:00:00"), "edge", "envoy_json", "explicit", uint64(10), 0.1}}}}},
		"stitching-by-day": {
			args: []string{"stitching", "--by", "day"},
			db:   fakeDB{{in: "FROM stitching", rows: [][]any{{at("2026-11-20 00:00:00"), "", "nginx", "explicit", uint64(10), 1.0}}}},
		},
		"dead-letters": {args: []string{"dead-letters"}, db: fakeDB{{in: "FROM dead_letters", rows: [][]any{
			{"gateway-logs", "unknown_format", uint64(4), last, last, uint64(512), "no format fits", "gateway-logs/0/17/0", int64(3)}}}}},
		"dead-letters-none": {args: []string{"dead-letters"}, db: fakeDB{}},
	}
}

const manifestLine = `{"agent":"billing/bot","version":3,"by":"ops","tenant":"default","owner":"team-a","since":"2026-11-20T10:00:00Z",
"text":"version: 1\nagent: billing/bot\nowner: team-a\nscope: {routes: [GET /**, POST /refunds],` +
	` resources: ['order:*']}\nquotas:\n  - {name: calls, calls: 100, per: 1h}\n  - {name: other, routes: [DELETE /x], calls: 1, per: 1h}\n"}`

const exceptionsYAML = `detect:
  exceptions:
    - {name: nightly-import, agent: 'billing/*', family: runaway.loop, expires: 2099-01-01T00:00:00Z, approver: carol,
 why: imports are long}
    - {name: old, agent: bot, family: scope, routes: ['POST /refunds'], expires: 2020-01-01T00:00:00Z, approver: carol, why: it was meant}
`

// People and programs read the output of listings: a change is visible in the golden files.
func TestListings(t *testing.T) {
	for name, l := range listings() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, l.yaml)
			f.db, f.api, f.now = l.db, l.api, at("2026-12-01 09:00:00")
			code, out, errs := f.run(l.args...)
			status := string(rune('0' + code))
			if errs != "" {
				errs = "\n--- standard error\n" + errs
			}
			golden(t, "listings/"+name+".txt", out+errs+"\n--- exit "+status+"\n")
			code, out, _ = f.run(append(l.args, "-o", "json")...)
			if !json.Valid([]byte(out)) {
				t.Errorf("-o json: %q", out)
			}
			if string(rune('0'+code)) != status {
				t.Errorf("exit %d with -o json, %s without", code, status)
			}
			golden(t, "listings/"+name+".json", out)
			if code, _, errs := f.run(append(l.args, "-o", "xml")...); code != exitUsage ||
				!strings.Contains(errs, `-o: "xml" is none of table, json`) {
				t.Errorf("-o xml: exit %d, %q", code, errs)
			}
		})
	}
}
