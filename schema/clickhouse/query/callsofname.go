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
// has logged. The name is the parameter value; who uses the condition adds the window.
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
	// Only few subjects have calls without a name in their runs. Without any, the condition is much cheaper.
	unnamed := fmt.Sprintf(`%[1]s = '' AND (tenant, run_id) IN (SELECT tenant, run_id FROM runs WHERE %[1]s = {value:String}
AND (tenant, actor_hash, run_id) IN (SELECT tenant, actor_hash, run_id FROM run_states WHERE %[2]s))`, field, states)
	condition := field + " = {value:String}"
	in.add(actors)
	in.add(unnamed)
	if err := each(ctx, db, "calls without a name", "SELECT 1 FROM calls "+in.String()+" LIMIT 1", in.params, func(driver.Rows) error {
		condition = "(" + condition + " OR " + unnamed + ")"
		return nil
	}); err != nil {
		return nil, err
	}
	var own where
	own.add(actors+" AND "+condition, named("value", s.Value))
	return &own, nil
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
