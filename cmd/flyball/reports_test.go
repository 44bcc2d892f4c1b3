package main

import (
	"cmp"
	"math"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/app"
	"flyball/schema/clickhouse/query"
)

// touchedDB answers the queries for the touched set of a run.
func touchedDB(resource string) fakeDB {
	first, last := at("2026-11-20 10:00:00"), at("2026-11-20 10:05:00")
	const none = uint64(0)
	return fakeDB{
		placed("FROM run_states WHERE run_key =", runA),
		{in: "AND run_key =", rows: [][]any{storedRun(runA, "nightly", "billing/bot")}},
		{in: "AS refused", rows: [][]any{
			{
				resource,
				"DELETE",
				"/orders/{id}",
				"delete",
				"irreversible",
				uint64(2),
				uint64(1),
				uint64(0),
				uint64(10),
				first,
				first,
				[]string{"billing/bot"},
				[]string{runA},
				uint64(1),
			},
			{
				"customer:7",
				"GET",
				"/customers/{id}",
				"read",
				"read_only",
				uint64(40),
				uint64(39),
				uint64(1),
				uint64(4000),
				first,
				last,
				[]string{"billing/bot", "billing/bot-2"},
				[]string{runA, runB},
				uint64(3),
			}}},
		{
			in: "min(start_time), max(start_time), countIf(effect",
			rows: [][]any{{"delete", "irreversible", uint64(2), first, first, uint64(1), none, none, none, none, none},
				{"read", "read_only", uint64(40), first, last, none, none, none, none, none, none}},
		},
		{in: "countIf(NOT counted)", rows: [][]any{
			{"delete", "irreversible", uint64(2), first, first, uint64(1), none, none, none, none, none, none, none, none, []string{"mesh"},
				[]uint64{2}, []uint64{2}, []string{"0af7651916cd43dd8448eb211c80319c"}, []string{runA}},
			{"read", "read_only", uint64(40), first, last, none, none, none, none, none, none, none, none, none, []string{"edge"},
				[]uint64{40}, []uint64{30}, []string{}, []string{runA}}}},
		{in: "count() > 0 FROM stored_spans", rows: [][]any{{first, uint8(1)}}},
		{in: "AS gateway, count() AS n", rows: [][]any{{"edge", uint64(40), uint64(30)}, {"mesh", uint64(2), uint64(2)}}},
		{in: "FROM run_states WHERE run_id IN", rows: [][]any{{"default", uint32(7), runA}}},
		{in: "FROM runs WHERE (tenant, actor_hash, run_id) IN", rows: [][]any{withBreaker(storedRun(runA, "nightly", "billing/bot"), "open")}},
		{in: "FROM findings WHERE run_id IN", rows: [][]any{{runA, "f_1", "runaway.loop", "trip", "open", "The same call, 40 times"}}},
		{in: "groupUniqArrayIf(1501)(trace_id, trace_id != ''), uniqExactIf",
			rows: [][]any{{first, last, []string{"0af7651916cd43dd8448eb211c80319c"}, uint64(1)}}},
		{in: "SELECT toString(run_id) AS linked", rows: [][]any{{runB, uint32(8)}}},
		{
			in:   "max(agent_trust) >= 'infrastructure', credential_id",
			rows: [][]any{{runB, "search/bot", "key-2", true, true, uint64(4), uint64(1)}},
		},
	}
}

const metricsText = `# TYPE flyball_ingest_records_total counter
flyball_ingest_records_total 100
# TYPE flyball_ingest_calls_total counter
flyball_ingest_calls_total 98
# TYPE flyball_ingest_dead_letters_total counter
flyball_ingest_dead_letters_total{reason="unknown_format"} 2
# TYPE flyball_detect_calls_by_rule_total counter
flyball_detect_calls_by_rule_total{rule="explicit"} 90
flyball_detect_calls_by_rule_total{rule="session"} 8
# TYPE flyball_detect_open_runs gauge
flyball_detect_open_runs 7
# TYPE flyball_lag_known gauge
flyball_lag_known 1
# TYPE flyball_lag_records gauge
flyball_lag_records{group="flyball-ingest",partition="0",topic="gateway-logs"} 0
flyball_lag_records{group="flyball-detect",partition="0",topic="flyball.calls"} 0
flyball_lag_records{group="flyball-store",partition="0",topic="flyball.journal"} 0
# TYPE flyball_store_rows_total counter
flyball_store_rows_total{table="calls"} 98
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 104857600
`

