package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// candidate is a way in which tables could be ordered, made from today's tables by SQL. Its questions are asked of it alone.
type candidate struct {
	name      string
	tables    []string // the tables whose bytes count
	make      []string // statements
	questions []candidateQuestion
}

// candidateQuestion is one SQL text; words in braces stand for a subject: see subjectWords.
type candidateQuestion struct{ name, sql string }

// actorOf is the actor of a run as detect hashes it; a stored call of version 4 does not have it.
const actorOf = "toUInt32(xxHash64(concat('g:', agent_id)))"

// callsCandidate makes a table of calls with another partition and order. more are further columns, first are the first columns of the
// order after the tenant.
func callsCandidate(name, first, more, moreSQL string) []string {
	var columns []string
	for _, t := range clickhouse.Tables() {
		if t.Name != clickhouse.CallsTable.Name() {
			continue
		}
		for _, c := range t.Columns {
			d := "`" + c.Name + "` " + c.Type
			if c.Default != "" {
				d += " DEFAULT " + c.Default
			}
			if c.Codec != "" {
				d += " CODEC(" + c.Codec + ")"
			}
			columns = append(columns, d)
		}
	}
	if more != "" {
		columns = append(columns, more)
		moreSQL = ", " + moreSQL
	}
	bloom := func(name, of string, rate float64) {
		columns = append(columns, fmt.Sprintf("INDEX %s %s TYPE bloom_filter(%g) GRANULARITY 1", name, of, rate))
	}
	bloom("ix_run", "run_id", 0.01)
	bloom("ix_trace", "trace_id", 0.025)
	bloom("ix_request", "request_uuid", 0.025)
	bloom("ix_address", "client_ip", 0.025)
	bloom("ix_credential", "credential_id", 0.025)
	columns = append(columns, "INDEX ix_start start_time TYPE minmax GRANULARITY 1")
	return []string{
		"CREATE TABLE flyball." + name + " (" + strings.Join(columns, ",\n") +
			") ENGINE = ReplacingMergeTree PARTITION BY toYYYYMMDD(start_time) " +
			"PRIMARY KEY (tenant, " + first + "run_id, start_time) ORDER BY (tenant, " + first +
			"run_id, start_time, source_topic, source_topic_id, source_partition, source_offset, item)",
		"INSERT INTO flyball." + name + " SELECT *" + moreSQL + " FROM flyball.calls_store " +
			"SETTINGS max_partitions_per_insert_block = 0, optimize_on_insert = 0",
	}
}

const oneAgent = `SELECT arrayJoin(resources) AS resource, method, route, effect, count(), sum(bytes_out), min(start_time), max(start_time),
groupUniqArray(20)(run_id), uniqExact(run_id) FROM {table} FINAL WHERE tenant = 'default' AND %s GROUP BY resource, method, route, effect
ORDER BY 5 DESC LIMIT 1000`

const oneRun = `SELECT start_time, method, path, route, status, outcome, bytes_out, resources, attrs FROM {table} FINAL
WHERE tenant = 'default' AND run_id = {run} AND %s ORDER BY start_time`

const theAgents = `SELECT agent_id, max(agent_trust), argMax(agent_version, start_time), uniqExact(agent_version), groupUniqArray(10)(credential_id),
min(start_time), max(start_time), uniqExact(run_id), countIf(counted) AS n, countIf(reversibility = 'irreversible')
FROM {table} FINAL WHERE tenant = 'default' AND start_time >= {day} GROUP BY agent_id ORDER BY n DESC LIMIT 10000`

const thePanel = `SELECT toStartOfInterval(start_time, INTERVAL 72 SECOND) AS t, count(), countIf(outcome NOT IN ('ok', 'unknown', 'denied')),
countIf(outcome = 'denied'), countIf(reversibility = 'irreversible') FROM {table} FINAL
WHERE tenant = 'default' AND start_time >= {hours} AND counted GROUP BY t ORDER BY t`

