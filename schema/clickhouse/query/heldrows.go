package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema/clickhouse"
)

// HeldRun is a run with a hold: its rows are copied where no retention reaches.
type HeldRun struct {
	RunID   string `json:"run_id"`
	Tenant  string `json:"tenant"`
	AgentID string `json:"agent_id,omitempty"`
	HeldAt  Time   `json:"held_at"`
	By      string `json:"by"`
	Why     string `json:"why"`
	// Generation is the offset in flyball.commands of the record that held the run, plus one.
	Generation uint64 `json:"generation"`
	FirstAt    Time   `json:"first_at"` // of the copied calls; null: none is copied yet
	LastAt     Time   `json:"last_at"`
	Held       uint64 `json:"held_rows"` // rows of calls that are copied
	Live       uint64 `json:"live_rows"` // rows of calls that have not expired
	// Expired: rows have expired, and commands read the copies.
	Expired bool `json:"expired"`
	// NotRead: rows have expired, and there are too many such runs: a report reads the copies only if the run is asked for by its id.
	NotRead bool `json:"not_read,omitempty"`

	actorHash uint32
}

// MaxHeldRuns bounds the runs with expired rows that one question reads from their copies: the run that is asked for, and the latest
// holds. Their ids are in each statement once, and the engine refuses statements above 256 KiB.
const MaxHeldRuns = 2000

// HeldRuns returns the runs with a hold that is not released, the latest hold first. A database of an earlier schema has none.
func HeldRuns(ctx context.Context, db DB) ([]HeldRun, error) {
	out := []HeldRun{}
	err := each(ctx, db, "holds", `SELECT tenant, toString(run_id), at, by, why, generation FROM holds WHERE NOT released
ORDER BY generation DESC`, nil, func(r driver.Rows) error {
		var h HeldRun
		err := r.Scan(&h.Tenant, &h.RunID, &h.HeldAt.Time, &h.By, &h.Why, &h.Generation)
		out = append(out, h)
		return err
	})
	if isNoTable(err) {
		return out, nil
	}
	if err != nil || len(out) == 0 {
		return out, err
	}
	return out, countHeld(ctx, db, out)
}

