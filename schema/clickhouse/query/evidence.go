package query

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// EvidenceRows are the rows about a run that one file of evidence has.
type EvidenceRows struct {
	Name string // of what they are: findings, audit …
	sql  string
}

// ofEvidence selects rows about a run, by the parameters tenant, id, run, agent, asserted, credential, principal and task. The order
// is complete: the same rows come in the same order.
var ofEvidence = []EvidenceRows{
	{"scores", "SELECT * FROM scores WHERE " + thisRun + " ORDER BY at, calls_partition, calls_offset, item"},
	{"findings", "SELECT * FROM findings WHERE " + thisRun + " ORDER BY opened_at, finding_id"},
	{"verdicts", "SELECT * FROM verdict_history WHERE tenant = {tenant:String} AND finding_id IN (" + theirFindings +
		") ORDER BY generation, finding_id"},
	{"decisions", "SELECT * FROM decisions WHERE " + thisRun + " ORDER BY at, decision_id"},
	{"breakers", "SELECT * FROM breakers WHERE " + theirBreakers + " ORDER BY generation, scope_kind, scope_value"},
	{"gates", "SELECT * FROM gates WHERE " + thisRun + " ORDER BY asked_at, gate_id, generation"},
	{"baselines", "SELECT * FROM baselines WHERE tenant = {tenant:String} AND name IN ({agent:String}, concat('~', {asserted:String})) " +
		"AND name NOT IN ('', '~') AND baseline_version IN (SELECT baseline_version FROM findings WHERE " + thisRun +
		" UNION ALL SELECT baseline_version FROM scores WHERE " + thisRun + ") ORDER BY name, version"},
}

const (
	thisRun       = "tenant = {tenant:String} AND run_id = {id:UUID}"
	theirFindings = "SELECT finding_id FROM findings WHERE " + thisRun
	theirBreakers = `tenant = {tenant:String} AND (run_id = {id:UUID} OR scope_kind = 'run' AND scope_value = {run:String}
 OR scope_kind = 'agent' AND scope_value != '' AND scope_value = {agent:String}
 OR scope_kind = 'credential' AND scope_value != '' AND scope_value = {credential:String}
 OR scope_kind = 'principal' AND scope_value != '' AND scope_value = {principal:String})`
)

// EvidenceTables are the kinds of rows about a run, in the order of an archive.
func EvidenceTables() []EvidenceRows { return ofEvidence }

// Each passes the rows about a run to take. asserted is the name that its agent only claims, if it has one.
func (e EvidenceRows) Each(ctx context.Context, db DB, run *Run, asserted string, take func(map[string]any) error) error {
	return eachRecord(ctx, db, e.Name+" of the run", e.sql, evidenceParams(run, asserted), take)
}

// AuditOf passes the entries of the audit trail about a run to take: what was commanded about it, its breakers, findings, questions, task
// and holds. The fields of an entry are complete, so that its hash can be computed again.
func AuditOf(ctx context.Context, db DB, run *Run, take func(schema.AuditEntry) error) error {
	const sql = "SELECT " + auditColumns + " FROM audit WHERE tenant = {tenant:String} AND (commands_offset IN (" +
		"SELECT toInt64(generation) - 1 FROM breakers WHERE " + theirBreakers + ") OR subject IN (concat('run:', {run:String}), " +
		"concat('hold:', {run:String})) OR {task:String} != '' AND subject = concat('task:', {task:String}) OR " +
		"subject IN (SELECT concat('finding:', finding_id) FROM findings WHERE " + thisRun + ") OR " +
		"subject IN (SELECT concat('gate:', gate_id) FROM gates WHERE " + thisRun + ")) ORDER BY seq, hash"
	return each(ctx, db, "audit entries about the run", sql, evidenceParams(run, ""), func(r driver.Rows) error {
		e, err := auditEntry(r)
		if err != nil {
			return err
		}
		return take(e)
	})
}

func evidenceParams(run *Run, asserted string) []any {
	return []any{named("tenant", run.Tenant), named("id", run.RunID), named("run", run.RunID), named("agent", run.AgentID),
		named("asserted", asserted), named("credential", run.CredentialID), named("principal", run.PrincipalID), named("task", run.TaskID)}
}

// maxRowsOfSlice is about how many rows of calls EachCall lets the engine sort at a time: a row takes some 2 KB of memory there, and what
// it sorts with files takes more than its bound for a run of a million calls that is read from the copies of a hold.
const maxRowsOfSlice = 50_000

// EachCall passes all rows of the calls of a run to take, in the order of their time: also those that do not count, because another row
// is of the same request. It holds some rows at a time, and the engine those of one slice of time.
func EachCall(ctx context.Context, db DB, run *Run, take func(map[string]any) error) error {
	var own where
	own.ofRun(run)
	ends, err := slicesOf(ctx, db, &own)
	if err != nil {
		return err
	}
	for i := range len(ends) + 1 {
		slice := ""
		if i > 0 {
			slice += fmt.Sprintf(" AND start_time >= toDateTime64(%d, 9, 'UTC')", ends[i-1])
		}
		if i < len(ends) {
			slice += fmt.Sprintf(" AND start_time < toDateTime64(%d, 9, 'UTC')", ends[i])
		}
		if err := eachRecord(ctx, db, "calls of the run", "SELECT * EXCEPT (denied_by_flyball, actor_hash) FROM calls "+own.String()+slice+
			" ORDER BY start_time, source_topic, source_topic_id, source_partition, source_offset, item", own.params, take); err != nil {
			return err
		}
	}
	return nil
}

// slicesOf returns the Unix seconds at which slices of time end that have about maxRowsOfSlice rows of calls each. One second is never
// divided. The last slice has no end.
func slicesOf(ctx context.Context, db DB, own *where) (ends []int64, err error) {
	const sql = "SELECT toUnixTimestamp64Nano(start_time) DIV 1000000000 AS second, count() FROM calls "
	rows := uint64(0)
	err = each(ctx, db, "rows of calls by second", sql+own.String()+" GROUP BY second ORDER BY second", own.params,
		func(r driver.Rows) error {
			var second int64
			var n uint64
			err := r.Scan(&second, &n)
			if rows > 0 && rows+n > maxRowsOfSlice {
				ends, rows = append(ends, second), 0
			}
			rows += n
			return err
		})
	return ends, err
}

// RunRecord reads what is stored of a run beside its calls, scores, findings and decisions: who acted, its links and breakers. left says
// which of these are not in it.
func RunRecord(ctx context.Context, db DB, run Run) (rep *RunReport, left []string, err error) {
	rep = newRunReport(run)
	for _, read := range []func(context.Context, DB) error{rep.readIdentity, rep.readBreakers, rep.readLinks} {
		if err := read(ctx, db); err != nil {
			return nil, nil, err
		}
	}
	left, rep.Caveats = rep.Caveats, nil
	return rep, left, nil
}