// ordered are the questions that every order of calls is asked alike.
func ordered(table, known, byAgent, byPrincipal, byAddress string) []candidateQuestion {
	q := []candidateQuestion{
		{"one run, its row of runs is known", fmt.Sprintf(oneRun, known)},
		{"one run by its id alone", fmt.Sprintf(oneRun, "1")},
		{"touched by an agent, 6 h", fmt.Sprintf(oneAgent, byAgent+" AND start_time >= {hours}")},
		{"touched by an agent, 24 h", fmt.Sprintf(oneAgent, byAgent+" AND start_time >= {day}")},
		{"touched by an agent, 30 d", fmt.Sprintf(oneAgent, byAgent)},
		{"touched by a principal, 30 d", fmt.Sprintf(oneAgent, byPrincipal)},
		{"runs of an address, 30 d", "SELECT run_id, count(), max(start_time) AS at FROM {table} FINAL " +
			"WHERE tenant = 'default' AND " + byAddress +
			" GROUP BY run_id ORDER BY at DESC LIMIT 20"},
		{"a request id by bloom filters", "SELECT run_id, start_time FROM {table} FINAL WHERE request_uuid = {request}"},
		{"a trace by bloom filters", "SELECT run_id, start_time FROM {table} FINAL WHERE trace_id = {trace}"},
		{"agents, 24 h", theAgents},
		{"panel of calls, 6 h", thePanel},
	}
	for i := range q {
		q[i].sql = strings.ReplaceAll(q[i].sql, "{table}", "flyball."+table)
	}
	return q
}

