package query

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxLinkedRuns is the maximum number of runs of the same traces that are read.
const maxLinkedRuns = 1000

// maxTraces is the maximum number of traces of a run by which other runs are looked for.
const maxTraces = 10_000

// OtherCaller is a caller with a different identity that made calls in a run's traces.
type OtherCaller struct {
	RunID        string `json:"run_id"`
	AgentID      string `json:"agent_id,omitempty"`
	CredentialID string `json:"credential_id,omitempty"`
	Standing     string `json:"standing"` // established or proven
	Calls        uint64 `json:"calls"`
	Irreversible uint64 `json:"irreversible"`
}

// Name returns the first known name of the caller: agent, credential or run.
func (o OtherCaller) Name() string { return cmp.Or(o.AgentID, o.CredentialID, o.RunID) }

func namesOf(callers []OtherCaller, most int) []string {
	var out []string
	seen := map[string]bool{}
	for _, o := range callers {
		if seen[o.Name()] {
			continue
		}
		seen[o.Name()] = true
		if len(out) == most {
			return append(out, "…")
		}
		out = append(out, o.Name())
	}
	return out
}

// ownTraces selects the traces of a run.
func ownTraces(run *Run) string {
	return fmt.Sprintf("SELECT DISTINCT trace_id FROM calls WHERE %s AND trace_id != '' LIMIT %d", callsOfRun(run), maxTraces)
}

// withTraces is the condition for calls that have one of some traces, between two hours, which are the parameters first_hour and
// last_hour.
func withTraces(traces idSet) string {
	return `start_time >= toDateTime64({first_hour:Int64}, 9, 'UTC') AND start_time < toDateTime64({last_hour:Int64} + 3600, 9, 'UTC')
AND actor_hash IN (SELECT toUInt32(0) UNION ALL SELECT actor_hash FROM call_ids WHERE kind = 'trace_id' AND id IN (` + traces.hashes() + `)
 AND day >= toDate(toDateTime({first_hour:Int64}, 'UTC')) AND day <= toDate(toDateTime({last_hour:Int64}, 'UTC')))
AND trace_id IN (` + traces.in() + `)`
}

// hoursAround returns the parameters of withTraces for calls of other runs within an hour of calls between two times.
func hoursAround(first, last time.Time) []any {
	hour := func(at time.Time, by int64) string { return fmt.Sprint(max(at.Unix()/3600+by, 0) * 3600) }
	return []any{named("first_hour", hour(first, -1)), named("last_hour", hour(last, 1))}
}

// linkedRuns are the other runs in a run's traces.
type linkedRuns struct {
	behalf []string      // runs with calls on behalf of the run, as far as known
	others []OtherCaller // callers with a different identity that used its trace ids
	refs   []runRef      // places of all of them
	more   bool          // there are more linked runs than were read
	traces idSet         // of the run
	// moreTraces is set if the run has more traces than maxTraces: runs that share others were not looked for.
	moreTraces bool
}

// caveats say what was not looked for.
func (l *linkedRuns) caveats() (out Caveats) {
	if l.more {
		out.add("more_runs: more than %d other runs share its traces; %d were looked into", maxLinkedRuns, maxLinkedRuns)
	}
	if l.moreTraces {
		out.add("more_traces: the run has more than %d traces; runs that share others of them were not looked for", maxTraces)
	}
	return out
}

// caller is the identity that made calls of a linked run.
type caller struct {
	OtherCaller
	agentEstablished, credentialEstablished, proven bool
}

// other reports whether a caller in a run's traces has an identity that differs from the
// run's: an established or proven agent or credential. Its calls are then not attributed to
// the run, because callers choose trace ids.
func (c *caller) other(run *Run) bool {
	switch {
	case c.agentEstablished:
		return c.AgentID != run.AgentID
	case c.credentialEstablished || c.proven:
		return c.CredentialID != run.CredentialID
	}
	return false
}

