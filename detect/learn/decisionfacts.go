package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"

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

// factsRow is a row of a run in the window of a backtest.
type factsRow struct {
	id, trust, agent, kind, task, taskTrust, rule, credential, actor, version, verdict string
	alarmed                                                                            bool
	started, last                                                                      int64
}

func (r *factsRow) columns() []column {
	return []column{
		{"toString(run_id)", &r.id}, {"toString(agent_trust)", &r.trust}, {"agent_id", &r.agent}, {"toString(caller_kind)", &r.kind},
		{"task_id", &r.task}, {"toString(task_trust)", &r.taskTrust}, {alarmed, &r.alarmed}, {"toString(run_rule)", &r.rule},
		{"credential_id", &r.credential}, {"actor", &r.actor}, {"toString(agent_version)", &r.version},
		{"toUnixTimestamp64Nano(started_at)", &r.started}, {"toUnixTimestamp64Nano(last_at)", &r.last}, {verdictOf, &r.verdict},
	}
}

// verdictOf is an SQL expression: the label of people on the run's findings.
const verdictOf = `multiIf(run_id IN (` + judgedAs + `= 'true')), 'true', run_id IN (` + judgedAs + `= 'benign')), 'benign',
    run_id IN (` + judgedAs + `= 'test')), 'test', 'unknown') AS verdict`

// inWindow is an SQL condition on runs: one that a backtest reads.
const inWindow = `run_rule != 'overflow' AND sampled_calls = 0 AND calls > 0
  AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')`

// declaredTasks selects the task types that requests to the check declared for runs of a slice.
const declaredTasks = `SELECT toString(c.run_id), max(attrs['` + schema.AttrTaskType + `']) FROM calls AS c
WHERE c.tenant = {tenant:String} AND %s AND ` + declaresTask + ` GROUP BY c.run_id`

// judgedAs selects the runs with a finding that a person labelled. The text after it completes the condition on the
// label.
const judgedAs = `SELECT run_id FROM findings WHERE tenant = {tenant:String}
  AND finding_id IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict `

// Reading reads the same runs several times, while further calls are stored.
type Reading struct {
	db     DB
	window Window
	slices []Slice
	pin    Pin
}

// PlanReading determines which runs and calls are read: those of a window that are stored now.
func PlanReading(ctx context.Context, db DB, w Window) (*Reading, error) {
	r := &Reading{db: Quietly(db), window: w}
	var err error
	// Without a quarantine the pin is that of the stored rows, so that no call of the window is left out.
	if r.pin, err = ReadPin(ctx, r.db, 0); err != nil {
		return nil, err
	}
	r.slices, err = planSlices(ctx, r.db, w, cmp.Or(w.CallsPerSlice, callsPerStatement))
	return r, err
}

// ReadAll calls each with the calls of all runs, run by run, each run in the order in which it was scored. The order of
// the runs is the same each time. Calls that were stored after PlanReading are left out, and so are runs that such calls
// moved out of the window.
func (r *Reading) ReadAll(ctx context.Context, each func(*StoredCall)) error {
	for i := range r.slices {
		if err := r.readSlice(ctx, &r.slices[i], each); err != nil {
			return err
		}
	}
	return nil
}

// readSlice reads the runs of a slice with their calls. Runs that are stored between its statements are left out.
func (r *Reading) readSlice(ctx context.Context, s *Slice, do func(*StoredCall)) error {
	db, w := r.db, r.window
	of, first, last := map[string]*runFacts{}, int64(math.MaxInt64), int64(0)
	params := w.params()
	var row factsRow
	columns := row.columns()
	sql := "SELECT " + selectList(columns) + " FROM " + s.runs() + " WHERE " + inWindow
	err := each(ctx, db, "stored runs", sql, params, func(scan func(...any) error) error {
		if err := scan(destinations(columns)...); err != nil {
			return err
		}
		f, err := row.facts(w.Tenant)
		of[row.id], first, last = f, min(first, row.started), max(last, row.last)
		return err
	})
	if err != nil || len(of) == 0 {
		return err
	}
	only := fmt.Sprintf("%s AND c.run_id IN (SELECT run_id FROM %s WHERE "+inWindow+") AND "+
		"c.start_time >= fromUnixTimestamp64Nano(toInt64(%d), 'UTC') AND c.start_time <= fromUnixTimestamp64Nano(toInt64(%d), 'UTC')",
		s.calls("c."), s.runs(), first-int64(dayMargin), last+int64(dayMargin)) + r.pin.only("c.")
	err = each(ctx, db, "declared task types", fmt.Sprintf(declaredTasks, only), params, func(scan func(...any) error) error {
		var run, declared string
		err := scan(&run, &declared)
		if f := of[run]; f != nil {
			f.decision.TaskType = scope.TrustedTaskType(declared, f.task, f.taskTrust)
		}
		return err
	})
	if err != nil {
		return err
	}
	from := source{only: only + " AND " + taught, more: &decisionColumns{}, of: func(run string) *runFacts { return of[run] }}
	return calls(ctx, db, w, from, do)
}

// facts returns what the row says about its run.
func (r *factsRow) facts(tenant string) (*runFacts, error) {
	of := &schema.RunSnapshot{Tenant: tenant, Actor: r.actor, AgentID: r.agent, AgentVersion: r.version, CredentialID: r.credential,
		StartedAt: r.started}
	f := &runFacts{agentID: r.agent, task: r.task, alarmed: r.alarmed, decision: &DecisionFacts{Of: of}}
	err := errors.Join(f.trust.UnmarshalText([]byte(r.trust)), f.kind.UnmarshalText([]byte(r.kind)),
		f.taskTrust.UnmarshalText([]byte(r.taskTrust)), of.Rule.UnmarshalText([]byte(r.rule)),
		f.decision.Verdict.UnmarshalText([]byte(r.verdict)), of.RunID.UnmarshalText([]byte(r.id)))
	of.AgentTrust = f.trust
	f.decision.TaskType = scope.TrustedTaskType("", f.task, f.taskTrust)
	return f, err
}

// decisionColumns are read for DecisionFacts.
type decisionColumns struct {
	runKey, keySource, tool, address, hops string
	partition                              int32
	offset                                 int64
}

func (d *decisionColumns) columns() []column {
	return []column{
		{"c.run_key", &d.runKey}, {"c.run_key_source", &d.keySource}, {"c.tool_name", &d.tool}, {"c.client_ip", &d.address},
		{"c.attrs['" + schema.AttrForwardedHops + "']", &d.hops}, {"c.calls_partition", &d.partition}, {"c.calls_offset", &d.offset},
	}
}

func (d *decisionColumns) take(out *StoredCall, c *schema.Call) error {
	of := out.Of
	if out.First {
		of.CallsPart = d.partition
	}
	c.CredentialID, c.RunKey, c.RunKeySource, c.ToolName = of.CredentialID, d.runKey, d.keySource, d.tool
	c.RunID, c.RunRule, c.CallsPart, c.CallsOffset = of.RunID, of.Rule, d.partition, d.offset
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
	const denied = `SELECT count() FROM calls
WHERE tenant = {tenant:String} AND start_time > fromUnixTimestamp64Nano({since:Int64}, 'UTC')
  AND start_time <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
  AND ` + logged + ` AND denied_by_flyball`
	return n, each(ctx, Quietly(db), "denied calls", denied, w.params(), func(scan func(...any) error) error { return scan(&n) })
}