// candidates returns the alternatives of ADR 0006, in the order in which they are measured.
func candidates() []candidate {
	const byName = "agent_id = {agent}"
	posted := func(kind, value, column string) string {
		return fmt.Sprintf("%[3]s = {%[2]s} AND (toDate(start_time), run_id) IN (SELECT day, run_id FROM flyball.postings_run "+
			"WHERE tenant = 'default' AND kind = '%[1]s' AND value = {%[2]s:text}) AND run_id IN (SELECT run_id FROM flyball.postings_run "+
			"WHERE tenant = 'default' AND kind = '%[1]s' AND value = {%[2]s:text})", kind, value, column)
	}
	acting := func(kind, value, column string) string {
		return fmt.Sprintf("%[3]s = {%[2]s} AND actor IN (SELECT actor FROM flyball.postings WHERE tenant = 'default' AND kind = '%[1]s' "+
			"AND value = {%[2]s:text}) AND toYYYYMMDD(start_time) IN (SELECT toYYYYMMDD(day) FROM flyball.postings WHERE tenant = 'default' "+
			"AND kind = '%[1]s' AND value = {%[2]s:text})", kind, value, column)
	}
	kinds := `arrayJoin(arrayFilter(p -> p.2 != '', [('agent', agent_id), ('credential', credential_id), ('principal', principal_id),
('address', toString(client_ip)), ('host', toString(host))])) AS p`
	return []candidate{
		{name: "as today: months, order run", questions: ordered("calls_store", "start_time BETWEEN {from} AND {to}", byName,
			"principal_id = {principal}", "client_ip = {address}")},
		{name: "postings of runs: (tenant, kind, value, day, run_id)", tables: []string{"postings_run"}, make: []string{
			`CREATE TABLE flyball.postings_run (tenant LowCardinality(String), kind LowCardinality(String), value String CODEC(ZSTD(1)),
day Date CODEC(ZSTD(1)), run_id UUID CODEC(NONE)) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(day) ORDER BY (tenant, kind, value, day, run_id)`,
			"INSERT INTO flyball.postings_run SELECT DISTINCT tenant, p.1, p.2, toDate(start_time), run_id FROM (SELECT *, " + kinds +
				" FROM flyball.calls_store)"}},
		{name: "postings of actors: (tenant, kind, value, day, actor)", tables: []string{"postings"}, make: []string{
			`CREATE TABLE flyball.postings (tenant LowCardinality(String), kind LowCardinality(String), value String CODEC(ZSTD(1)),
day Date CODEC(ZSTD(1)), actor UInt32 CODEC(ZSTD(1))) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(day) ORDER BY (tenant, kind, value, day, actor)`,
			"INSERT INTO flyball.postings SELECT DISTINCT tenant, p.1, p.2, toDate(start_time), " + actorOf + " FROM (SELECT *, " + kinds +
				" FROM flyball.calls_store)"}},
		{name: "A: days, order run; postings of runs", tables: []string{"calls_a"}, make: callsCandidate("calls_a", "", "", ""),
			questions: ordered("calls_a", "start_time BETWEEN {from} AND {to}", byName, posted("principal", "principal", "principal_id"),
				posted("address", "address", "client_ip"))},
		{name: "B: days, order hour, run; postings of runs", tables: []string{"calls_b"},
			make: callsCandidate("calls_b", "toStartOfHour(start_time), ", "", ""),
			questions: ordered("calls_b", "start_time BETWEEN {from} AND {to}", byName, posted("principal", "principal", "principal_id"),
				posted("address", "address", "client_ip"))},
		{name: "C: days, order actor, run; postings of actors", tables: []string{"calls_c"},
			make: callsCandidate("calls_c", "actor, ", "actor UInt32 CODEC(ZSTD(1))", actorOf),
			questions: ordered("calls_c", "actor = {actor} AND start_time BETWEEN {from} AND {to}", acting("agent", "agent", "agent_id"),
				acting("principal", "principal", "principal_id"), acting("address", "address", "client_ip"))},
		{name: "P: A with a projection by agent", tables: []string{"calls_p"}, make: append([]string{
			"CREATE TABLE flyball.calls_p AS flyball.calls_a",
			"ALTER TABLE flyball.calls_p MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'",
			"ALTER TABLE flyball.calls_p ADD PROJECTION by_agent (SELECT _part_offset ORDER BY agent_id, start_time)"},
			"INSERT INTO flyball.calls_p SELECT * FROM flyball.calls_a SETTINGS max_partitions_per_insert_block = 0, optimize_on_insert = 0"),
			questions: []candidateQuestion{
				{"touched by an agent, 30 d", strings.ReplaceAll(fmt.Sprintf(oneAgent, byName), "{table}", "flyball.calls_p")},
				{"the same without FINAL", strings.ReplaceAll(strings.ReplaceAll(fmt.Sprintf(oneAgent, byName), "{table} FINAL", "{table}"), "{table}",
					"flyball.calls_p")},
			}},
		{name: "ids: 32 bits of trace and request id → day, actor", tables: []string{"ids"}, make: []string{
			`CREATE TABLE flyball.ids (tenant LowCardinality(String), day Date CODEC(ZSTD(1)), kind UInt8 CODEC(ZSTD(1)), id UInt32 CODEC(Delta, ZSTD(1)),
actor UInt32 CODEC(ZSTD(1))) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMMDD(day) ORDER BY (tenant, kind, id, actor)`,
			"INSERT INTO flyball.ids SELECT DISTINCT tenant, toDate(start_time), 1, toUInt32(xxHash64(trace_id)), " + actorOf +
				" FROM flyball.calls_store UNION ALL SELECT tenant, toDate(start_time), 2, toUInt32(xxHash64(request_uuid)), " + actorOf +
				" FROM flyball.calls_store SETTINGS max_partitions_per_insert_block = 0"},
			questions: []candidateQuestion{
				{"a request id", `SELECT run_id, start_time FROM flyball.calls_c FINAL WHERE tenant = 'default' AND request_uuid = {request}
AND actor IN (SELECT actor FROM flyball.ids WHERE tenant = 'default' AND kind = 2 AND id = toUInt32(xxHash64({request}))) AND toYYYYMMDD(start_time)
IN (SELECT toYYYYMMDD(day) FROM flyball.ids WHERE tenant = 'default' AND kind = 2 AND id = toUInt32(xxHash64({request})))`},
				{"a trace", `SELECT run_id, start_time FROM flyball.calls_c FINAL WHERE tenant = 'default' AND trace_id = {trace}
AND actor IN (SELECT actor FROM flyball.ids WHERE tenant = 'default' AND kind = 1 AND id = toUInt32(xxHash64({trace}))) AND toYYYYMMDD(start_time)
IN (SELECT toYYYYMMDD(day) FROM flyball.ids WHERE tenant = 'default' AND kind = 1 AND id = toUInt32(xxHash64({trace})))`},
			}},
		resourceCandidates(),
		runsCandidate("runs_a", "as A: days, order run", "", "run_id = {run}", byName),
		runsCandidate("runs_c", "as C: days, order actor, run", "actor_hash, ", "run_id = {run}",
			"actor_hash IN (SELECT actor FROM flyball.postings WHERE tenant = 'default' AND kind = 'agent' AND value = {agent}) AND "+byName),
		{name: "curves: counters by minute, and by agent and hour", tables: []string{"minutes", "hours"}, make: []string{
			`CREATE TABLE flyball.minutes (tenant LowCardinality(String), minute DateTime CODEC(Delta, ZSTD(1)), calls_partition Int32, version UInt64,
calls UInt32 CODEC(T64, ZSTD(1)), failed UInt32 CODEC(T64, ZSTD(1)), denied UInt32 CODEC(T64, ZSTD(1)), irreversible UInt32 CODEC(T64, ZSTD(1)))
ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(minute) ORDER BY (tenant, minute, calls_partition)`,
			`INSERT INTO flyball.minutes SELECT tenant, toStartOfMinute(start_time) AS m, calls_partition, count(), count(), countIf(outcome
NOT IN ('ok', 'unknown', 'denied')), countIf(outcome = 'denied'), countIf(reversibility = 'irreversible' AND outcome IN ('ok', 'unknown'))
FROM flyball.calls_store WHERE counted GROUP BY tenant, m, calls_partition`,
			`CREATE TABLE flyball.hours (tenant LowCardinality(String), hour DateTime CODEC(Delta, ZSTD(1)), actor UInt32 CODEC(ZSTD(1)), agent_id String
CODEC(ZSTD(1)), version UInt64 CODEC(T64, ZSTD(1)), calls UInt32 CODEC(T64, ZSTD(1)), runs UInt32 CODEC(T64, ZSTD(1)), failed UInt32 CODEC(T64,
ZSTD(1)), denied UInt32 CODEC(T64, ZSTD(1)), irreversible UInt32 CODEC(T64, ZSTD(1)), bytes_out UInt64 CODEC(T64, ZSTD(1)), last_at DateTime
CODEC(ZSTD(1))) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(hour) ORDER BY (tenant, hour, actor, agent_id)`,
			`INSERT INTO flyball.hours SELECT tenant, toStartOfHour(start_time) AS h, ` + actorOf + ` AS a, agent_id, count(), count(), uniqExact(run_id),
countIf(outcome NOT IN ('ok', 'unknown', 'denied')), countIf(outcome = 'denied'), countIf(reversibility = 'irreversible'), sum(bytes_out),
max(start_time) FROM flyball.calls_store WHERE counted GROUP BY tenant, h, a, agent_id`},
			questions: []candidateQuestion{
				{"panel of calls, 6 h", `SELECT toStartOfInterval(minute, INTERVAL 2 MINUTE) AS t, sum(calls), sum(failed), sum(denied), sum(irreversible)
FROM flyball.minutes FINAL WHERE tenant = 'default' AND minute >= {hours} GROUP BY t ORDER BY t`},
				{"panel of calls, 30 d", `SELECT toStartOfInterval(minute, INTERVAL 2 HOUR) AS t, sum(calls), sum(failed), sum(denied), sum(irreversible)
FROM flyball.minutes FINAL WHERE tenant = 'default' GROUP BY t ORDER BY t`},
				{"panel of an agent, 30 d", `SELECT hour, sum(calls), sum(failed), sum(denied), sum(irreversible) FROM flyball.hours FINAL
WHERE tenant = 'default' AND agent_id = {agent} GROUP BY hour ORDER BY hour`},
				{"calls by agent, 30 d", `SELECT agent_id, sum(calls) AS n, sum(irreversible), min(hour), max(last_at) FROM flyball.hours FINAL
WHERE tenant = 'default' GROUP BY agent_id ORDER BY n DESC LIMIT 10000`},
			}},
	}
}

