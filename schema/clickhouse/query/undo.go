package query

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// States of an Undo.
const (
	UndoOpen       = "open"              // the call of the undo can be made
	UndoIncomplete = "incomplete"        // it can be made by who knows the missing parameters
	UndoOfAnother  = "undoes_another"    // it is itself the call that undid another one
	UndoDone       = "compensated"       // a later call has undone it
	UndoUndeclared = "not_declared"      // it can be undone, and nobody has declared by which route
	UndoNothing    = "nothing_undoes_it" // irreversible
	UndoUnknown    = "reversibility_unknown"
)

// Undo is one path that was called with success, and what undoes these calls.
type Undo struct {
	State         string   `json:"state"`
	Method        string   `json:"method,omitempty"`
	Route         string   `json:"route,omitempty"`
	Path          string   `json:"path,omitempty"`
	Operation     string   `json:"operation,omitempty"`
	Effect        string   `json:"effect"`
	Reversibility string   `json:"reversibility"`
	Resources     []string `json:"resources"` // at most 20
	Calls         uint64   `json:"calls"`
	LastAt        Time     `json:"last_at"`
	Runs          []string `json:"runs"` // at most 5
	// UndoMethod and UndoPath are the call that undoes it. Missing are parameters that the path does not tell.
	UndoMethod string   `json:"undo_method,omitempty"`
	UndoPath   string   `json:"undo_path,omitempty"`
	Missing    []string `json:"missing,omitempty"`
	Command    string   `json:"command,omitempty"` // for a shell; the caller sets it
	DoneAt     *Time    `json:"compensated_at,omitempty"`
	DoneBy     string   `json:"compensated_by_run,omitempty"`

	tenant string
}

// Undoing returns the call that undoes a call, as the operator declares it; ok is false if nothing is declared for the route.
type Undoing func(method, route, path string) (undoMethod, undoPath string, missing []string, ok bool)

// MaxUndo is the number of paths of which a report says what undoes them.
const MaxUndo = 500

// ReadUndo reads the calls of a touched set that changed something with success, and what undoes each: the most dangerous first, and of
// these the latest, because what depends on another call is undone before it. Calls of services on behalf of a run are not among them.
func (t *Touched) ReadUndo(ctx context.Context, db DB, win Window, find Undoing) error {
	own, _, err := callsOfSubject(ctx, db, t.Subject, t.Run, win)
	if err != nil {
		return err
	}
	if t.Undo, err = changesOf(ctx, own.bind(db), own); err != nil {
		return t.Caveats.unlessExceeded("what can be undone", err)
	}
	if t.UndoMore = len(t.Undo) > MaxUndo; t.UndoMore {
		t.Undo = t.Undo[:MaxUndo]
	}
	for i := range t.Undo {
		t.Undo[i].declare(find)
	}
	return t.Caveats.unlessExceeded("which calls have been undone", findUndone(ctx, db, t.Undo))
}

// changesOf reads the paths that were called with success and changed something, in the order of ReadUndo, of the calls that meet a
// condition: at most one more than MaxUndo.
func changesOf(ctx context.Context, db DB, own *where) ([]Undo, error) {
	own.add("counted AND outcome IN ('ok', 'unknown') AND reversibility != 'read_only'")
	sql := fmt.Sprintf(`SELECT any(tenant), method, route, path, any(operation), toString(effect) AS did, toString(reversibility) AS undo, count() AS n,
max(start_time) AS last, groupUniqArray(5)(toString(run_id)), groupUniqArrayArray(20)(resources) FROM calls %s
GROUP BY method, route, path, did, undo ORDER BY indexOf(%s, undo), last DESC, method, path, did LIMIT %d`, own.String(), byDanger, MaxUndo+1)
	out := []Undo{}
	err := each(ctx, db, "what can be undone", sql, own.params, func(r driver.Rows) error {
		var u Undo
		err := r.Scan(&u.tenant, &u.Method, &u.Route, &u.Path, &u.Operation, &u.Effect, &u.Reversibility, &u.Calls, &u.LastAt.Time, &u.Runs,
			&u.Resources)
		slices.Sort(u.Runs)
		slices.Sort(u.Resources)
		out = append(out, u)
		return err
	})
	return out, err
}