const statusText = `{"point":"p1","applied":11,"stale":true,"trip_budget":{"trips":2,"of":5,"agents":1,"of_agents":3,"withheld":1,
"gates":{"trips":0,"of":5},"claimed":{"trips":0,"of":5},"claimed_gates":{"trips":0,"of":5}},
"bypasses":[{"until":"2026-11-20T11:00:00Z","by":"ops","reason":"incident"},{"agent":"bot","until":"2026-11-20T11:00:00Z","by":"ops",
"reason":"test"}],
"points":[{"point":"p1","mode":"armed","armed":[],"generation":12,"lag_ms":3},{"point":"p2","mode":"observe","armed":["billing/*"],
"generation":12,"lag_ms":1500}],
"arming":[{"pattern":"tag:gold","state":"armed","since":"2026-11-20T10:00:00Z","by":"ops","reason":"ready","generation":11}],
"exceptions":1,"breakers_open":2,"gates_waiting":1,"gates_oldest_seconds":42,
"settings":{"tenant":"default","trips_per_hour":5,"agents_percent":10,"generation":3,"file":{"trips_per_hour":8,"agents_percent":10},
"differ":true}}`

// leakedKey has the form of a secret key.
const leakedKey = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"

// processText is a process whose store is refused by ClickHouse, whose file has changed, and one
// receiver of which refuses pages.
const processText = `{"roles":["up"],"version":"v1","started":"2026-11-20T09:00:00Z","file":"flyball.yaml",
"restart_for":["detect.mode","learn"],"mode":"observe","armed":["billing/*"],"kafka":["k1:9092"],"clickhouse":["ch1:8123"],
"parts":[{"part":"ingest","ready":true},{"part":"store","ready":false,"reason":"ClickHouse is away"},
{"part":"control","ready":true,"warning":"the command log is silent for 7s"}],
"lag":{"readers":[{"reader":"ingest","group":"flyball-ingest","topic":"gateway-logs","records":29977,"seconds":61.5,"never_read":1},
{"reader":"ingest","group":"flyball-ingest","topic":"otlp_logs","records":0,"seconds":0,"no_such_topic":true},
{"reader":"detect","group":"flyball-detect","topic":"flyball.calls","records":0,"seconds":0},
{"reader":"store","group":"flyball-store","topic":"flyball.journal","records":412,"seconds":30,"deleted":7}]},
"receivers":[{"receiver":"soc","refused":"receiver soc refused the page with HTTP 401","since":"2026-11-20T09:30:00Z","undelivered":3},
{"receiver":"am","failing":"receiver am does not answer at am:9093","since":"2026-11-20T09:31:00Z","undelivered":0},
{"receiver":"chat","undelivered":0}]}`

// reportCase is a command that reports on one object, with the answers of the database, the control API and the log.
type reportCase struct {
	args  []string
	db    fakeDB
	api   map[string]string
	forms []string
	log   *app.Backlog // nil: Kafka does not answer
}

