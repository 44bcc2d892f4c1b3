package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"flyball/schema/clickhouse"
)

func migrate(t testing.TB, c *clickhouse.Conn, plan bool) []string {
	t.Helper()
	return migrateTo(t, c, clickhouse.MigrateOptions{Plan: plan})
}

// migrateTo migrates and returns the steps that were executed.
func migrateTo(t testing.TB, c *clickhouse.Conn, o clickhouse.MigrateOptions) []string {
	t.Helper()
	o.Target = target(c)
	steps, err := clickhouse.Migrate(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range steps {
		out = append(out, fmt.Sprintf("%03d %s: %s", s.Number, s.Name, s.Why))
	}
	return out
}

func TestColumnOfTheListIsNotInTheTable(t *testing.T) {
	c := migrated(t)
	for _, table := range clickhouse.Tables() {
		if clickhouse.IsLegacy(table.Name) {
			continue // not in a new database
		}
		var want []string
		for _, s := range table.Columns {
			want = append(want, s.Name+"\t"+s.Type)
		}
		got := sql(t, c, "SELECT name, type FROM system.columns WHERE database = '{db}' AND table = '"+table.Name+"' ORDER BY position")
		if got != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", table.Name, got, strings.Join(want, "\n"))
		}
	}
}

func TestViewDoesNotAnswer(t *testing.T) {
	c := migrated(t)
	for _, v := range []string{"calls", "runs", "touches", "findings", "decisions", "breakers", "baselines", "dead_letters", "stitching",
		"scores", "verdicts", "verdict_history"} {
		if got := sql(t, c, "SELECT count() FROM {db}."+v); got != "0" {
			t.Errorf("%s: %s rows", v, got)
		}
		sql(t, c, "SELECT * FROM {db}."+v)
	}
}

func TestSecondMigrationAppliesSomething(t *testing.T) {
	c := connect(t)
	planned := migrate(t, c, true)
	if got := sql(t, c, "SELECT count() FROM system.databases WHERE name = '{db}'"); got != "0" {
		t.Fatal("a plan made the database")
	}
	if took := migrate(t, c, false); strings.Join(took, ",") != strings.Join(planned, ",") || len(took) == 0 {
		t.Fatalf("took %v, planned %v", took, planned)
	}
	if again := migrate(t, c, false); len(again) != 0 {
		t.Fatalf("the second run took %v", again)
	}
}

// A migration can be interrupted between a statement and its record, at any step.
func TestInterruptedMigrationIsStuck(t *testing.T) {
	plan, err := clickhouse.Migrate(t.Context(), connect(t), clickhouse.MigrateOptions{Plan: true})
	if err != nil {
		t.Fatal(err)
	}
	for k := 1; k < len(plan); k += 5 {
		c := connect(t)
		sql(t, c, "CREATE DATABASE {db} ENGINE = Atomic")
		steps, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{Plan: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps[:k] {
			for _, st := range s.Statements {
				if strings.Contains(st, "OR REPLACE") {
					continue // needs its tables, and is replaced in any case
				}
				sql(t, c, st)
			}
		}
		if took := migrate(t, c, false); len(took) != len(plan) {
			t.Fatalf("after %d steps: took %v", k, took)
		}
		if again := migrate(t, c, false); len(again) != 0 {
			t.Fatalf("after %d steps: the second run took %v", k, again)
		}
	}
}

// A view that was created before a column of its table must contain the column afterwards.
func TestNewColumnDoesNotReachItsView(t *testing.T) {
	c := migrated(t)
	sql(t, c, "ALTER TABLE {db}.findings_store DROP COLUMN exception")
	sql(t, c, "CREATE OR REPLACE VIEW {db}.findings AS SELECT * FROM {db}.findings_store FINAL")
	migrate(t, c, false)
	sql(t, c, "SELECT exception FROM {db}.findings")
	if again := migrate(t, c, false); len(again) != 0 {
		t.Fatalf("the second run took %v", again)
	}
}

func TestDroppedPiecesStayDropped(t *testing.T) {
	c := migrated(t)
	sql(t, c, "DROP VIEW {db}.runs SYNC")
	sql(t, c, "DROP TABLE {db}.call_ids SYNC")
	sql(t, c, "ALTER TABLE {db}.runs_v5 DROP COLUMN overflow_keys")
	sql(t, c, "ALTER TABLE {db}.findings_store MODIFY COLUMN level Enum8('none' = 0, 'annotate' = 1)")
	got := strings.Join(migrate(t, c, false), "; ")
	want := "022 runs_v5.overflow_keys: column missing; 008 findings_store.level: words missing; 025 call_ids: missing; 102 runs: " +
		"missing"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if again := migrate(t, c, false); len(again) != 0 {
		t.Fatalf("the second run took %v", again)
	}
	sql(t, c, "SELECT overflow_keys FROM {db}.runs")
}

func TestColumnOfAnotherTypeIsOverwritten(t *testing.T) {
	c := migrated(t)
	sql(t, c, "ALTER TABLE {db}.runs_v5 MODIFY COLUMN late_calls UInt32")
	_, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{Target: target(c)})
	if err == nil || !strings.Contains(err.Error(), "late_calls is UInt32") {
		t.Fatalf("got %v", err)
	}
}

func TestNewerSchemaIsOverwritten(t *testing.T) {
	c := migrated(t)
	sql(t, c, fmt.Sprintf("INSERT INTO {db}.migrations (version, number, name) VALUES (%d, 900, 'later')", clickhouse.Version+1))
	if _, err := clickhouse.Migrate(t.Context(), c, clickhouse.MigrateOptions{}); !errors.Is(err, clickhouse.ErrNewerSchema) {
		t.Fatalf("got %v", err)
	}
}