// sharingTraces returns the runs that share traces with a run, separated by owner.
func sharingTraces(ctx context.Context, db DB, run *Run) (linkedRuns, error) {
	var out linkedRuns
	params := []any{named("tenant", run.Tenant), named("id", run.RunID)}
	var first, last time.Time
	var traces []string
	var n uint64
	if err := each(ctx, db, "traces of the run", fmt.Sprintf("SELECT min(start_time), max(start_time), "+
		"groupUniqArrayIf(%d)(trace_id, trace_id != ''), uniqExactIf(trace_id, trace_id != '') FROM calls WHERE %s", maxListedIDs+1,
		callsOfRun(run)), params, func(r driver.Rows) error { return r.Scan(&first, &last, &traces, &n) }); err != nil || n == 0 {
		return out, err
	}
	out.traces, out.moreTraces = setOfIDs(traces, ownTraces(run)), n > maxTraces
	params = append(params, hoursAround(first, last)...)
	var refs []runRef
	if err := each(ctx, db, "runs of the same traces", fmt.Sprintf(
		"SELECT toString(run_id) AS linked, max(actor_hash) FROM calls WHERE tenant = {tenant:String} AND run_id != {id:UUID} AND %s "+
			"GROUP BY linked ORDER BY linked LIMIT %d", withTraces(out.traces), maxLinkedRuns+1), params, func(r driver.Rows) error {
		v := runRef{tenant: run.Tenant}
		err := r.Scan(&v.id, &v.actor)
		refs = append(refs, v)
		return err
	}); err != nil || len(refs) == 0 {
		return out, err
	}
	if len(refs) > maxLinkedRuns {
		refs, out.more = refs[:maxLinkedRuns], true
	}
	var callers []caller
	err := each(ctx, db, "callers in the same traces", `SELECT toString(run_id) AS id, agent_id, credential_id,
max(agent_trust) >= 'infrastructure', credential_id != '' AND max(credential_trust) >= 'infrastructure',
countIf(counted), countIf(counted AND reversibility = 'irreversible')
FROM calls WHERE tenant = {tenant:String} AND `+callsOf(refs)+` AND trace_id IN (`+out.traces.in()+`) GROUP BY id, agent_id,
credential_id ORDER BY id, agent_id, credential_id`, params, func(r driver.Rows) error {
		var c caller
		err := r.Scan(&c.RunID, &c.AgentID, &c.CredentialID, &c.agentEstablished, &c.credentialEstablished, &c.Calls, &c.Irreversible)
		callers = append(callers, c)
		return err
	})
	if err == nil {
		err = markProven(ctx, db, run, callers)
	}
	if err != nil {
		return out, err
	}
	out.refs = refs
	out.divide(run, callers)
	return out, nil
}

// refsOfBehalf returns the places of the runs with calls on behalf of the run.
func (l *linkedRuns) refsOfBehalf() []runRef {
	return slices.DeleteFunc(slices.Clone(l.refs), func(r runRef) bool { return !slices.Contains(l.behalf, r.id) })
}

// divide separates linked runs into those on the run's behalf and those of other callers. A
// run with a caller of a different identity belongs to that caller.
func (l *linkedRuns) divide(run *Run, callers []caller) {
	others := map[string]bool{}
	for i := range callers {
		c := &callers[i]
		if !c.other(run) {
			continue
		}
		others[c.RunID] = true
		if c.Standing = "proven"; c.agentEstablished || c.credentialEstablished {
			c.Standing = "established"
		}
		l.others = append(l.others, c.OtherCaller)
	}
	for i := range callers {
		if id := callers[i].RunID; !others[id] {
			others[id] = true // each run once
			l.behalf = append(l.behalf, id)
		}
	}
}

// markProven marks the credentials that are proven by the stored runs: at least 20 calls over
// at least 10 minutes that did not fail.
func markProven(ctx context.Context, db DB, run *Run, callers []caller) error {
	var ids []string
	seen := map[string]bool{}
	for i := range callers {
		if id := callers[i].CredentialID; id != "" && !callers[i].credentialEstablished && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	proven := map[string]bool{}
	for chunk := range slices.Chunk(ids, maxCredentialsAsked) {
		if err := readProven(ctx, db, run.Tenant, chunk, proven); err != nil {
			return err
		}
	}
	for i := range callers {
		callers[i].proven = proven[callers[i].CredentialID]
	}
	return nil
}

// maxCredentialsAsked is the maximum number of credentials in one query: ids have at most
// schema.MaxID bytes and are part of the request's URL.
const maxCredentialsAsked = 200

func readProven(ctx context.Context, db DB, tenant string, ids []string, proven map[string]bool) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	const listed = "has(JSONExtract({ids:String}, 'Array(String)'), credential_id)"
	return each(ctx, db, "proven credentials", `SELECT credential_id FROM runs WHERE tenant = {tenant:String} AND `+listed+`
AND (tenant, actor_hash, run_id) IN (SELECT tenant, actor_hash, run_id FROM run_states WHERE tenant = {tenant:String} AND `+listed+`
 AND posted_actor IN (SELECT toUInt32(0) UNION ALL SELECT actor_hash FROM postings WHERE tenant = {tenant:String} AND kind = 'credential_id'
  AND value IN (SELECT arrayJoin(JSONExtract({ids:String}, 'Array(String)')))))
GROUP BY credential_id HAVING sum(calls) - sum(errors) >= 20 AND max(last_at) >= min(started_at) + INTERVAL 10 MINUTE`,
		[]any{named("tenant", tenant), named("ids", string(list))}, func(r driver.Rows) error {
			var id string
			err := r.Scan(&id)
			proven[id] = true
			return err
		})
}
