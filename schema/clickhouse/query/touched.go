package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Subject is the subject of a touched set.
type Subject struct {
	Kind  string `json:"kind"` // run, agent, credential, principal, resource
	Value string `json:"value"`
}

// Touched is the touched set of a subject.
type Touched struct {
	Subject Subject `json:"subject"`
	Run     *Run    `json:"run,omitempty"`
	// FromHold is the hold by whose copies the run is read, because rows of it have expired.
	FromHold *HeldRun `json:"from_hold,omitempty"`
	// Since and Until are the time window that was asked for. An end that was not asked for is the
	// time of the first or last call, and null without calls: then everything that is stored was
	// read.
	Since Time `json:"since"`
	Until Time `json:"until"`
	// StoredSince is the time of the oldest stored call of any subject; null: no call is stored.
	StoredSince Time `json:"stored_since"`
	// AsOf is the time up to which all records in Kafka were read and stored before the report was
	// read; null: there were unread records, or that is not known.
	AsOf     Time     `json:"as_of"`
	Calls    uint64   `json:"calls"`
	Complete bool     `json:"complete"`
	Caveats  []string `json:"caveats"`
	// Near contains stored subjects that may have been meant. It is set only if the subject itself
	// is not stored.
	Near      []Near            `json:"near,omitempty"`
	Unread    []Unread          `json:"unread,omitempty"`
	Resources []TouchedResource `json:"resources"`
	// Next is the cursor of the resources after these; empty: there are no more. Everything else is about all resources.
	Next   string `json:"next,omitempty"`
	Totals Totals `json:"totals"`
	// Runs describes the runs of the rows, at most maxDescribedRuns of them.
	Runs []TouchingRun `json:"runs"`
	// Coverage counts the logged calls by gateway, and how many of them were sent to the check.
	Coverage []GatewayCoverage `json:"coverage"`
	// OtherCallers made calls in the run's traces under a different identity. Resources and
	// totals do not include these calls.
	OtherCallers []OtherCaller `json:"other_callers,omitempty"`
	// DeniedOnly are, for a resource, the newest runs whose attempts on it were all denied by the check. They touched
	// nothing: Resources and totals do not include their attempts.
	DeniedOnly []DeniedRun `json:"denied_only,omitempty"`

	firstAt, lastAt time.Time // start of the first and of the last call
	doubts          caveatCounts
	// Undo lists the calls that changed something, and what undoes each. It is read by ReadUndo. UndoMore: there are more.
	Undo     []Undo `json:"undo,omitempty"`
	UndoMore bool   `json:"undo_more,omitempty"`

	question pagedQuestion
	part     rowPart
	take     func(*TouchedResource) error // gets the resources in place of Resources; nil: nobody
}

// TouchedResource counts the calls of one route that named one resource.
type TouchedResource struct {
	Resource      string   `json:"resource"`
	Type          string   `json:"type"`
	Method        string   `json:"method,omitempty"`
	Route         string   `json:"route,omitempty"`
	Effect        string   `json:"effect"`
	Reversibility string   `json:"reversibility"`
	Calls         uint64   `json:"calls"`
	OK            uint64   `json:"ok"`
	Failed        uint64   `json:"failed"`
	Denied        uint64   `json:"denied"`
	BytesOut      uint64   `json:"bytes_out"`
	FirstAt       Time     `json:"first_at"`
	LastAt        Time     `json:"last_at"`
	Agents        []string `json:"agents"`    // at most 20
	Runs          []string `json:"runs"`      // at most 20 of RunCount
	RunCount      uint64   `json:"run_count"` // number of different runs
	Via           []string `json:"via"`

	behalf bool // made by another service on behalf of the run
}

// Totals count calls by effect and by reversibility.
type Totals struct {
	ByEffect        map[string]uint64 `json:"by_effect"`
	ByReversibility map[string]uint64 `json:"by_reversibility"`
}

// Window limits the touched set of an agent, a credential, a principal or a resource.
type Window struct{ Since, Until time.Time }

// TouchedBy reads the touched set of a subject, with the MaxTouchedRows most dangerous resources. For a run, Value is a run id.
func TouchedBy(ctx context.Context, db DB, s Subject, run *Run, win Window) (*Touched, error) {
	return TouchedPage(ctx, db, s, run, win, MaxTouchedRows, "")
}

