package query

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// The rows of calls and runs lie by day and by the hash of the run's actor. Conditions on these two decide what a question
// reads; the other conditions of a question decide what it answers. Rows of tables of schema version 4 have no hash, or no
// posting names it: they have the hash 0, which every condition includes.

// actorsPosted is the condition for rows of the actors that made calls with a value of a field in a window. column is
// actor_hash of calls, or posted_actor of run_states; param is the parameter with the value; the window's bounds are the
// parameters that where.between names.
func actorsPosted(column, kind, param string, win Window) string {
	return column + " IN (SELECT toUInt32(0) UNION ALL " + postingsOf(kind, param, win) + ")"
}

// postingsOf selects the actors that made calls with a value of a field in a window.
func postingsOf(kind, param string, win Window) string {
	sql := fmt.Sprintf("SELECT actor_hash FROM postings WHERE kind = '%s' AND value = {%s:String}", kind, param)
	if !win.Since.IsZero() {
		sql += " AND day >= toDate(fromUnixTimestamp64Nano({since:Int64}, 'UTC'))"
	}
	if !win.Until.IsZero() {
		sql += " AND day <= toDate(fromUnixTimestamp64Nano({until:Int64}, 'UTC'))"
	}
	return sql
}

// runRef is where the rows of a run are.
type runRef struct {
	tenant string
	actor  uint32 // hash; 0: not known
	id     string
	at     time.Time // start of its last call, as far as the selection looked
	times  runTimes  // of all of its states
}

// runTimes are the times between which a run has calls; a zero time: not known.
type runTimes struct{ began, ended time.Time }

// times returns the times between which the run has calls. The state of an open run may be older than its last call.
func (run *Run) times() (t runTimes) {
	if t.began = run.StartedAt.Time; run.State == schema.RunClosed.String() {
		t.ended = run.LastAt.Time
	}
	return t
}

// runMargin is how far beyond the times of a run its calls are looked for. The times are those of all calls that the state was written
// after, also of those that do not count.
const runMargin = time.Hour

// condition limits the times of calls, which saves to look at other days; empty: no time is known. A closed run can go on, and the state
// that says so is stored up to seconds after its calls: those of the last hour (runMargin) are read whenever the run ended.
func (t runTimes) condition() (sql string) {
	if !t.began.After(time.Unix(0, 0)) {
		return ""
	}
	sql = fmt.Sprintf(" AND start_time >= fromUnixTimestamp64Nano(toInt64(%d), 'UTC')", t.began.Add(-runMargin).UnixNano())
	if !t.ended.Before(t.began) {
		sql += fmt.Sprintf(" AND (start_time <= fromUnixTimestamp64Nano(toInt64(%d), 'UTC') OR start_time >= now() - %d)",
			t.ended.Add(runMargin).UnixNano(), int(runMargin.Seconds()))
	}
	return sql
}

// timesOf returns the times between which some runs have calls, as far as they are known of all of them.
func timesOf(refs []runRef) (all runTimes) {
	for i := range refs {
		t := refs[i].times
		switch {
		case t.began.IsZero():
			return runTimes{}
		case i == 0:
			all = t
			continue
		}
		if t.began.Before(all.began) {
			all.began = t.began
		}
		if t.ended.IsZero() || !all.ended.IsZero() && t.ended.After(all.ended) {
			all.ended = t.ended
		}
	}
	return all
}

// readRefs reads the places of the runs that a statement selects with the columns tenant, actor, run_id and at.
func readRefs(ctx context.Context, db DB, what, sql string, params []any) (refs []runRef, err error) {
	return refs, each(ctx, db, what, "SELECT tenant, actor, toString(run_id), at FROM ("+sql+")", params, func(r driver.Rows) error {
		var v runRef
		err := r.Scan(&v.tenant, &v.actor, &v.id, &v.at)
		refs = append(refs, v)
		return err
	})
}

// listed divides runs into lists that fit into a statement, which names each at most twice. All statements about selected runs
// name them by a list: a selection that is repeated selects other runs while calls arrive. Runs that lie together are in the same
// list.
func listed(refs []runRef) iter.Seq[[]runRef] {
	if len(refs) > maxListedRuns {
		const half = len("00000000-0000-0000-") // the engine orders ids by their second half first
		refs = slices.Clone(refs)
		slices.SortFunc(refs, func(a, b runRef) int {
			return cmp.Or(strings.Compare(a.tenant, b.tenant), cmp.Compare(a.actor, b.actor), strings.Compare(a.id[half:], b.id[half:]),
				strings.Compare(a.id, b.id))
		})
	}
	return func(yield func([]runRef) bool) {
		start, size := 0, 0
		for i := range refs {
			n := listedBytes + 2*len(refs[i].tenant)
			if size += n; size > maxListBytes {
				if !yield(refs[start:i]) {
					return
				}
				start, size = i, n
			}
		}
		if start < len(refs) {
			yield(refs[start:])
		}
	}
}

// listedBytes is the length of a run in the lists of a statement, without its tenant, and maxListBytes that of the lists.
const (
	listedBytes  = 120
	maxListBytes = 200 << 10
)

// runsOf is the condition for rows of run_states and runs about some runs. Where a tenant is not known, it is not compared: it is one of
// the values that a run id is made of.
func runsOf(refs []runRef) string {
	if slices.ContainsFunc(refs, func(r runRef) bool { return r.tenant == "" }) {
		return "(actor_hash, run_id) IN (" + pairs(refs) + ")"
	}
	return "(tenant, actor_hash, run_id) IN (" + tuples(refs) + ")"
}

// pairs returns the list of (actor_hash, run_id) for IN.
func pairs(refs []runRef) string {
	list := make([]string, len(refs))
	for i := range refs {
		list[i] = fmt.Sprintf("(%d,'%s')", refs[i].actor, refs[i].id)
	}
	return strings.Join(list, ",")
}

