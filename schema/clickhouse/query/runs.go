package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// Run is a row of `flyball runs`.
type Run struct {
	RunID             string   `json:"run_id"`
	RunKey            string   `json:"run_key,omitempty"`
	Tenant            string   `json:"tenant"`
	AgentID           string   `json:"agent_id,omitempty"`
	AgentTrust        string   `json:"agent_trust,omitempty"`
	PrincipalID       string   `json:"principal_id,omitempty"`
	CredentialID      string   `json:"credential_id,omitempty"`
	CallerKind        string   `json:"caller_kind,omitempty"`
	RunRule           string   `json:"run_rule"`
	RunConfidence     uint8    `json:"run_confidence"`
	ParentRunID       string   `json:"parent_run_id,omitempty"`
	TaskID            string   `json:"task_id,omitempty"`
	StartedAt         Time     `json:"started_at"`
	LastAt            Time     `json:"last_at"`
	State             string   `json:"state"`
	Calls             uint64   `json:"calls"`
	Errors            uint64   `json:"errors"`
	DistinctRoutes    uint32   `json:"distinct_routes"`
	DistinctResources uint32   `json:"distinct_resources"`
	Irreversible      uint64   `json:"irreversible"`
	BytesOut          uint64   `json:"bytes_out"`
	Score             *float64 `json:"score,omitempty"`
	Level             string   `json:"level"`
	Breaker           string   `json:"breaker,omitempty"`
}

// RunFilter limits runs; zero values do not limit.
type RunFilter struct {
	Agent        string
	Since, Until time.Time
	State        string // open, closed
	MinLevel     string
	Limit        int
}

const runColumns = `toString(run_id), run_key, tenant, agent_id, toString(agent_trust), principal_id, credential_id,
toString(caller_kind), toString(run_rule), run_confidence, toString(parent_run_id), task_id, started_at, last_at, toString(state),
calls, errors, distinct_routes, distinct_resources, irreversible, bytes_out, score, toString(level), b.latest`

func scanRun(r driver.Rows) (Run, error) {
	var v Run
	err := r.Scan(&v.RunID, &v.RunKey, &v.Tenant, &v.AgentID, &v.AgentTrust, &v.PrincipalID, &v.CredentialID,
		&v.CallerKind, &v.RunRule, &v.RunConfidence, &v.ParentRunID, &v.TaskID, &v.StartedAt.Time, &v.LastAt.Time, &v.State,
		&v.Calls, &v.Errors, &v.DistinctRoutes, &v.DistinctResources, &v.Irreversible, &v.BytesOut, &v.Score, &v.Level, &v.Breaker)
	if v.ParentRunID == (schema.RunID{}).String() {
		v.ParentRunID = ""
	}
	if v.AgentTrust == "none" {
		v.AgentTrust = ""
	}
	if v.CallerKind == "unknown" {
		v.CallerKind = ""
	}
	return v, err
}