// TouchedPage reads the touched set of a subject, with at most limit resources: those after the cursor of the page before, whose
// window it has. A cursor of another subject or window is an error.
func TouchedPage(ctx context.Context, db DB, s Subject, run *Run, win Window, limit int, after string) (*Touched, error) {
	question := pagedQuestion{list: "touched", what: []string{"kind", s.Kind, "subject", s.Value}, win: win}
	if run != nil {
		question.what[3] = run.RunID
	}
	part, win, err := rowsAfter(ctx, &question, limit, after)
	if err != nil {
		return nil, err
	}
	return readTouched(ctx, db, s, run, win, question, part, nil)
}

// EachTouched passes all resources of the touched set of a run to take, first those of its own calls and then those of the calls on its
// behalf, each the most dangerous first. It returns the report without resources.
func EachTouched(ctx context.Context, db DB, run *Run, take func(*TouchedResource) error) (*Touched, error) {
	return readTouched(ctx, db, Subject{Kind: "run", Value: run.RunID}, run, Window{}, pagedQuestion{}, rowPart{limit: math.MaxInt32}, take)
}

func readTouched(ctx context.Context, db DB, s Subject, run *Run, win Window, question pagedQuestion, part rowPart,
	take func(*TouchedResource) error) (*Touched, error) {
	t := newTouched(s, win)
	t.take = take
	t.Run, t.question, t.part = run, question, part
	if run != nil {
		t.FromHold = copiesOf(db, run.RunID)
	}
	own, err := t.ownCalls(ctx, db, run, win)
	if err != nil {
		return nil, err
	}
	own.between("start_time", "start_time", win.Since, win.Until)
	rows, err := keptRows(ctx, db, own)
	if err != nil {
		return nil, err
	}
	if err := t.loadOwn(ctx, db, rows); err != nil {
		return nil, err
	}
	if err := t.loadBeside(ctx, db, own, win); err != nil {
		return nil, err
	}
	if err := t.loadCaveats(ctx, db, rows, own, win); err != nil {
		return nil, err
	}
	if err := t.endPage(ctx, db, win); err != nil {
		return nil, err
	}
	if err := t.unlessExceeded("what the runs are", t.describeRuns(ctx, db)); err != nil {
		return nil, err
	}
	if t.Calls == 0 {
		if err := t.explainNothing(ctx, db); err != nil {
			return nil, err
		}
	}
	if text := heldCaveat(db); text != "" {
		t.caveat("%s", text)
	}
	t.Complete = len(t.Caveats) == 0
	return t, nil
}

// loadBeside reads what others did in the traces of the subject, and for a resource who was denied everything.
func (t *Touched) loadBeside(ctx context.Context, db DB, own *where, win Window) error {
	if t.Subject.Kind == "run" {
		return t.loadDownstream(ctx, db, t.Run, win)
	}
	if t.Subject.Kind == "resource" {
		if err := t.unlessExceeded("which runs were denied every attempt", t.loadDenied(ctx, db, win)); err != nil {
			return err
		}
	}
	return t.unlessExceeded("whether other runs share traces with these calls", t.checkDownstream(ctx, db, own))
}

func newTouched(s Subject, win Window) *Touched {
	return &Touched{Subject: s, Since: Time{win.Since}, Until: Time{win.Until}, Caveats: []string{}, Resources: []TouchedResource{},
		Runs: []TouchingRun{}, Coverage: []GatewayCoverage{},
		Totals: Totals{ByEffect: map[string]uint64{}, ByReversibility: map[string]uint64{}}}
}

// Unknown returns the report on a subject that was not looked up. why is its caveat.
func Unknown(s Subject, win Window, why string) *Touched {
	t := newTouched(s, win)
	t.caveat("subject_unknown: %s", why)
	return t
}

// ownCalls returns the condition for the calls that the subject made itself.
func (t *Touched) ownCalls(ctx context.Context, db DB, run *Run, win Window) (*where, error) {
	var own where
	switch s := t.Subject; s.Kind {
	case "run":
		own.ofRun(run)
	case "agent", "credential", "principal":
		return callsOfName(ctx, db, s, win)
	case "resource":
		return t.callsOfResource(ctx, db, win)
	default:
		return nil, fmt.Errorf("subject %q is none of run, agent, credential, principal, resource", s.Kind)
	}
	return &own, nil
}