func resourceCandidates() candidate {
	const name = "resources: touches by month as today; postings of resources → day, actor"
	return candidate{name: name, tables: []string{"resources"}, make: []string{
		`CREATE TABLE flyball.resources (tenant LowCardinality(String), resource String CODEC(ZSTD(1)), day Date CODEC(ZSTD(1)), actor UInt32
CODEC(ZSTD(1))) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(day) ORDER BY (tenant, resource, day, actor)`,
		"INSERT INTO flyball.resources SELECT DISTINCT tenant, arrayJoin(resources), toDate(start_time), " + actorOf +
			" FROM flyball.calls_store"},
		questions: []candidateQuestion{
			{"who touched a resource, 30 d, touches and A", `SELECT run_id, method, route, count(), max(start_time) FROM flyball.calls_a FINAL
WHERE tenant = 'default' AND has(resources, {resource}) AND run_id IN (SELECT run_id FROM flyball.touches_store WHERE tenant = 'default' AND
resource = {resource} GROUP BY run_id ORDER BY max(last_at) DESC LIMIT 1000) GROUP BY run_id, method, route`},
			{"who touched a resource, 30 d, touches and C", `SELECT run_id, method, route, count(), max(start_time) FROM flyball.calls_c FINAL
WHERE tenant = 'default' AND has(resources, {resource}) AND run_id IN (SELECT run_id FROM flyball.touches_store WHERE tenant = 'default' AND
resource = {resource} GROUP BY run_id ORDER BY max(last_at) DESC LIMIT 1000) AND actor IN (SELECT actor FROM flyball.resources WHERE
tenant = 'default' AND resource = {resource}) GROUP BY run_id, method, route`},
			{"who touched a resource, 30 d, postings and C", `SELECT run_id, method, route, count(), max(start_time) FROM flyball.calls_c FINAL
WHERE tenant = 'default' AND has(resources, {resource}) AND actor IN (SELECT actor FROM flyball.resources WHERE tenant = 'default' AND
resource = {resource}) AND toYYYYMMDD(start_time) IN (SELECT toYYYYMMDD(day) FROM flyball.resources WHERE tenant = 'default' AND
resource = {resource}) GROUP BY run_id, method, route`},
		}}
}