// reports returns the commands that report on one object of the deployment.
func reports() map[string]reportCase {
	callColumns := []string{"start_time", "status", "outcome", "method", "path", "effect", "reversibility", "resources", "op_kind"}
	calls := fakeAnswer{in: "source_offset, item LIMIT", columns: callColumns, rows: [][]any{
		{at("2026-11-20 10:00:00"), uint16(200), "ok", "GET", "/orders/9", "read", "read_only", []string{"order:9"}, "http"},
		{at("2026-11-20 10:00:01"), uint16(403), "denied", "DELETE", "/orders/9", "delete", "irreversible", []string{"order:9"}, "http"}}}
	judgedAt := at("2026-11-20 10:00:01")
	run := fakeDB{
		calls,
		{in: "FROM scores", columns: []string{"at", "calls_partition", "calls_offset", "item", "value", "level", "features", "observed",
			"usual", "peers",
			"humans"}, rows: [][]any{{judgedAt, int32(5), int64(269), uint32(0), 7.25, "trip", []string{"repeats"}, []float64{.9},
			[]float64{.015}, []float64{.02}, []float64{math.NaN()}}}},
		{in: "FROM findings", columns: []string{"finding_id", "family", "level", "state", "summary", "score"},
			rows: [][]any{{"f_1", "runaway.loop",
				"trip", "open", "The same call, 40 times", math.NaN()}}},
		{in: "FROM decisions", columns: []string{"decision_id", "at", "action", "scope_kind", "scope_value", "mode", "reason"}, rows: [][]any{{
			"d_1", judgedAt, "deny", "run", runA, "armed", "loop"}}},
		{in: "ORDER BY generation DESC, scope LIMIT 1 BY scope", rows: [][]any{{"run " + runA, "open", "armed", uint64(12), judgedAt,
			at("2026-11-20 10:15:00"), "loop", "detector", "f_1", uint8(1)}, {"agent billing/bot", "forced_open", "armed", uint64(13), judgedAt,
			time.Unix(0, 0), "leaked", "ana", "", uint8(0)}}},
		{
			in:      "SELECT agent_id, agent_name",
			columns: []string{"agent_id", "agent_trust", "task_id"},
			rows:    [][]any{{"billing/bot", "verified", "task-9"}},
		},
		{in: "SELECT count() > 0 FROM run_states WHERE parent_run_id", rows: [][]any{{uint8(1)}}},
		{in: "SELECT toString(run_id) FROM runs WHERE parent_run_id", rows: [][]any{{runB}}},
		placed("FROM run_states WHERE run_key =", runA),
		{in: "FROM runs WHERE", rows: [][]any{storedRun(runA, "nightly", "billing/bot")}},
	}
	finding := fakeDB{
		{
			in: "SELECT finding_id",
			rows: [][]any{
				{
					"f_1",
					runA,
					"billing/bot",
					"runaway.loop",
					"trip",
					"open",
					at("2026-11-20 10:00:00"),
					at("2026-11-20 10:05:00"),
					12.5,
					0.0004,
					uint32(3),
					uint64(12),
					uint64(1),
					"The same call, 40 times",
					`[{"feature":"failing_retries_slow","observed":0.8,"hits":40,"of_calls":50,"usual":0.00000013,"usual_of":"shrunk",
"peers":null,"humans":0.02,"calls":["5/269/0"]},{"feature":"bytes_out","observed":4200000,"usual":512,"usual_of":"peers"}]`,
					"",
					"tail",
					"true",
					"ops",
					"seen",
					uint64(340),
					"default",
					at("2026-11-20 11:00:00"),
					"new_population",
				},
			},
		},
		{
			in: "FROM verdict_history",
			rows: [][]any{
				{"true", at("2026-11-20 11:00:00"), "ops", "seen"},
				{"benign", at("2026-11-20 10:30:00"), "carol", "looked harmless"},
			},
		},
		{in: "SELECT credential_id, agent_version FROM runs", rows: [][]any{{"key-1", "1.4"}}},
	}
	losses := fakeDB{{in: "FROM log_losses", rows: [][]any{{"gateway-logs", "cut", uint64(2), int64(120), at("2026-11-20 09:00:00")},
		{"flyball.calls", "expired", uint64(1), int64(0), at("2026-11-19 09:00:00")}}}}
	metrics := map[string]string{"GET /metrics": metricsText, "GET /status": processText}
	withControl := map[string]string{"GET /v1/status": statusText}
	for k, v := range metrics {
		withControl[k] = v
	}
	nearNobody := fakeDB{{in: "SELECT kind, value", rows: [][]any{{"agent", "nobody/bot", "part", at("2026-11-20 10:00:00")}}}}
	nearNightly := fakeDB{{in: "SELECT kind, value", rows: [][]any{{"run", "nightly", "spelling", at("2026-11-20 10:00:00")}}}}
	caughtUp := &app.Backlog{AsOf: at("2026-11-20 10:10:00")}
	behind := &app.Backlog{Unread: []query.Unread{{Part: "ingest", Topic: "gateway-logs", Partition: 0, Records: 12},
		{Part: "store", Topic: "flyball.calls", Partition: 3, Records: 2}},
		Lost: []string{"log_lost: 7 records of gateway-logs/1 were deleted before flyball-ingest had read them; calls may be among them"}}
	const incident = `{"incident_id":"f_aaaaaa","tenant":"default","state":"acknowledged","level":"trip","by":"agent","family":"runaway.loop",
"agent":"billing/bot","runs":2,"findings":1,"denied":true,"opened_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:05:00Z",
"summary":"The same call, 40 times","acknowledged_by":"ana","acknowledged_at":"2026-11-20T10:06:00Z","why":"I am at it",
"worst":[{"finding_id":"f_aaaaaa","run_id":"` + runA + `","agent":"billing/bot","family":"runaway.loop","level":"trip"}]}`
	alerts := map[string]string{"GET /v1/incidents": `[` + incident + `]`, "GET /v1/incidents/f_aaaaaa": incident,
		"GET /v1/silences": `[{"id":"si_123456","tenant":"default","family":"runaway.*","agent":"billing/*","since":"2026-11-20T10:00:00Z",
"until":"2026-11-20T12:00:00Z","by":"ana","reason":"load test of the staging systems","applied":false}]`}
	held := fakeDB{{in: "FROM holds WHERE NOT released", rows: [][]any{{"default", runA, at("2026-11-20 10:00:00"), "ana",
		"asked for by the auditors", uint64(12)}}}}
	return map[string]reportCase{
		"touched":          {[]string{"touched", "nightly"}, touchedDB("order:9"), metrics, []string{"table", "json", "csv"}, caughtUp},
		"touched-by-agent": {[]string{"touched", "--agent", "billing/bot"}, touchedDB("order:9"), metrics, []string{"table"}, caughtUp},
		"touched-nothing":  {[]string{"touched", "--agent", "nobody"}, nearNobody, nil, []string{"table", "json", "csv"}, caughtUp},
		"touched-secret":   {[]string{"touched", "--credential", leakedKey}, nil, nil, []string{"table", "json"}, caughtUp},
		"touched-behind":   {[]string{"touched", "--agent", "nobody"}, fakeDB{}, nil, []string{"table", "json"}, behind},
		"touched-no-kafka": {[]string{"touched", "nightly"}, touchedDB("order:9"), nil, []string{"table"}, nil},
		"run-behind":       {[]string{"run", "nightly"}, run, nil, []string{"table"}, behind},
		"find-secret":      {[]string{"find", leakedKey}, nil, nil, []string{"table"}, caughtUp},
		"find-behind":      {[]string{"find", "nobody"}, nearNobody, nil, []string{"table", "json"}, behind},
		"touched-several": {[]string{"touched", "nightly"}, fakeDB{placed("FROM run_states", runA, runB),
			{in: "FROM runs WHERE", rows: [][]any{storedRun(runA, "nightly", "billing/bot"), storedRun(runB, "nightly", "billing/bot")}}},
			metrics, []string{"table"}, caughtUp},
		"run":               {[]string{"run", "nightly"}, run, nil, []string{"table", "json"}, caughtUp},
		"run-unknown":       {[]string{"run", "nigtly"}, nearNightly, nil, []string{"table", "json"}, caughtUp},
		"finding":           {[]string{"findings", "show", "f_1"}, finding, nil, []string{"table", "json"}, caughtUp},
		"status":            {[]string{"status"}, losses, withControl, []string{"table", "json"}, caughtUp},
		"status-no-control": {[]string{"status"}, nil, metrics, []string{"table", "json"}, caughtUp},
		"status-kafka-away": {[]string{"status"}, nil, map[string]string{"GET /metrics": metricsText, "GET /v1/status": statusText,
			"GET /status": `{"roles":["store"],"parts":[],"lag":{"error":"Kafka cannot be reached at k1:9092: no broker listens there"},` +
				`"kafka":[],"clickhouse":[],"mode":"observe","started":"2026-11-20T09:00:00Z"}`}, []string{"table", "json"}, caughtUp},
		"status-one-group-refused": {[]string{"status"}, nil, map[string]string{"GET /metrics": metricsText, "GET /v1/status": statusText,
			"GET /status": `{"roles":["control"],"parts":[],"lag":{"readers":[{"reader":"store","topic":"flyball.journal",` +
				`"error":"GROUP_AUTHORIZATION_FAILED"}]},"mode":"observe","started":"2026-11-20T09:00:00Z"}`}, []string{"table"}, caughtUp},
		"alerts":         {[]string{"alert", "list"}, nil, alerts, []string{"table", "json"}, nil},
		"alerts-none":    {[]string{"alert", "list"}, nil, map[string]string{"GET /v1/incidents": "[]"}, []string{"table"}, nil},
		"alert":          {[]string{"alert", "show", "f_aaaaaa"}, nil, alerts, []string{"table", "json"}, nil},
		"silences":       {[]string{"alert", "silence", "list"}, nil, alerts, []string{"table", "json"}, nil},
		"holds":          {[]string{"hold", "list"}, held, nil, []string{"table", "json"}, nil},
		"holds-none":     {[]string{"hold", "list"}, fakeDB{}, nil, []string{"table"}, nil},
		"key-explained":  {[]string{"config", "explain", "learn.every"}, nil, nil, []string{"table", "json"}, nil},
		"check-config":   {[]string{"check-config"}, nil, ownFile, []string{"table", "json"}, nil},
		"decoded":        {[]string{"decode", accessLog}, nil, ownFile, []string{"table", "json"}, nil},
		"decoded-whole":  {[]string{"decode", "--explain", accessLog}, nil, ownFile, []string{"table", "json"}, nil},
		"status-nothing": {[]string{"status"}, nil, nil, []string{"table"}, caughtUp},
	}
}