// uuids returns a list of run ids for IN. Callers limit its length (maxLinkedRuns,
// maxDrawnRuns), so that statements have a bounded size.
func uuids(ids []string) string {
	return "toUUID('" + strings.Join(ids, "'), toUUID('") + "')"
}

const touchedGroups = `arrayJoin(if(empty(resources), ['?:?'], resources)) AS resource, method, route, toString(effect) AS did,
toString(reversibility) AS undo,
count() AS n, countIf(outcome IN ('ok', 'unknown')) AS good, countIf(outcome = 'denied') AS refused, sum(bytes_out) AS bytes,
min(start_time) AS first_at, max(start_time) AS last_at, groupUniqArrayIf(20)(agent_id, agent_id != '') AS agents,
groupUniqArray(20)(toString(run_id)) AS runs, uniqExact(run_id) AS run_count`

// loadOwn reads the calls that the subject made itself. For a resource there is a row for each
// run, so that each row names who touched it.
func (t *Touched) loadOwn(ctx context.Context, db DB, rows source) error {
	group, run, having := " GROUP BY resource, method, route, did, undo", "''", ""
	if t.Subject.Kind == "resource" {
		group, run, having = group+", run_id", "toString(run_id)", "resource = {value:String}"
	}
	tail, params := t.part.statement(run, having, false)
	err := each(ctx, db, "touched resources", "SELECT "+touchedGroups+" FROM "+rows.from+group+tail,
		append(slices.Clone(rows.params), params...), func(r driver.Rows) error {
			v, err := scanTouched(r)
			if err == nil && t.take != nil {
				return t.take(&v)
			}
			t.Resources = append(t.Resources, v)
			return err
		})
	if err != nil {
		return err
	}
	return each(ctx, db, "totals", "SELECT toString(effect) AS did, toString(reversibility) AS undo, countIf(counted) AS n, "+
		"min(start_time), max(start_time), "+caveatColumns+" FROM "+rows.from+" GROUP BY did, undo", rows.params, func(r driver.Rows) error {
		var effect, undo string
		var n uint64
		var first, last time.Time
		var c caveatCounts
		if err := r.Scan(&effect, &undo, &n, &first, &last, &c.unlogged, &c.sampled, &c.late, &c.unsure, &c.overflow, &c.askedOnly); err != nil {
			return err
		}
		t.doubts.add(c)
		t.count(effect, undo, n)
		if t.firstAt.IsZero() || first.Before(t.firstAt) {
			t.firstAt = first
		}
		if last.After(t.lastAt) {
			t.lastAt = last
		}
		if t.Since.IsZero() || first.Before(t.Since.Time) {
			t.Since = Time{first}
		}
		if last.After(t.Until.Time) {
			t.Until = Time{last}
		}
		return nil
	})
}

func (t *Touched) count(effect, undo string, n uint64) {
	if n == 0 {
		return // only rows that add a resource to a call that counts
	}
	t.Calls += n
	t.Totals.ByEffect[effect] += n
	t.Totals.ByReversibility[undo] += n
}

func scanTouched(r driver.Rows, more ...any) (TouchedResource, error) {
	var v TouchedResource
	v.Via = []string{}
	err := r.Scan(append([]any{&v.Resource, &v.Method, &v.Route, &v.Effect, &v.Reversibility, &v.Calls, &v.OK, &v.Denied, &v.BytesOut,
		&v.FirstAt.Time, &v.LastAt.Time, &v.Agents, &v.Runs, &v.RunCount}, more...)...)
	v.Failed = v.Calls - v.OK - v.Denied
	v.Type, _, _ = strings.Cut(v.Resource, ":")
	sort.Strings(v.Runs)
	sort.Strings(v.Agents)
	return v, err
}