func runsCandidate(table, name, first, byID, byAgent string) candidate {
	q := func(where, tail string) string {
		return "SELECT run_id, max(last_at) AS at, any(run_key), any(agent_id), sum(calls), sum(errors), max(score), max(level) " +
			"FROM flyball." + table + " FINAL WHERE tenant = 'default' AND " + where + " GROUP BY run_id " + tail
	}
	const newest = "ORDER BY at DESC LIMIT 20"
	return candidate{name: "runs " + name, tables: []string{table}, make: makeRunsTable(table, first), questions: []candidateQuestion{
		{"runs of 6 h, 20 newest", q("last_at >= {hours}", newest)},
		{"runs of an agent, 24 h", q(byAgent+" AND last_at >= {day}", newest)},
		{"runs of an agent, 30 d", q(byAgent, newest)},
		{"run by id", q(byID, "")},
		{"run by key", q("run_key = {key}", newest)},
	}}
}

// makeRunsTable returns the statements for a table of runs: today's columns, the day, the actor's hash, and indexes.
func makeRunsTable(table, first string) []string {
	var columns []string
	for _, t := range clickhouse.Tables() {
		if t.Name != clickhouse.RunsTable.Name() {
			continue
		}
		for _, s := range t.Columns {
			d := "`" + s.Name + "` " + s.Type
			if s.Codec != "" {
				d += " CODEC(" + s.Codec + ")"
			}
			columns = append(columns, d)
		}
	}
	columns = append(columns, "opened_day Date CODEC(ZSTD(1))", "actor_hash UInt32 CODEC(ZSTD(1))",
		"INDEX ix_key run_key TYPE bloom_filter(0.01) GRANULARITY 1", "INDEX ix_run run_id TYPE bloom_filter(0.01) GRANULARITY 1",
		"INDEX ix_last last_at TYPE minmax GRANULARITY 1")
	return []string{
		"CREATE TABLE flyball." + table + " (" + strings.Join(columns, ",\n") +
			") ENGINE = ReplacingMergeTree(version) PARTITION BY opened_day ORDER BY (tenant, " + first + "run_id, segment)",
		"INSERT INTO flyball." + table + " SELECT *, toDate(started_at), toUInt32(xxHash64(actor)) FROM flyball.runs_store FINAL " +
			"SETTINGS max_partitions_per_insert_block = 0",
	}
}