// ownFile marks a command that asks nobody, and checks its configuration: that of the fixture has one address for two.
var ownFile = map[string]string{"configuration": "testdata/small.yaml"}

// accessLog has a line of nginx that is read, and one that is not.
const accessLog = "testdata/access.log"

// The output of commands that report on one object, in every format.
func TestReports(t *testing.T) {
	for name, r := range reports() {
		for _, form := range r.forms {
			t.Run(name+"-"+form, func(t *testing.T) {
				f := newFixture(t, "")
				f.db, f.api, f.log = r.db, r.api, r.log
				f.config = cmp.Or(r.api["configuration"], f.config)
				code, out, errs := f.run(append(r.args, "-o", form)...)
				if errs != "" {
					errs = "\n--- standard error\n" + errs
				}
				golden(t, "reports/"+name+"-"+form+".txt", withoutRandom(t, out+errs)+"\n--- exit "+string(rune('0'+code))+"\n")
			})
		}
	}
}

// A process of an older version does not say what it runs: the report says so, and reads the rest.
func TestStatusOfAnOlderProcessIsReadAsFarAsItGoes(t *testing.T) {
	f := newFixture(t, `kafka: {brokers: ["127.0.0.1:1"]}`)
	f.db = fakeDB{}
	f.api = map[string]string{"GET /metrics": metricsText, "GET /v1/status": statusText, "GET /readyz": `[{"part":"ingest","ready":true}]`}
	code, out, _ := f.run("status")
	for _, want := range []string{"1 of 1 ready", "process unknown: the process on ", "does not answer /status: it is of an older version",
		"lag unknown: Kafka cannot be reached at 127.0.0.1:1", "breakers open"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if code != exitIncomplete {
		t.Errorf("exit %d, want 3", code)
	}
}

// The lag of detect falls with its checkpoints alone. Whether all calls are stored is known to the
// process that answers.
func TestRemoteReportIsIncompleteUntilTheCheckpoint(t *testing.T) {
	const lag = `{"lag":{"readers":[{"reader":"ingest"},{"reader":"detect","topic":"flyball.calls","records":70},{"reader":"store"},` +
		`{"reader":"store-dead"}]}}`
	const asOf = `"as_of":"2026-11-20T10:10:00Z"}`
	for name, r := range map[string]struct{ unread, want string }{
		"all stored":       {`{"unread":[],` + asOf, "complete"},
		"some are unread":  {`{"unread":[{"part":"detect","topic":"flyball.calls","partition":3,"records":2}],` + asOf, "detect is 2 records behind"},
		"not known":        {`{"error":"no broker answers","unread":[],` + asOf, "no broker answers"},
		"says nothing":     {`{}`, "says nothing"},
		"an older version": {`404 not found`, "older version"},
	} {
		f, c := newFixture(t, ""), newClient(t)
		c.db = touchedDB("order:9")
		f.api["GET /v1/process"], f.api["GET /v1/unread"] = lag, r.unread
		c.mustRun("profile", "add", "there", "--control", "http://"+f.addr, "--clickhouse", "ch:9000", "--token-file",
			c.file("t", productionToken))
		_, out, errs := c.run("touched", "nightly", "-o", "json", "--profile", "there")
		late := strings.Contains(out, "ingest_lag") || strings.Contains(out, "lag_unknown")
		if !strings.Contains(out, r.want) || late == (name == "all stored") {
			t.Errorf("%s: %s%s, want %s", name, out, errs, r.want)
		}
	}
}