// countHeld sets what is copied of runs, and what is still stored beside the copies.
func countHeld(ctx context.Context, db DB, held []HeldRun) error {
	by := map[[2]string]*HeldRun{}
	ids := make([]string, len(held))
	for i := range held {
		by[[2]string{held[i].Tenant, held[i].RunID}] = &held[i]
		ids[i] = held[i].RunID
	}
	var refs []runRef
	for chunk := range slices.Chunk(ids, maxListedRuns) {
		in := " WHERE run_id IN (" + uuids(chunk) + ")"
		err := each(ctx, db, "held calls", "SELECT tenant, toString(run_id) AS run, actor_hash, count(), min(start_time), max(start_time), "+
			"max(agent_id) FROM held_calls"+in+" GROUP BY tenant, run, actor_hash", nil, func(r driver.Rows) error {
			var v HeldRun
			err := r.Scan(&v.Tenant, &v.RunID, &v.actorHash, &v.Held, &v.FirstAt.Time, &v.LastAt.Time, &v.AgentID)
			h := by[[2]string{v.Tenant, v.RunID}]
			if err != nil || h == nil {
				return err
			}
			if h.Held == 0 || v.FirstAt.Before(h.FirstAt.Time) {
				h.FirstAt = v.FirstAt
			}
			if v.LastAt.After(h.LastAt.Time) {
				h.LastAt = v.LastAt
			}
			if v.AgentID != "" {
				h.AgentID = v.AgentID
			}
			h.Held += v.Held
			refs = append(refs, runRef{tenant: v.Tenant, actor: v.actorHash, id: v.RunID})
			return nil
		})
		if err != nil {
			return err
		}
	}
	for list := range listed(refs) {
		err := each(ctx, db, "calls of held runs", "SELECT tenant, toString(run_id) AS run, count() FROM calls WHERE "+callsOf(list)+
			" GROUP BY tenant, run", nil, func(r driver.Rows) error {
			var tenant, run string
			var n uint64
			err := r.Scan(&tenant, &run, &n)
			if h := by[[2]string{tenant, run}]; h != nil {
				h.Live += n // lists of different actors of a run are disjoint
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	expired := 0
	for i := range held {
		if held[i].Expired = held[i].Live < held[i].Held; held[i].Expired {
			expired++
			held[i].NotRead = expired > MaxHeldRuns
		}
	}
	return nil
}

// withHolds is a database in which the rows of some runs are those of their copies.
type withHolds struct {
	DB
	head string
	runs map[string]*HeldRun // by id, with expired rows
	left int                 // further runs with expired rows, above the bound
}

// WithHolds returns a database in which a run with a hold is read from its copies, once rows of it have expired. Without such runs it
// returns the database unchanged. Of more than MaxHeldRuns it is the latest ones, and those with one of the given ids; reports say so.
func WithHolds(ctx context.Context, db DB, asked ...string) (DB, error) {
	held, err := HeldRuns(ctx, db)
	if err != nil {
		return nil, err
	}
	w := &withHolds{DB: db, runs: map[string]*HeldRun{}}
	var ids []string
	take := func(h *HeldRun) {
		if w.runs[h.RunID] == nil {
			w.runs[h.RunID] = h
			ids = append(ids, h.RunID)
		}
	}
	for i := range held {
		if held[i].Expired && slices.ContainsFunc(asked, func(id string) bool { return strings.EqualFold(id, held[i].RunID) }) {
			take(&held[i])
		}
	}
	for i := range held {
		switch {
		case !held[i].Expired:
		case len(ids) < MaxHeldRuns:
			take(&held[i])
		case w.runs[held[i].RunID] == nil:
			w.left++
		}
	}
	if len(ids) == 0 {
		return db, nil
	}
	w.head = "WITH " + strings.Join(heldNames(ids), ", ")
	return w, nil
}

// heldNames binds the names that questions read to the rows of a view without some runs, and the copies of these.
func heldNames(runs []string) []string {
	const ids = "SELECT id FROM held_ids"
	bound := func(name, copies, columns string) string {
		return fmt.Sprintf("%[1]s AS (SELECT %[3]s FROM %[1]s WHERE run_id NOT IN (%[4]s) UNION ALL "+
			"SELECT %[3]s FROM %[2]s WHERE run_id IN (%[4]s))",
			name, copies, columns, ids)
	}
	out := []string{"held_ids AS (SELECT toUUID(arrayJoin(['" + strings.Join(runs, "','") + "'])) AS id)"}
	for _, name := range []string{"calls", "runs", "run_states", "touches"} {
		out = append(out, bound(name, "held_"+name, "*"))
	}
	for _, t := range clickhouse.Tables() {
		name, stored := strings.CutSuffix(t.Name, "_store")
		if !stored || !slices.Contains([]string{"scores", "findings", "decisions"}, name) {
			continue
		}
		columns := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			columns[i] = c.Name
		}
		out = append(out, bound(name, "held_"+name, strings.Join(columns, ", ")))
	}
	return append(out, "postings AS (SELECT tenant, kind, value, day, actor_hash FROM postings UNION ALL "+
		"SELECT tenant, kind, value, day, actor_hash FROM held_postings)")
}

// Query executes a statement on the rows of the database and of the copies.
func (w *withHolds) Query(ctx context.Context, sql string, args ...any) (driver.Rows, error) {
	if strings.HasPrefix(sql, "WITH ") || strings.HasPrefix(strings.TrimSpace(sql), "SELECT") {
		sql = afterNames(w.head, sql)
	}
	return w.DB.Query(ctx, sql, args...)
}

// HeldRunsLeft returns the number of held runs with expired rows that questions to a database do not read: there are more than MaxHeldRuns.
func HeldRunsLeft(db DB) int {
	if w, ok := db.(*withHolds); ok {
		return w.left
	}
	return 0
}

// heldCaveats says which held runs a report does not read, if there are any.
func heldCaveats(db DB) (out Caveats) {
	if n := HeldRunsLeft(db); n > 0 {
		out.add("holds_not_read: rows of %d other held runs have expired, and a report reads the copies of %d: those of older holds "+
			"are missing here; a report on one of them by its id reads them, and flyball hold list -o json names them (not_read)", n, MaxHeldRuns)
	}
	return out
}

// copiesOf returns the hold by whose copies a run is read; nil: its rows have not expired, or it is not held.
func copiesOf(db DB, run string) *HeldRun {
	if w, ok := db.(*withHolds); ok {
		return w.runs[run]
	}
	return nil
}

// CountHeldCalls returns the number of copied rows of calls of a run, also of one that is released.
func CountHeldCalls(ctx context.Context, db DB, run string) (n uint64, err error) {
	err = each(ctx, db, "held calls", "SELECT count() FROM held_calls WHERE run_id = {id:UUID}", []any{named("id", run)},
		func(r driver.Rows) error { return r.Scan(&n) })
	return n, err
}

// CountCallRows returns the number of rows of calls of a run that have not expired, also those that do not count.
func CountCallRows(ctx context.Context, db DB, run *Run) (n uint64, err error) {
	var own where
	own.ofRun(run)
	err = each(ctx, db, "calls of the run", "SELECT count() FROM calls "+own.String(), own.params,
		func(r driver.Rows) error { return r.Scan(&n) })
	return n, err
}

// RunsOfItsTraces returns the ids of other runs with calls in the traces of a run.
func RunsOfItsTraces(ctx context.Context, db DB, run *Run) ([]string, error) {
	linked, err := sharingTraces(ctx, db, run)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(linked.behalf)
	for _, o := range linked.others {
		if !slices.Contains(out, o.RunID) {
			out = append(out, o.RunID)
		}
	}
	return out, nil
}
