package query

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// snapshotMargin is how much older the stored state of a run may be than its last stored call.
const snapshotMargin = time.Hour

// maxListedActors is the maximum number of actors that a statement lists.
const maxListedActors = 1000

// callsOfName returns the condition for the calls of an agent, a credential or a principal: those whose row names it, also in
// runs that another name ended up with, and those without a name in its runs, which an observer that does not know the caller
// has logged. The name is the parameter value; who uses the condition adds the window, and binds its names.
//
// A name with few runs, such as a person for whom hundreds of agents act, has few of the calls of its actors: these are read once,
// for their runs, and then the calls of the runs.
func callsOfName(ctx context.Context, db DB, s Subject, win Window) (*where, error) {
	field := s.Kind + "_id"
	states := actorsPosted("posted_actor", field, "value", Window{}) + " AND " + field + " = {value:String}"
	if !win.Since.IsZero() {
		states += fmt.Sprintf(" AND last_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') - INTERVAL %d SECOND", snapshotMargin/time.Second)
	}
	if !win.Until.IsZero() {
		states += fmt.Sprintf(" AND started_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC') + INTERVAL %d SECOND",
			snapshotMargin/time.Second)
	}
	var in where // the window and its parameters
	in.between("start_time", "start_time", win.Since, win.Until)
	in.params = append(in.params, named("value", s.Value))
	posted := postingsOf(field, "value", win)
	actors, err := listedActors(ctx, db, posted+" UNION ALL SELECT actor_hash FROM run_states WHERE "+states, in.params)
	if err != nil {
		return nil, err
	}
	in.add(actors)
	byName, unnamed := field+" = {value:String}", fmt.Sprintf(`%[1]s = '' AND (tenant, run_id) IN (SELECT tenant, run_id FROM runs
WHERE %[1]s = {value:String} AND (tenant, actor_hash, run_id) IN (SELECT tenant, actor_hash, run_id FROM run_states WHERE %[2]s))`, field, states)
	runs, few, err := runsOfCallsIn(ctx, db, &in, byName, maxSubjectRuns)
	if err != nil {
		return nil, err
	}
	most := 1 // whether there are any
	if few {
		most = max(maxSubjectRuns-len(runs), 1)
	}
	others, all, err := runsOfCallsIn(ctx, db, &in, unnamed, most)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 { // only few subjects have calls without a name in their runs
		byName = "(" + byName + " OR " + unnamed + ")"
	}
	own := &where{params: []any{named("value", s.Value)}}
	if few && all {
		err = own.ofRuns(append(runs, others...))
	} else {
		own.add(actors)
	}
	own.add(byName)
	return own, err
}

// runsOfCallsIn returns the runs of the calls that meet a further condition, at most some of them, and whether these are all.
func runsOfCallsIn(ctx context.Context, db DB, in *where, condition string, most int) (runs []runRef, all bool, err error) {
	sql := fmt.Sprintf("SELECT DISTINCT actor_hash, toString(run_id) FROM calls %s AND %s LIMIT %d", in.String(), condition, most+1)
	err = each(ctx, db, "runs with calls of the name", sql, in.params, func(r driver.Rows) error {
		var v runRef
		err := r.Scan(&v.actor, &v.id)
		runs = append(runs, v)
		return err
	})
	return runs[:min(len(runs), most)], len(runs) <= most, err
}

// listedActors returns the condition for calls of the actors that a statement selects as actor_hash: by their list, unless it is
// long.
func listedActors(ctx context.Context, db DB, sql string, params []any) (string, error) {
	hashes := []string{"0"}
	err := each(ctx, db, "actors", fmt.Sprintf("SELECT DISTINCT actor_hash FROM (%s) LIMIT %d", sql, maxListedActors+1), params,
		func(r driver.Rows) error {
			var h uint32
			err := r.Scan(&h)
			hashes = append(hashes, strconv.FormatUint(uint64(h), 10))
			return err
		})
	if err != nil {
		return "", err
	}
	if len(hashes) > maxListedActors {
		return "actor_hash IN (SELECT toUInt32(0) UNION ALL " + sql + ")", nil
	}
	slices.Sort(hashes[1:])
	return "actor_hash IN (" + strings.Join(hashes, ",") + ")", nil
}
