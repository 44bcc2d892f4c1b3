package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"
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
	reach    *Reach                       // is made in place of Resources; nil: is not asked for
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

	actors []uint32 // of Runs: where their rows are; 0: not known
	behalf bool     // made by another service on behalf of the run
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
	if err := t.read(ctx, db, win); err != nil {
		return nil, err
	}
	return t, nil
}

// read fills an empty report.
func (t *Touched) read(ctx context.Context, db DB, win Window) error {
	run := t.Run
	if run != nil {
		t.FromHold = copiesOf(db, run.RunID)
	}
	own, err := t.ownCalls(ctx, db, run, win)
	if err != nil {
		return err
	}
	own.between("start_time", "start_time", win.Since, win.Until)
	look, err := lookAt(ctx, own.bind(db), own)
	if err != nil {
		return err
	}
	more := ""
	if t.reach != nil {
		more = placeColumns
	}
	if err := t.loadOwn(ctx, own.bind(db), keptRows(own, look, more), look); err != nil {
		return err
	}
	if err := t.loadRest(ctx, db, own, look, win); err != nil {
		return err
	}
	if err := t.loadReach(ctx, db); err != nil {
		return err
	}
	if err := t.endPage(ctx, db, win); err != nil {
		return err
	}
	if err := t.unlessExceeded("what the runs are", t.describeRuns(ctx, db)); err != nil {
		return err
	}
	if t.Calls == 0 {
		if err := t.explainNothing(ctx, db); err != nil {
			return err
		}
	}
	if text := heldCaveat(db); text != "" {
		t.caveat("%s", text)
	}
	t.Complete = len(t.Caveats) == 0
	return nil
}

// loadRest reads what is not of the subject's calls, and what can make the report incomplete: two parts that need nothing of each other.
func (t *Touched) loadRest(ctx context.Context, db DB, own *where, look *firstLook, win Window) error {
	doubts := *t
	doubts.Caveats = nil
	var parts errgroup.Group
	parts.Go(func() error { return t.loadBeside(ctx, db, own, look, win) })
	parts.Go(func() error { return doubts.loadCaveats(ctx, db, own, look, win) })
	err := parts.Wait()
	t.Caveats = append(t.Caveats, doubts.Caveats...)
	t.Coverage, t.StoredSince = doubts.Coverage, doubts.StoredSince
	return err
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
arrayMap(x -> concat(toString(x.1), ' ', toString(x.2)), groupUniqArray(20)((run_id, actor_hash))) AS runs, uniqExact(run_id) AS run_count`

// loadOwn reads the calls that the subject made itself. For a resource there is a row for each
// run, so that each row names who touched it.
func (t *Touched) loadOwn(ctx context.Context, db DB, rows source, look *firstLook) (err error) {
	if t.reach != nil {
		t.reach.own = rows
	} else if err = t.loadResources(ctx, db, rows); err != nil {
		return err
	}
	totals := look.totals
	if !look.alone() {
		totals, err = readTotals(ctx, db, rows)
	}
	for i := range totals {
		t.addTotal(&totals[i])
	}
	return err
}

func (t *Touched) loadResources(ctx context.Context, db DB, rows source) error {
	group, run, having := " GROUP BY resource, method, route, did, undo", "''", ""
	if t.Subject.Kind == "resource" {
		group, run, having = group+", run_id", "toString(run_id)", "resource = {value:String}"
	}
	tail, params := t.part.statement(run, having, false)
	return each(ctx, db, "touched resources", "SELECT "+touchedGroups+" FROM "+rows.from+group+tail,
		append(slices.Clone(rows.params), params...), func(r driver.Rows) error {
			v, err := scanTouched(r)
			if err == nil && t.take != nil {
				return t.take(&v)
			}
			t.Resources = append(t.Resources, v)
			return err
		})
}

// addTotal adds the calls of an effect and a reversibility.
func (t *Touched) addTotal(v *effectTotal) {
	t.doubts.add(v.doubts)
	t.count(v.effect, v.undo, v.calls)
	if t.firstAt.IsZero() || v.first.Before(t.firstAt) {
		t.firstAt = v.first
	}
	if v.last.After(t.lastAt) {
		t.lastAt = v.last
	}
	if t.Since.IsZero() || v.first.Before(t.Since.Time) {
		t.Since = Time{v.first}
	}
	if v.last.After(t.Until.Time) {
		t.Until = Time{v.last}
	}
}

func (t *Touched) count(effect, undo string, n uint64) {
	if n == 0 {
		return // only rows that add a resource to a call that counts
	}
	t.Calls += n
	t.Totals.ByEffect[effect] += n
	t.Totals.ByReversibility[undo] += n
}

// splitRuns returns runs in the order of their ids, with their actors. A run that has rows also in a table of schema version 4 is listed
// twice, once without its actor.
func splitRuns(texts []string) (ids []string, actors []uint32, err error) {
	sort.Strings(texts)
	ids = make([]string, 0, len(texts))
	for _, text := range texts {
		id, hash, placed := strings.Cut(text, " ")
		var actor uint64
		if placed {
			if actor, err = strconv.ParseUint(hash, 10, 32); err != nil {
				return nil, nil, fmt.Errorf("run and actor %q: %w", text, err)
			}
		}
		if last := len(ids) - 1; last >= 0 && ids[last] == id {
			actors[last] = max(actors[last], uint32(actor))
			continue
		}
		ids, actors = append(ids, id), append(actors, uint32(actor))
	}
	return ids, actors, nil
}

func scanTouched(r driver.Rows, more ...any) (TouchedResource, error) {
	var v TouchedResource
	var runs []string
	v.Via = []string{}
	err := r.Scan(append([]any{&v.Resource, &v.Method, &v.Route, &v.Effect, &v.Reversibility, &v.Calls, &v.OK, &v.Denied, &v.BytesOut,
		&v.FirstAt.Time, &v.LastAt.Time, &v.Agents, &runs, &v.RunCount}, more...)...)
	if err == nil {
		v.Runs, v.actors, err = splitRuns(runs)
	}
	v.Failed = v.Calls - v.OK - v.Denied
	v.Type, _, _ = strings.Cut(v.Resource, ":")
	sort.Strings(v.Agents)
	return v, err
}
