package learn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema/clickhouse"
)

// scriptedDB answers statements with rows, and keeps the statements.
type scriptedDB struct {
	answer func(query string) []*fakeRows // nil: no rows

	mu    sync.Mutex
	asked []string
}

func (s *scriptedDB) Query(ctx context.Context, query string, _ ...any) (driver.Rows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, query)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &scriptedRows{rows: s.answer(query)}, nil
}

type scriptedRows struct {
	driver.Rows
	rows    []*fakeRows
	current *fakeRows
}

func (r *scriptedRows) Next() bool {
	if len(r.rows) == 0 {
		return false
	}
	r.current, r.rows = r.rows[0], r.rows[1:]
	return true
}
func (r *scriptedRows) Err() error             { return nil }
func (r *scriptedRows) Close() error           { return nil }
func (r *scriptedRows) Scan(into ...any) error { return r.current.Scan(into...) }

// rowOf makes a row of values in order.
func rowOf(values ...any) *fakeRows {
	r := &fakeRows{values: map[string]any{}}
	for i, v := range values {
		name := fmt.Sprint(i)
		r.columns, r.values[name] = append(r.columns, name), v
	}
	return r
}

const (
	knownRun = "0190a000-0000-7000-8000-000000000001"
	laterRun = "0190a000-0000-7000-8000-000000000002"
)

// liveHistory answers as a database with one run, in which another run is stored after the runs were read.
func liveHistory() *scriptedDB {
	var run factsRow
	var call callRow
	runs := "SELECT " + selectList(run.columns()) + " FROM "
	names := func(list []column) (out []string) {
		for _, c := range list {
			out = append(out, c.sql)
		}
		return out
	}
	next := int64(100)
	return &scriptedDB{answer: func(query string) []*fakeRows {
		switch {
		case query == stored:
			next++
			return []*fakeRows{rowOf(int32(0), next)}
		case strings.HasPrefix(query, runs):
			return []*fakeRows{{columns: names(run.columns()), values: map[string]any{"toString(run_id)": knownRun, "agent_id": "shop/a",
				"toString(agent_trust)": "verified", "toString(caller_kind)": "agent", "toString(run_rule)": "explicit",
				"toString(task_trust)": "verified", verdictOf: "unknown"}}}
		case strings.Contains(query, "FROM calls AS c") && strings.HasPrefix(query, "SELECT toString(c.run_id), c.method"):
			var out []*fakeRows
			for _, id := range []string{knownRun, knownRun, laterRun, laterRun} {
				out = append(out, &fakeRows{columns: names(append(call.columns(), (&decisionColumns{}).columns()...)), values: map[string]any{
					"toString(c.run_id)": id, "c.method": "GET", "c.route": "/orders/{id}", "c.start_time": time.Unix(1_700_000_000, 0),
					"toString(c.effect)": "read", "toString(c.reversibility)": "reversible"}})
			}
			return out
		}
		return nil
	}}
}

// A run that is stored between the statement on runs and that on calls must be left out, not end a backtest.
func TestReadingFailsWhileRunsArrive(t *testing.T) {
	db := liveHistory()
	r, err := PlanReading(t.Context(), db, Window{Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	if err := r.ReadAll(t.Context(), func(c *StoredCall) { read = append(read, c.Run) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(read, []string{knownRun, knownRun}) {
		t.Errorf("calls of the runs %v", read)
	}
}

// Both passes of a backtest must read the calls up to the same offsets in the same slices.
func TestSecondPassReadsOtherCalls(t *testing.T) {
	db := liveHistory()
	r, err := PlanReading(t.Context(), db, Window{Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	var passes [2][]string
	for i := range passes {
		db.asked = nil
		if err := r.ReadAll(t.Context(), func(*StoredCall) {}); err != nil {
			t.Fatal(err)
		}
		passes[i] = db.asked
	}
	if len(passes[0]) != 3 || !slices.Equal(passes[0], passes[1]) {
		t.Errorf("%d statements, then others: %d", len(passes[0]), len(passes[1]))
	}
	for _, query := range passes[0][1:] {
		if !strings.Contains(query, "[101]") {
			t.Errorf("calls are read without the pin: %s", query)
		}
	}
}

// Rows of schema version 4 that are older than the window must not make slices that no key serves.
func TestUpgradedDatabaseIsReadByRunIDsForAYear(t *testing.T) {
	for name, recent := range map[string]uint64{"older than the window": 0, "in the window": 1} {
		t.Run(name, func(t *testing.T) {
			db := &scriptedDB{answer: func(query string) []*fakeRows {
				switch {
				case query == legacyTablesThere:
					return []*fakeRows{rowOf(uint64(2))}
				case strings.Contains(query, "runs_store"):
					return []*fakeRows{rowOf(recent)}
				case strings.HasPrefix(query, "SELECT greatest(sum(calls)"):
					return []*fakeRows{rowOf(uint64(20))}
				case strings.Contains(query, "FROM runs_v5"):
					return []*fakeRows{rowOf(uint32(1), uint64(10), false), rowOf(uint32(3000), uint64(10), true)}
				}
				return nil
			}}
			parts, err := planSlices(t.Context(), db, Window{Tenant: "t", Since: time.Unix(9, 0)}, 10)
			if err != nil {
				t.Fatal(err)
			}
			byActor := 0
			for i := range parts {
				if runs := parts[i].runs(); strings.Contains(runs, "actor_hash >=") || strings.Contains(runs, "actor_hash <") {
					byActor++
					if !strings.Contains(runs, "FROM `runs_v5` FINAL") || !strings.Contains(parts[i].calls("c."), " OR c.actor_hash = 0)") {
						t.Errorf("%s; %s", runs, parts[i].calls("c."))
					}
				}
			}
			if want := map[bool]int{true: len(parts)}[recent == 0]; byActor != want || len(parts) < 2 {
				t.Errorf("%d of %d slices are ranges of actors, want %d", byActor, len(parts), want)
			}
			if sql := clickhouse.CurrentRuns(); strings.Contains(sql, "runs_store") || !strings.HasPrefix(strings.TrimSpace(sql), "SELECT") {
				t.Errorf("%s", sql)
			}
		})
	}
}