// loadDownstream reads the calls that other services made in the run's traces. They belong to
// its touched set, unless their caller has a different identity. A call of the run that the
// called service also logged counts once, unless the second row names another resource.
func (t *Touched) loadDownstream(ctx context.Context, db DB, run *Run, win Window) error {
	linked, err := sharingTraces(ctx, db, run)
	if err != nil {
		return err
	}
	t.Caveats = append(t.Caveats, linked.caveats()...)
	if t.OtherCallers = linked.others; len(linked.others) > 0 {
		var n uint64
		for _, o := range linked.others {
			n += o.Calls
		}
		t.caveat("other_callers: %d calls of %d runs carry a trace id of this run under an identity of their own (%s); "+
			"they are not counted here, see other_callers and flyball touched of those runs",
			n, len(linked.others), strings.Join(namesOf(linked.others, 3), ", "))
	}
	if len(linked.behalf) == 0 {
		return nil
	}
	w := where{params: []any{named("tenant", run.Tenant), named("id", run.RunID)}}
	w.add("tenant = {tenant:String} AND " + callsOf(linked.refsOfBehalf()) + " AND trace_id IN (" + ownTraces(run) + ")")
	w.add("(trace_id, method, path, resources) NOT IN (SELECT trace_id, method, path, resources FROM calls WHERE " + callsOfRun(run) +
		" AND trace_id != '')")
	w.between("start_time", "start_time", win.Since, win.Until)
	tail, params := t.part.statement("''", "", true)
	sql := "WITH linked AS (SELECT * FROM calls " + w.String() + ") SELECT " + touchedGroups + `,
groupUniqArray(20)(multiIf(agent_source = 'trace_binding' AND observer != '',
observer, agent_id != '' AND NOT startsWith(agent_id, 'ip:'), agent_id, observer != '', observer, api != '', api, credential_id)) AS via
FROM linked WHERE counted OR record_id IN (` + unnamedDownstream + `)
GROUP BY resource, method, route, did, undo` + tail
	var list []TouchedResource
	err = each(ctx, db, "calls made on the run's behalf", sql, append(slices.Clone(w.params), params...), func(r driver.Rows) error {
		var via []string
		v, err := scanTouched(r, &via)
		sort.Strings(via)
		v.Via, v.behalf = via, true
		if err == nil && t.take != nil {
			t.count(v.Effect, v.Reversibility, v.Calls)
			return t.take(&v)
		}
		list = append(list, v)
		return err
	})
	t.Resources = append(t.Resources, list...)
	if err != nil || t.take != nil || t.part.after == nil && len(list) <= t.part.limit { // these are all
		for i := range list {
			t.count(list[i].Effect, list[i].Reversibility, list[i].Calls)
		}
		return err
	}
	return each(ctx, db, "totals of calls made on the run's behalf", "WITH linked AS (SELECT * FROM calls "+w.String()+
		`) SELECT toString(effect) AS did, toString(reversibility) AS undo, sum(length(if(empty(resources), [''], resources)))
FROM linked WHERE counted OR record_id IN (`+unnamedDownstream+`) GROUP BY did, undo`, w.params, func(r driver.Rows) error {
		var effect, undo string
		var n uint64
		err := r.Scan(&effect, &undo, &n)
		t.count(effect, undo, n)
		return err
	})
}

// unnamedDownstream selects the record ids of rows of linked that do not count and have a resource that no
// row which counts names for the same run, method and path.
const unnamedDownstream = `SELECT record_id FROM (SELECT record_id, run_id, method, path,
arrayJoin(if(empty(resources), [''], resources)) AS named FROM linked WHERE NOT counted AND observer_kind != 'gate')
WHERE (run_id, method, path, named) NOT IN (SELECT run_id, method, path, arrayJoin(if(empty(resources), [''], resources))
FROM linked WHERE counted)`

// checkDownstream adds a caveat if other runs share traces with the subject's calls: only for one
// run the calls of its traces are read.
func (t *Touched) checkDownstream(ctx context.Context, db DB, own *where) error {
	var n uint64
	if t.Calls == 0 {
		return nil
	}
	traces := "SELECT DISTINCT trace_id FROM calls " + own.String() + " AND trace_id != '' LIMIT 10000"
	sql := "SELECT uniqExact(run_id) FROM calls WHERE " + withTraces(traces) +
		" AND run_id NOT IN (SELECT DISTINCT run_id FROM calls " + own.String() + ")"
	err := each(ctx, db, "runs of the same traces", sql, append(slices.Clone(own.params), hoursAround(t.firstAt, t.lastAt)...),
		func(r driver.Rows) error { return r.Scan(&n) })
	if err == nil && n > 0 {
		t.caveat("linked_runs: %d other runs share traces with these calls; what was called on its behalf is read for one run at a time: "+
			"flyball touched RUN", n)
	}
	return err
}
