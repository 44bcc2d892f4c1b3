package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"
)

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
	// Caveats say what the report may not contain.
	Caveats Caveats `json:"caveats"`
	// FromHold is the hold by whose copies the run is read, because rows of it have expired.
	FromHold *HeldRun `json:"from_hold,omitempty"`
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
const callColumns = "* EXCEPT (denied_by_flyball, actor_hash)"

// rowOfRun is the condition for the row of a run, whose id is the parameter id.
func rowOfRun(run *Run) string {
	if run.actorHash == 0 {
		return "run_id = {id:UUID}"
	}
	return fmt.Sprintf("run_id = {id:UUID} AND actor_hash = %d", run.actorHash)
}

func newRunReport(run Run) *RunReport {
	return &RunReport{Run: run, TotalCalls: run.Calls, Breakers: []RunBreaker{}, LinkedRuns: []LinkedRun{}, Caveats: Caveats{}}
}

// RunInFull reads a run, its calls in order, and its linked runs.
func RunInFull(ctx context.Context, db DB, run Run, limit int) (*RunReport, error) {
	rep := newRunReport(run)
	rep.Scores, rep.Findings, rep.Decisions = []map[string]any{}, []map[string]any{}, []map[string]any{}
	rep.FromHold = copiesOf(db, run.RunID)
	beside := newRunReport(run) // parts that need nothing of each other
	var parts errgroup.Group
	parts.Go(func() error {
		if err := rep.readCalls(ctx, db, limit); err != nil {
			return err
		}
		if err := rep.readJudgement(ctx, db); err != nil {
			return err
		}
		return rep.readBreakers(ctx, db)
	})
	parts.Go(func() error { return beside.readLinks(ctx, db) })
	if err := parts.Wait(); err != nil {
		return nil, err
	}
	rep.LinkedRuns, rep.Caveats = beside.LinkedRuns, append(append(rep.Caveats, beside.Caveats...), heldCaveats(db)...)
	return rep, rep.draw(ctx, db, limit)
}

// readCalls reads the calls of the run, and who acted in it.
func (rep *RunReport) readCalls(ctx context.Context, db DB, limit int) (err error) {
	var own where
	own.ofRun(&rep.Run)
	if rep.CallList, err = records(ctx, db, "calls of the run", fmt.Sprintf(
		"SELECT "+callColumns+" FROM calls "+own.String()+
			" ORDER BY start_time, source_topic, source_partition, source_offset, item LIMIT %d", limit), own.params); err != nil {
		return err
	}
	if len(rep.CallList) == limit {
		rep.Caveats.add("calls_limited: only the first %d rows of calls were read (--limit)", limit)
	}
	rep.CallList = mergeObservations(rep.CallList)
	return rep.readIdentity(ctx, db)
}

// readJudgement reads the run's scores, findings and decisions, each in the order of time.
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
	return nil
}

// maxRunBreakers is the maximum number of breakers of a run that are listed.
const maxRunBreakers = 50

// readBreakers reads the latest state of the breakers that concern the run, the latest first.
func (rep *RunReport) readBreakers(ctx context.Context, db DB) error {
	params := []any{named("id", rep.RunID), named("tenant", rep.Tenant), named("run", rep.RunID), named("agent", rep.AgentID),
		named("credential", rep.CredentialID), named("principal", rep.PrincipalID)}
	err := each(ctx, db, "breakers of the run", `SELECT concat(toString(scope_kind), ' ', scope_value) AS scope, toString(state), mode, generation, at,
expires_at, reason, by, finding_id, run_id = {id:UUID} FROM breakers
WHERE tenant = {tenant:String} AND (run_id = {id:UUID} OR scope_kind = 'run' AND scope_value = {run:String}
 OR scope_kind = 'agent' AND scope_value = {agent:String} OR scope_kind = 'credential' AND scope_value = {credential:String}
 OR scope_kind = 'principal' AND scope_value = {principal:String})
ORDER BY generation DESC, scope LIMIT 1 BY scope LIMIT `+fmt.Sprint(maxRunBreakers+1), params, func(r driver.Rows) error {
		var b RunBreaker
		var caused uint8
		err := r.Scan(&b.Scope, &b.State, &b.Mode, &b.Generation, &b.At.Time, &b.ExpiresAt.Time, &b.Reason, &b.By, &b.FindingID, &caused)
		if b.Caused = caused > 0; b.ExpiresAt.Unix() == 0 {
			b.ExpiresAt = Time{}
		}
		rep.Breakers = append(rep.Breakers, b)
		return err
	})
	if len(rep.Breakers) > maxRunBreakers {
		rep.Breakers = rep.Breakers[:maxRunBreakers]
		rep.Caveats.add("more_breakers: more than %d breakers concern the run; the latest are listed", maxRunBreakers)
	}
	return err
}

// readIdentity reads who acted.
func (rep *RunReport) readIdentity(ctx context.Context, db DB) error {
	identity, err := records(ctx, db, "identity of the run", `SELECT agent_id, agent_name, agent_version, agent_source, agent_trust,
agent_asserted,
credential_id, credential_kind, principal_id, principal_kind, principal_source, principal_trust, caller_kind, task_id, task_trust,
conversation_id, actor
FROM runs WHERE `+rowOfRun(&rep.Run), []any{named("id", rep.RunID)})
	if len(identity) > 0 {
		rep.Identity = identity[0]
	}
	return err
}

// readLinks reads the runs that are related to the run.
func (rep *RunReport) readLinks(ctx context.Context, db DB) error {
	links, left, err := linksOf(ctx, db, &rep.Run)
	rep.LinkedRuns, rep.Caveats = links, append(rep.Caveats, left...)
	return err
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
		refs, err := timedRefsOf(ctx, db, ids)
		if err != nil {
			return err
		}
		var linked []map[string]any
		if len(refs) > 0 {
			linked, err = records(ctx, db, "calls of linked runs", fmt.Sprintf(
				"SELECT "+callColumns+" FROM calls WHERE tenant = {tenant:String} AND %s ORDER BY start_time, record_id LIMIT %d",
				callsOf(refs), limit), []any{named("tenant", rep.Tenant)})
		}
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
