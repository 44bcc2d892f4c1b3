package storage

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

const testdata = "../../../../schema/clickhouse/testdata"

// The SQL of every released schema is kept: when Version is raised, snapshots/single of the
// release is copied to released/<version>. The tables of versions before 5 stay beside the new ones.
// released-cluster has the form of a cluster, with the engines of two tables as a server accepts them: version 4 had none.
func TestMigrationFromAReleasedStateFails(t *testing.T) {
	states, err := filepath.Glob(filepath.Join(releases(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(states, filepath.Join(testdata, "snapshots", form())) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := connect(t)
			makeReleased(t, c, dir)
			beside := hasTable(t, c, "calls_store")
			sql(t, c, "INSERT INTO {db}.dead_letters_store (at, dead_offset, reason) VALUES ('2026-03-04 05:06:07', 5, 'kept')")
			if beside {
				insertBefore3(t, c, "")
			}
			insertBefore4(t, c, 1)
			migrate(t, c, false)
			insertBefore4(t, c, 2)
			if got := sql(t, c, rowsBefore4); got != "f_1\tlater\t\nf_2\tlater\t\nname_1\t7\t\nname_2\t7\t" {
				t.Errorf("findings and baselines after the migration:\n%s", got)
			}
			if beside {
				insertBefore3(t, c, "journal of the version before")
			}
			later := schema.Call{Source: schema.Source{Topic: "new"}, Start: 1e18, ObserverKind: schema.ObserverGate, AskedOnly: true}
			insertCalls(t, c, later)
			want := "new\ttrue\t1"
			if beside {
				want = rowsBefore3 + "\n" + want
			}
			for range 2 {
				if got := sql(t, c, countedRows); got != want {
					t.Errorf("counted after the migration:\n%s", got)
				}
				sql(t, c, "OPTIMIZE TABLE {db}.calls_v5 FINAL")
				if beside {
					sql(t, c, "OPTIMIZE TABLE {db}.calls_store FINAL")
				}
			}
			if again := migrate(t, c, false); len(again) != 0 {
				t.Errorf("the second run took %v", again)
			}
			if got := sql(t, c, "SELECT reason FROM {db}.dead_letters"); got != "kept" {
				t.Errorf("rows after the migration: %q", got)
			}
			sql(t, c, "SELECT counted, denied_by_flyball FROM {db}.calls")
			for _, table := range clickhouse.Tables() {
				if clickhouse.IsLegacy(table.Name) && !beside {
					continue
				}
				for _, s := range table.Columns {
					got := sql(t, c, "SELECT type FROM system.columns WHERE database = '{db}' AND table = '"+table.Name+"' AND name = '"+s.Name+"'")
					if got != s.Type {
						t.Errorf("%s.%s is %q, want %q", table.Name, s.Name, got, s.Type)
					}
				}
			}
		})
	}
}

func hasTable(t *testing.T, c *clickhouse.Conn, table string) bool {
	t.Helper()
	return sql(t, c, "SELECT count() FROM system.tables WHERE database = '{db}' AND name = '"+table+"'") == "1"
}

const countedRows = "SELECT source_topic, counted, count() FROM {db}.calls GROUP BY ALL ORDER BY source_topic, counted"

// rowsBefore3 is what insertBefore3 inserts, as the versions before 3 counted it.
const rowsBefore3 = "asked\tfalse\t2\nedge\ttrue\t2\nmesh\tfalse\t2"

// insertBefore3 inserts rows without the column counted: two of them are not counted.
func insertBefore3(t *testing.T, c *clickhouse.Conn, key string) {
	t.Helper()
	sql(t, c, "INSERT INTO {db}.calls_store (run_key, start_time, source_topic, source_offset, observer_kind, attrs) VALUES "+
		strings.ReplaceAll("('K', 1, 'edge', length('K'), 'gateway', map()), ('K', 2, 'asked', length('K'), 'gate', map()), "+
			"('K', 3, 'mesh', length('K'), 'sidecar', map('observation_of', 'edge/0/0/0'))", "K", key))
}

const rowsBefore4 = "SELECT finding_id, summary, acquaintance FROM {db}.findings UNION ALL " +
	"SELECT name, toString(runs), acquaintance FROM {db}.baselines ORDER BY 1"

// insertBefore4 inserts two versions of a finding and a row of a baseline, without the column acquaintance.
func insertBefore4(t *testing.T, c *clickhouse.Conn, n int) {
	t.Helper()
	sql(t, c, fmt.Sprintf("INSERT INTO {db}.findings_store (tenant, finding_id, version, summary) VALUES ('t', 'f_%[1]d', 1, 'first'), "+
		"('t', 'f_%[1]d', 2, 'later')", n))
	sql(t, c, fmt.Sprintf("INSERT INTO {db}.baselines_store (tenant, name, version, runs) VALUES ('t', 'name_%d', 1, 7)", n))
}
