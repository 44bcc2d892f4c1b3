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

// callsPage is how many rows of calls one statement of EachCall reads: the engine sorts as many.
const callsPage = 20_000

// EachCall passes all rows of the calls of a run to take, in the order of their time: also those that do not count, because another row
// is of the same request. It holds one row at a time.
func EachCall(ctx context.Context, db DB, run *Run, take func(map[string]any) error) error {
	const key = "(start_time, source_topic, toString(source_topic_id), source_partition, source_offset, item)"
	var after []any
	for {
		var own where
		own.ofRun(run)
		if after != nil {
			own.add("start_time >= fromUnixTimestamp64Nano({at:Int64}, 'UTC') AND "+key+
				" > (fromUnixTimestamp64Nano({at:Int64}, 'UTC'), {topic:String}, {topic_id:String}, {part:Int32}, {offset:Int64}, {item:UInt32})", after...)
		}
		n := 0
		var last map[string]any
		err := eachRecord(ctx, db, "calls of the run", fmt.Sprintf("SELECT * EXCEPT (denied_by_flyball, actor_hash), "+
			"toUnixTimestamp64Nano(start_time) AS at_ns, toString(source_topic_id) AS id_of_topic FROM calls %s ORDER BY %s LIMIT %d", own.String(),
			key, callsPage), own.params, func(m map[string]any) error {
			n, last = n+1, m
			return take(withoutCursor(m))
		})
		if err != nil || n < callsPage {
			return err
		}
		after = []any{named("at", fmt.Sprint(last["at_ns"])), named("topic", textOf(last["source_topic"])),
			named("topic_id", textOf(last["id_of_topic"])), named("part", numberOf(last["source_partition"])),
			named("offset", numberOf(last["source_offset"])), named("item", numberOf(last["item"]))}
	}
}

// withoutCursor returns a row without the columns that only place it.
func withoutCursor(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if k != "at_ns" && k != "id_of_topic" {
			out[k] = v
		}
	}
	return out
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func numberOf(v any) string {
	if v == nil {
		return "0"
	}
	return fmt.Sprint(v)
}

// RunRecord reads what is stored of a run beside its calls, scores, findings and decisions: who acted, its links and breakers.
func RunRecord(ctx context.Context, db DB, run Run) (*RunReport, error) {
	rep, err := RunInFull(ctx, db, run, 1)
	if err != nil {
		return nil, err
	}
	rep.CallList, rep.Scores, rep.Findings, rep.Decisions = nil, nil, nil, nil
	rep.Tree, rep.Unplanned, rep.Caveats, rep.FromHold = nil, nil, nil, nil
	return rep, nil
}