// placed reports whether the actors of all runs are known.
func placed(refs []runRef) bool {
	return !slices.ContainsFunc(refs, func(r runRef) bool { return r.actor == 0 })
}

// idsOf is the condition for other rows about some runs.
func idsOf(refs []runRef) string {
	list := make([]string, len(refs))
	for i := range refs {
		list[i] = refs[i].id
	}
	return "run_id IN (" + uuids(list) + ")"
}

// maxListedRuns is the maximum number of runs that a statement lists: the engine refuses statements above 256 KiB.
const maxListedRuns = 500

// tuples returns the list of (tenant, actor_hash, run_id) for IN.
func tuples(refs []runRef) string {
	var b strings.Builder
	for i := range refs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(" + quoted(refs[i].tenant) + "," + strconv.FormatUint(uint64(refs[i].actor), 10) + ",'" + refs[i].id + "')")
	}
	return b.String()
}

// callsOf is the condition for the calls of runs.
func callsOf(refs []runRef) string {
	return "(" + callsAnyTime(refs) + timesOf(refs).condition() + daysOf(refs) + ")"
}

// daysOf limits calls of closed runs to the days on which these have some; empty: these are not fewer than those between the first and the
// last of them, or are not known. It leaves the margins that runTimes.condition leaves.
func daysOf(refs []runRef) string {
	all := timesOf(refs)
	if all.condition() == "" || all.ended.Before(all.began) {
		return ""
	}
	var days dayList
	for i := range refs {
		t := refs[i].times
		if t.ended.Before(t.began) {
			return ""
		}
		days.add(t.began.Add(-runMargin), t.ended.Add(runMargin))
	}
	if days.condition() == "" {
		return ""
	}
	return fmt.Sprintf(" AND (%s OR start_time >= now() - %d)", days.condition(), int(runMargin.Seconds()))
}

func callsAnyTime(refs []runRef) string {
	var b strings.Builder
	for i := range refs {
		if refs[i].actor == 0 {
			return idsOf(refs)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(0,'%[2]s'),(%[1]d,'%[2]s')", refs[i].actor, refs[i].id)
	}
	return "(actor_hash, run_id) IN (" + b.String() + ")"
}

// uuids returns a list of run ids for IN. Callers limit its length (maxLinkedRuns,
// maxDrawnRuns), so that statements have a bounded size.
func uuids(ids []string) string {
	return "toUUID('" + strings.Join(ids, "'), toUUID('") + "')"
}

// quoted returns an SQL literal of a text.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// refsOf returns where the runs with some ids are, in no order.
func refsOf(ctx context.Context, db DB, ids []string) (out []runRef, err error) {
	for chunk := range slices.Chunk(ids, maxListedRuns) {
		sql := "SELECT DISTINCT tenant, actor_hash, toString(run_id) FROM run_states WHERE run_id IN (" + uuids(chunk) + ")"
		if err := each(ctx, db, "places of runs", sql, nil, func(r driver.Rows) error {
			var v runRef
			err := r.Scan(&v.tenant, &v.actor, &v.id)
			out = append(out, v)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// timedRefsOf is refsOf with the times of the runs, of which the calls are read then.
func timedRefsOf(ctx context.Context, db DB, ids []string) (out []runRef, err error) {
	for chunk := range slices.Chunk(ids, maxListedRuns) {
		sql := "SELECT tenant, actor_hash, toString(run_id), min(started_at), max(last_at), argMax(state, (segment, version)) = 'closed' " +
			"FROM run_states WHERE run_id IN (" + uuids(chunk) + ") GROUP BY tenant, actor_hash, run_id"
		if err := each(ctx, db, "places and times of runs", sql, nil, func(r driver.Rows) error {
			var v runRef
			var closed uint8
			err := r.Scan(&v.tenant, &v.actor, &v.id, &v.times.began, &v.times.ended, &closed)
			if closed == 0 {
				v.times.ended = time.Time{}
			}
			out = append(out, v)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ofRun adds the condition for the calls of a run. The names of its parameters are tenant and id.
func (w *where) ofRun(run *Run) {
	w.add(callsOfRun(run), named("tenant", run.Tenant), named("id", run.RunID))
}

// callsOfRun is the condition for the calls of a run, whose tenant and id are the parameters tenant and id.
func callsOfRun(run *Run) string {
	condition := "tenant = {tenant:String} AND run_id = {id:UUID}"
	if run.actorHash != 0 {
		condition += fmt.Sprintf(" AND actor_hash IN (0, %d)", run.actorHash)
	}
	return condition + run.times().condition()
}

// newestStored returns the start of the newest stored call; zero: none is stored.
func newestStored(ctx context.Context, db DB) (at time.Time, err error) {
	err = each(ctx, db, "the newest call", "SELECT max(last_at) FROM stored_spans WHERE rows > 0", nil, func(r driver.Rows) error {
		return r.Scan(&at)
	})
	if at.Unix() == 0 {
		at = time.Time{}
	}
	return at, err
}

// steps are how far back questions for the newest of something look, one after the other, until they have enough.
var steps = []time.Duration{24 * time.Hour, 4 * 24 * time.Hour, 16 * 24 * time.Hour, 64 * 24 * time.Hour}

// backwards calls look with the bounds of the past, the newest first, until it returns true: each time with the earliest
// time to look at; the last time with since, which may be zero.
func backwards(newest, since time.Time, look func(from time.Time) (enough bool, err error)) error {
	for _, s := range steps {
		from := newest.Add(-s)
		if newest.IsZero() || !from.After(since) {
			break
		}
		if enough, err := look(from); enough || err != nil {
			return err
		}
	}
	_, err := look(since)
	return err
}