// Runs returns runs, the latest first.
func Runs(ctx context.Context, db DB, f RunFilter) ([]Run, error) {
	var w where
	if f.Agent != "" {
		w.addRuns("agent_id = {agent:String}", named("agent", f.Agent))
	}
	w.overlappingRuns(&f)
	if f.State != "" {
		w.add("state = {state:String}", named("state", f.State))
	}
	if f.MinLevel != "" {
		w.addRuns("level >= {level:String}", named("level", f.MinLevel))
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	return selectRuns(ctx, db, &w, fmt.Sprintf("ORDER BY last_at DESC, run_id LIMIT %d", f.Limit))
}

// selectRuns reads the runs of a condition; tail is ORDER BY and LIMIT. Each run has the state
// of the breaker that it caused, or the mode of a trip that was not enforced. The query is one
// statement, so that its text does not grow with the number of runs. Runs are put together as a
// whole only after they have been selected by the columns that the condition names.
func selectRuns(ctx context.Context, db DB, w *where, tail string) ([]Run, error) {
	out := []Run{}
	if !w.byRunID {
		w = &where{conditions: []string{"(tenant, run_id) IN (" + ofRuns("tenant, run_id", w, tail) + ")"}, params: w.params}
	}
	sql := "SELECT " + runColumns + " FROM (SELECT * FROM runs " + w.String() + ") AS r LEFT JOIN (" + breakersOfRuns +
		") AS b USING (run_id) " + tail
	err := each(ctx, db, "runs", sql, w.params, func(r driver.Rows) error {
		v, err := scanRun(r)
		out = append(out, v)
		return err
	})
	return out, err
}

// breakersOfRuns selects the latest state of the breakers that runs caused.
const breakersOfRuns = `SELECT run_id, if(argMax(mode, generation) = 'armed', toString(argMax(state, generation)), argMax(mode,
generation)) AS latest
FROM breakers WHERE run_id != toUUID('00000000-0000-0000-0000-000000000000') GROUP BY run_id`

// ErrNotFound is wrapped by the error of a query for something that is not stored.
var ErrNotFound = errors.New("not found")

// Ambiguous is the error for a key that several runs have.
type Ambiguous struct {
	Key        string
	Candidates []Run
}

func (a *Ambiguous) Error() string {
	return fmt.Sprintf("%q names %d runs: use the run id of one", a.Key, len(a.Candidates))
}

// ResolveRun returns the run with a run id, a unique prefix of a run id, or a run key. The
// error wraps ErrNotFound or is an Ambiguous.
func ResolveRun(ctx context.Context, db DB, term string) (Run, error) {
	var w where
	if id, err := schema.ParseRunID(term); err == nil {
		w.add("run_id = {id:UUID}", named("id", id.String()))
		w.byRunID = true
	} else {
		w.addRuns("(run_key = {key:String} OR length({key:String}) >= {min:UInt8} AND startsWith(toString(run_id), {key:String}))",
			named("key", term), named("min", strconv.Itoa(schema.MinIDPrefix)))
	}
	runs, err := selectRuns(ctx, db, &w, "ORDER BY last_at DESC, run_id LIMIT 50")
	switch {
	case err != nil:
		return Run{}, err
	case len(runs) == 1:
		return runs[0], nil
	case len(runs) > 1:
		return Run{}, &Ambiguous{term, runs}
	}
	return Run{}, fmt.Errorf("run %q: %w", term, ErrNotFound)
}

// IsStoredName reports whether a name occurs in stored runs. field is agent_id (only of
// established agents), credential_id or principal_id.
func IsStoredName(ctx context.Context, db DB, field, name string) (bool, error) {
	condition, ok := map[string]string{"agent_id": "agent_id = {name:String} AND agent_trust IN ('infrastructure', 'verified')",
		"credential_id": "credential_id = {name:String}", "principal_id": "principal_id = {name:String}"}[field]
	if !ok {
		return false, fmt.Errorf("%q is no field of names", field)
	}
	found := false
	sql := "SELECT 1 FROM runs WHERE " + condition + " AND " + storedRuns(condition) + " LIMIT 1"
	err := each(ctx, db, "a name", sql, []any{named("name", name)}, func(driver.Rows) error {
		found = true
		return nil
	})
	return found, err
}

// RunCaller is who acted in a run; empty: not known.
type RunCaller struct{ Credential, Version string }

// CallerOfRun returns who acted in a run of a tenant.
func CallerOfRun(ctx context.Context, db DB, tenant, run string) (c RunCaller, err error) {
	err = each(ctx, db, "caller of the run", `SELECT credential_id, agent_version FROM runs
WHERE tenant = {tenant:String} AND run_id = {run:UUID} LIMIT 1`, []any{named("tenant", tenant), named("run", run)},
		func(r driver.Rows) error { return r.Scan(&c.Credential, &c.Version) })
	return c, err
}

// RunsWithSimilarKey returns the runs whose keys are most similar to a term, as
// suggestions for a mistyped key.
func RunsWithSimilarKey(ctx context.Context, db DB, term string, limit int) ([]Run, error) {
	var w where
	w.add("run_key != ''")
	w.params = append(w.params, named("term", term))
	return selectRuns(ctx, db, &w, fmt.Sprintf("ORDER BY ngramDistance(run_key, {term:String}), last_at DESC LIMIT %d", limit))
}

// RunReport is one run with its calls and linked runs.
type RunReport struct {
	Run
	Identity  map[string]any   `json:"identity"`
	CallList  []map[string]any `json:"calls"`
	Scores    []map[string]any `json:"scores"`
	Findings  []map[string]any `json:"findings"`
	Decisions []map[string]any `json:"decisions"`
	// Breakers contains the latest state of the breakers that the run caused, and of those of its
	// run, agent, credential and principal.
	Breakers   []RunBreaker `json:"breakers"`
	LinkedRuns []LinkedRun  `json:"linked_runs"`
	// Tree is the calls of the run, and those made on its behalf in linked runs, by their
	// spans. It is set only if some of the spans describe the agent itself. Unplanned has a
	// sentence for each producer whose calls are below none of these.
	Tree      []TreeLine `json:"tree,omitempty"`
	Unplanned []string   `json:"unplanned,omitempty"`
	// TotalCalls is the number of calls of the run; CallList can be shorter.
	TotalCalls uint64 `json:"total_calls"`
	// Caveats are sentences about what the report may not contain. Each begins with its key.
	Caveats []string `json:"caveats"`
}

// RunBreaker is the latest state of a breaker that concerns a run.
type RunBreaker struct {
	Scope      string `json:"scope"` // kind and value: "run 0f1e…"
	State      string `json:"state"`
	Mode       string `json:"mode"`
	Generation uint64 `json:"generation"`
	At         Time   `json:"at"`
	ExpiresAt  Time   `json:"expires_at"` // null: open until it is reset
	Reason     string `json:"reason"`
	By         string `json:"by,omitempty"`
	FindingID  string `json:"finding_id,omitempty"`
	Caused     bool   `json:"caused"` // this run caused it
}

// LinkedRun is another run that is related to this one.
type LinkedRun struct {
	RunID string `json:"run_id"`
	How   string `json:"how"` // parent, child, trace, trace_of_another_caller
}

// Kinds of links by a trace: the calls of the other run were made on this run's behalf,
// or by a caller with a different identity.
const (
	linkedByTrace   = "trace"
	linkedOfAnother = "trace_of_another_caller"
)

// callColumns are the columns of a call in a report. mergeObservations removes the column counted.
const callColumns = "* EXCEPT denied_by_flyball"

// RunInFull reads a run, its calls in order, and its linked runs.
func RunInFull(ctx context.Context, db DB, run Run, limit int) (*RunReport, error) {
	id := []any{named("id", run.RunID)}
	rep := &RunReport{Run: run, TotalCalls: run.Calls, Scores: []map[string]any{}, Findings: []map[string]any{},
		Decisions: []map[string]any{}, Breakers: []RunBreaker{}, LinkedRuns: []LinkedRun{}, Caveats: []string{}}
	var err error
	if rep.CallList, err = records(ctx, db, "calls of the run", fmt.Sprintf(
		"SELECT "+callColumns+" FROM calls WHERE tenant = {tenant:String} AND run_id = {id:UUID} "+
			"ORDER BY start_time, source_topic, source_partition, source_offset, item LIMIT %d", limit),
		append(id, named("tenant", run.Tenant))); err != nil {
		return nil, err
	}
	if len(rep.CallList) == limit {
		rep.Caveats = append(rep.Caveats, fmt.Sprintf("calls_limited: only the first %d rows of calls were read (--limit)", limit))
	}
	rep.CallList = mergeObservations(rep.CallList)
	identity, err := records(ctx, db, "identity of the run", `SELECT agent_id, agent_name, agent_version, agent_source, agent_trust,
agent_asserted,
credential_id, credential_kind, principal_id, principal_kind, principal_source, principal_trust, caller_kind, task_id, task_trust,
conversation_id, actor
FROM runs WHERE run_id = {id:UUID}`, id)
	if err != nil {
		return nil, err
	}
	if len(identity) > 0 {
		rep.Identity = identity[0]
	}
	if err := rep.readJudgement(ctx, db); err != nil {
		return nil, err
	}
	err = each(ctx, db, "linked runs", `SELECT toString(linked), how FROM (
SELECT parent_run_id AS linked, 'parent' AS how FROM runs WHERE run_id = {id:UUID}
AND parent_run_id != toUUID('00000000-0000-0000-0000-000000000000')
UNION ALL SELECT run_id, 'child' FROM runs WHERE parent_run_id = {id:UUID} AND `+storedRuns("parent_run_id = {id:UUID}")+`
) ORDER BY how, linked LIMIT 1000`, append(id, named("tenant", run.Tenant)), func(r driver.Rows) error {
		var l LinkedRun
		err := r.Scan(&l.RunID, &l.How)
		rep.LinkedRuns = append(rep.LinkedRuns, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	linked, err := sharingTraces(ctx, db, &run)
	if err != nil {
		return nil, err
	}
	for _, id := range linked.behalf {
		rep.LinkedRuns = append(rep.LinkedRuns, LinkedRun{id, linkedByTrace})
	}
	for _, o := range linked.others {
		if l := (LinkedRun{o.RunID, linkedOfAnother}); !slices.Contains(rep.LinkedRuns, l) {
			rep.LinkedRuns = append(rep.LinkedRuns, l)
		}
	}
	return rep, rep.draw(ctx, db, limit)
}

// readJudgement reads the run's scores, findings, decisions and breakers, each in the order of time.
func (rep *RunReport) readJudgement(ctx context.Context, db DB) error {
	id := []any{named("id", rep.RunID)}
	for _, v := range []struct {
		into         *[]map[string]any
		table, order string
	}{{&rep.Scores, "scores", "at, value"}, {&rep.Findings, "findings", "opened_at, finding_id"},
		{&rep.Decisions, "decisions", "at, decision_id"}} {
		rows, err := records(ctx, db, v.table, "SELECT * FROM "+v.table+" WHERE run_id = {id:UUID} ORDER BY "+v.order, id)
		if err != nil {
			return err
		}
		if rows != nil {
			*v.into = rows
		}
	}
	for _, s := range rep.Scores {
		s["call"] = fmt.Sprintf("%v/%v/%v", s["calls_partition"], s["calls_offset"], s["item"])
		s["top"] = contributions(s)
	}
	return each(ctx, db, "breakers of the run", `SELECT concat(toString(scope_kind), ' ', scope_value) AS scope, toString(state), mode, generation, at,
expires_at, reason, by, finding_id, run_id = {id:UUID} FROM breakers
WHERE tenant = {tenant:String} AND (run_id = {id:UUID} OR scope_kind = 'run' AND scope_value = {run:String}
 OR scope_kind = 'agent' AND scope_value = {agent:String} OR scope_kind = 'credential' AND scope_value = {credential:String}
 OR scope_kind = 'principal' AND scope_value = {principal:String})
ORDER BY generation DESC LIMIT 1 BY scope LIMIT 50`, append(id, named("tenant", rep.Tenant), named("run", rep.RunID), named("agent", rep.AgentID),
		named("credential", rep.CredentialID), named("principal", rep.PrincipalID)), func(r driver.Rows) error {
		var b RunBreaker
		var caused uint8
		err := r.Scan(&b.Scope, &b.State, &b.Mode, &b.Generation, &b.At.Time, &b.ExpiresAt.Time, &b.Reason, &b.By, &b.FindingID, &caused)
		if b.Caused = caused > 0; b.ExpiresAt.Unix() == 0 {
			b.ExpiresAt = Time{}
		}
		rep.Breakers = append(rep.Breakers, b)
		return err
	})
}

// contributions returns the features of a score with their values, the largest first. A value
// that is not known is NaN.
func contributions(score map[string]any) []map[string]any {
	out := []map[string]any{}
	features, _ := score["features"].([]string)
	for i, f := range features {
		c := map[string]any{"feature": f}
		for _, name := range []string{"observed", "usual", "peers", "humans"} {
			if values, ok := score[name].([]float64); ok && i < len(values) {
				c[name] = values[i]
			}
		}
		out = append(out, c)
	}
	return out
}

// maxDrawnRuns is the maximum number of linked runs in the tree of a run.
const maxDrawnRuns = 50

// draw builds the tree of calls, if some of them are spans of the agent itself.
func (rep *RunReport) draw(ctx context.Context, db DB, limit int) error {
	calls := rep.CallList
	var ids []string
	for _, l := range rep.LinkedRuns {
		if l.How != linkedOfAnother && len(ids) < maxDrawnRuns {
			ids = append(ids, l.RunID)
		}
	}
	if len(ids) > 0 {
		linked, err := records(ctx, db, "calls of linked runs", fmt.Sprintf(
			"SELECT "+callColumns+" FROM calls WHERE tenant = {tenant:String} AND run_id IN (%s) ORDER BY start_time LIMIT %d",
			uuids(ids), limit), []any{named("tenant", rep.Tenant)})
		if err != nil {
			return err
		}
		calls = append(calls[:len(calls):len(calls)], linked...)
		slices.SortStableFunc(calls, func(a, b map[string]any) int {
			x, _ := a["start_time"].(Time)
			y, _ := b["start_time"].(Time)
			return x.Compare(y.Time)
		})
	}
	if slices.ContainsFunc(calls, func(c map[string]any) bool { return kindOf(c) != "call" && text(c, "span_id") != "" }) {
		rep.Tree = buildTree(calls)
		rep.Unplanned = unplannedProducers(rep.Tree)
		return nil
	}
	var flat []TreeLine
	for _, c := range calls {
		flat = append(flat, line(c, 0))
	}
	rep.Unplanned = unplannedProducers(flat)
	return nil
}