// declare sets what undoes a call.
func (u *Undo) declare(find Undoing) {
	var ok bool
	u.UndoMethod, u.UndoPath, u.Missing, ok = find(u.Method, u.Route, u.Path)
	switch {
	case ok && len(u.Missing) > 0:
		u.State = UndoIncomplete
	case ok:
		u.State = UndoOpen
	case u.Reversibility == "irreversible":
		u.State = UndoNothing
	case u.Reversibility == "unknown":
		u.State = UndoUnknown
	default:
		u.State = UndoUndeclared
	}
}

// findUndone marks the calls that a later call with success has undone. It looks into the runs that touched the same resources,
// and into the runs of the calls themselves.
func findUndone(ctx context.Context, db DB, list []Undo) error {
	q := undoQuestion{}
	for i := range list {
		if u := &list[i]; u.State == UndoOpen {
			q.add(u)
		}
	}
	if len(q.calls) == 0 {
		return nil
	}
	done, err := q.ask(ctx, db)
	if err != nil {
		return err
	}
	for i := range list {
		u := &list[i]
		for _, path := range spellings(u.UndoPath) {
			if d := done[methodPath{u.UndoMethod, path}]; d != nil && u.State == UndoOpen && d.LastAt.After(u.LastAt.Time) {
				u.State, u.DoneAt, u.DoneBy = UndoDone, &Time{d.LastAt.Time}, d.DoneBy
			}
		}
	}
	for i := range list {
		if u := &list[i]; done[methodPath{u.Method, u.Path}] != nil && u.State != UndoDone {
			u.State, u.Command = UndoOfAnother, ""
		}
	}
	return nil
}

type methodPath struct{ method, path string }

// undoQuestion asks for calls with success that undo others.
type undoQuestion struct {
	calls, resources []string // in SQL
	runs             []string
	tenant           string
	first            time.Time // of the calls to be undone
}

// add adds a call whose undoing is looked for.
func (q *undoQuestion) add(u *Undo) {
	for _, path := range spellings(u.UndoPath) {
		q.calls = append(q.calls, "("+quoted(u.UndoMethod)+","+quoted(path)+")")
	}
	for _, r := range u.Resources {
		q.resources = append(q.resources, quoted(r))
	}
	q.runs = append(q.runs, u.Runs...)
	q.tenant = u.tenant
	if q.first.IsZero() || u.LastAt.Before(q.first) {
		q.first = u.LastAt.Time
	}
}

// ask returns the last of the calls with each method and path, with its run.
func (q *undoQuestion) ask(ctx context.Context, db DB) (map[methodPath]*Undo, error) {
	slices.Sort(q.runs)
	refs, err := timedRefsOf(ctx, db, slices.Compact(q.runs))
	if err != nil {
		return nil, err
	}
	slices.Sort(q.resources)
	resources := slices.Compact(q.resources)
	if len(resources) == 0 {
		resources = []string{"''"}
	}
	where := "run_id IN (SELECT run_id FROM touches WHERE tenant = {tenant:String} AND resource IN (" + strings.Join(resources, ",") + "))"
	if len(refs) > 0 {
		where = "(" + where + " OR " + callsOf(refs) + ")"
	}
	done := map[methodPath]*Undo{}
	err = each(ctx, db, "calls that undo others", `SELECT method, path, max(start_time), argMax(toString(run_id), start_time) FROM calls
WHERE tenant = {tenant:String} AND start_time > fromUnixTimestamp64Nano({first:Int64}, 'UTC') AND outcome = 'ok' AND (method, path) IN (`+
		strings.Join(q.calls, ",")+") AND "+where+" GROUP BY method, path",
		[]any{named("tenant", q.tenant), named("first", fmt.Sprint(q.first.UnixNano()))}, func(r driver.Rows) error {
			var k methodPath
			var u Undo
			err := r.Scan(&k.method, &k.path, &u.LastAt.Time, &u.DoneBy)
			done[k] = &u
			return err
		})
	return done, err
}

// spellings are the ways in which a gateway may have logged a path.
func spellings(path string) []string {
	plain, err := url.PathUnescape(path)
	if err != nil || plain == path {
		return []string{path}
	}
	return []string{path, plain}
}
