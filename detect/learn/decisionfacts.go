package learn

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/model/scope"
	"flyball/schema"
)

// DecisionFacts holds what decisions about a stored call need in addition to its features.
type DecisionFacts struct {
	Stored schema.Call // with the fields that decisions use
	// Of is the run in its latest stored state: facts that became known later in the run are set from its first call on.
	Of       *schema.RunSnapshot
	TaskType string              // scope.Established
	Verdict  schema.VerdictLabel // of people on the run's findings: true before benign before test
}

// allRuns selects the runs whose last call is in the window, with and without findings.
var allRuns = `SELECT run_id, toString(agent_trust) AS trust, agent_id AS agent, toString(caller_kind) AS kind, task_id AS task,
  toString(task_trust) AS task_by, d.task_type AS declared, ` + alarmed + `,
       toString(run_rule) AS rule, credential_id AS credential, actor, toString(agent_version) AS version, started_at AS started,
       multiIf(run_id IN (` + judgedAs + `= 'true')), 'true', run_id IN (` + judgedAs + `= 'benign')), 'benign',
         run_id IN (` + judgedAs + `= 'test')),
         'test', 'unknown') AS verdict
FROM runs LEFT JOIN ` + DeclaredTasksSQL(
	"SELECT run_id FROM runs WHERE tenant = {tenant:String} AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at <= "+
		"fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
) + ` AS d USING (run_id)
WHERE tenant = {tenant:String} AND run_rule != 'overflow' AND sampled_calls = 0 AND calls > 0
  AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
ORDER BY last_at DESC, run_id
LIMIT {per:UInt32} BY agent, trust`

// judgedAs selects the runs with a finding that a person labelled. The text after it completes the condition on the
// label.
const judgedAs = `SELECT run_id FROM findings WHERE tenant = {tenant:String}
  AND finding_id IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict `

// ReadAll reads the runs of a window and calls each with their calls, run by run, in the order in which they were scored.
func ReadAll(ctx context.Context, db DB, w Window, each func(*StoredCall)) error {
	return calls(ctx, db, allRuns, w, &decisionColumns{}, each)
}

// decisionColumns are read for DecisionFacts.
type decisionColumns struct {
	rule, credential, actor, version, verdict, taskBy, declared string
	started                                                     time.Time
	runKey, keySource, tool, address, hops                      string
	partition                                                   int32
	offset                                                      int64
}

func (d *decisionColumns) columns() []column {
	return []column{
		{"p.rule", &d.rule}, {"p.credential", &d.credential}, {"p.actor", &d.actor}, {"p.version", &d.version}, {"p.verdict", &d.verdict},
		{"p.task_by", &d.taskBy}, {"p.declared", &d.declared}, {"p.started", &d.started},
		{"c.run_key", &d.runKey}, {"c.run_key_source", &d.keySource}, {"c.tool_name", &d.tool}, {"c.client_ip", &d.address},
		{"c.attrs['" + schema.AttrForwardedHops + "']", &d.hops}, {"c.calls_partition", &d.partition}, {"c.calls_offset", &d.offset},
	}
}

func (d *decisionColumns) take(out *StoredCall, c *schema.Call) error {
	if out.First {
		of := &schema.RunSnapshot{
			Tenant:       c.Tenant,
			CallsPart:    d.partition,
			Actor:        d.actor,
			AgentID:      c.AgentID,
			AgentVersion: d.version,
			AgentTrust:   c.AgentTrust,
			CredentialID: d.credential,
			StartedAt:    d.started.UnixNano(),
		}
		out.DecisionFacts = &DecisionFacts{Of: of}
		if err := of.RunID.UnmarshalText([]byte(out.Run)); err != nil {
			return err
		}
		if err := of.Rule.UnmarshalText([]byte(d.rule)); err != nil {
			return err
		}
		var by schema.Trust
		if err := by.UnmarshalText([]byte(d.taskBy)); err != nil {
			return err
		}
		out.TaskType = scope.TrustedTaskType(d.declared, out.Task, by)
		if err := out.Verdict.UnmarshalText([]byte(d.verdict)); err != nil {
			return err
		}
	}
	c.CredentialID, c.RunKey, c.RunKeySource, c.ToolName = d.credential, d.runKey, d.keySource, d.tool
	c.RunID, c.RunRule, c.CallsPart, c.CallsOffset = out.Of.RunID, out.Of.Rule, d.partition, d.offset
	if d.address != "" {
		c.ClientIP, _ = netip.ParseAddr(d.address) // an unreadable address stays empty
	}
	if d.hops != "" {
		c.SetAttr(schema.AttrForwardedHops, d.hops)
	}
	out.Stored = *c
	return nil
}

// CountDenied counts the calls in the time of a window that Flyball denied. ReadAll leaves these calls out.
func CountDenied(ctx context.Context, db DB, w Window) (n uint64, err error) {
	rows, err := db.Query(
		ctx,
		`SELECT count() FROM calls
WHERE tenant = {tenant:String} AND start_time > fromUnixTimestamp64Nano({since:Int64}, 'UTC')
  AND start_time <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
  AND `+logged+` AND denied_by_flyball`,
		clickhouse.Named("tenant", w.Tenant),
		clickhouse.Named("since", fmt.Sprint(w.Since.UnixNano())),
		clickhouse.Named("until", fmt.Sprint(w.Until.UnixNano())),
	)
	if err != nil {
		return 0, fmt.Errorf("read denied calls: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, fmt.Errorf("read denied calls: %w", err)
		}
	}
	return n, rows.Err()
}