// finalByPartition is what the views set: a repeat of a row is in the partition of the original.
const finalByPartition = " SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final_exact_mode = 0"

// measureCandidates makes the candidate tables from the stored history and asks their questions.
func (e *measuredEngine) measureCandidates(ctx context.Context, o historyOptions, some []schema.Call, end time.Time) error {
	for _, c := range candidates() {
		if !o.prototype.MatchString(c.name) {
			continue
		}
		fmt.Printf("\n## %s\n", c.name)
		there := 0
		for _, t := range c.tables {
			n, err := e.conn.QueryText(ctx, "SELECT count() FROM system.tables WHERE database = 'flyball' AND total_rows > 0 AND name = '"+t+"'")
			if err != nil {
				return err
			}
			if strings.TrimSpace(n) == "1" {
				there++
				continue
			}
			if err := e.conn.RunStatement(ctx, "DROP TABLE IF EXISTS flyball."+t+" SYNC"); err != nil {
				return err
			}
		}
		before := cpu(e.cmd.Process.Pid)
		for _, sql := range c.make {
			if there == len(c.tables) {
				break // from an earlier measurement
			}
			if err := e.conn.RunStatement(ctx, sql); err != nil {
				return fmt.Errorf("%w\n%s", err, sql)
			}
		}
		if err := e.settle(ctx); err != nil {
			return err
		}
		if len(c.tables) > 0 {
			text, err := e.conn.QueryText(ctx, fmt.Sprintf(`SELECT table, sum(rows), count(), round(sum(bytes_on_disk) / %d, 2) FROM system.parts
WHERE active AND database = 'flyball' AND table IN ('%s') GROUP BY table ORDER BY table`, o.calls, strings.Join(c.tables, "', '")))
			if err != nil {
				return err
			}
			fmt.Printf("table, rows, parts, bytes a call (made in %.1f s of CPU):\n%s", (cpu(e.cmd.Process.Pid) - before).Seconds(), text)
		}
		var all []question
		for _, q := range c.questions {
			if o.only != nil && !o.only.MatchString(q.name) {
				continue
			}
			all = append(all, question{q.name, func(ctx context.Context, db query.DB, k int) error {
				rows, err := db.Query(ctx, subjectWords(some, end, k).Replace(q.sql)+finalByPartition)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
				}
				return rows.Err()
			}})
		}
		if len(all) == 0 {
			continue
		}
		if err := e.ask(ctx, all, o.times, o.patience); err != nil {
			return err
		}
	}
	return nil
}

// subjectWords replaces the words of a question by literals about the k-th of some calls.
func subjectWords(some []schema.Call, end time.Time, k int) *strings.Replacer {
	c := &some[k%len(some)]
	person := some[slices.IndexFunc(some, func(c schema.Call) bool { return c.PrincipalID != "" })].PrincipalID
	for i := range some {
		if p := some[(k+i)%len(some)].PrincipalID; p != "" {
			person = p
			break
		}
	}
	text := func(s string) string { return "'" + s + "'" }
	at := func(t time.Time) string { return fmt.Sprintf("fromUnixTimestamp64Nano(%d, 'UTC')", t.UnixNano()) }
	start := c.StartTime()
	return strings.NewReplacer("{agent}", text(c.AgentID), "{agent:text}", text(c.AgentID),
		"{principal}", text(person), "{principal:text}", text(person),
		"{address}", text(c.ClientIP.String()), "{address:text}", text(c.ClientIP.String()),
		"{run}", "toUUID("+text(c.RunID.String())+")", "{key}", text(keyed(some, k).RunKey), "{resource}", text(c.Resources[0].String()),
		"{request}", "toUUID("+text(c.RequestID)+")", "{trace}", fmt.Sprintf("unhex('%x')", c.TraceID),
		"{actor}", "toUInt32(xxHash64("+text("g:"+c.AgentID)+"))", "{hours}", at(end.Add(-6*time.Hour)), "{day}", at(end.Add(-24*time.Hour)),
		"{from}", at(start.Add(-time.Hour)), "{to}", at(start.Add(time.Hour)))
}
