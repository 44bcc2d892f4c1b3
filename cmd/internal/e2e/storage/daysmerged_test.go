package storage

import (
	"slices"
	"strings"
	"testing"
)

const storedRows = "SELECT 'calls', count(), sum(cityHash64(*)) FROM {db}.calls " +
	"UNION ALL SELECT 'runs', count(), sum(cityHash64(*)) FROM {db}.runs " +
	"UNION ALL SELECT 'touches', count(), sum(cityHash64(*)) FROM {db}.touches ORDER BY 1"

// withLevel inserts a run with a level beside those of insertDays, on the third day.
const withLevel = "INSERT INTO {db}.runs_v5 (tenant, actor_hash, opened_day, run_id, actor, version, started_at, last_at, calls, level) " +
	"SELECT tenant, actor_hash, opened_day, generateUUIDv4(), actor, 1, started_at, last_at, 9, 'alert' FROM {db}.runs_v5 " +
	"WHERE opened_day = '2026-03-03' ORDER BY run_id LIMIT 1"

const askedByLevel = "SELECT tenant, actor_hash, run_id FROM {db}.run_states WHERE level >= 'alert'"

// Version 7 adds an index of levels, and merges days that are over: no row of version 6 may be lost by it, and the states that version 6
// stored are found by the index, too.
func TestUpgradeFromVersion6LosesRowsOrReadsAllStatesForALevel(t *testing.T) {
	c := released(t, "6")
	insertDays(t, c, "calls_v5", "runs_v5", "touches_v5")
	sql(t, c, withLevel)
	before := sql(t, c, storedRows)
	if got := reads(t, c, askedByLevel)["runs_v5"]; got < 4 {
		t.Fatalf("version 6 reads %d granules: the days are not stored", got)
	}
	took := migrate(t, c, false)
	for _, want := range []string{"022 runs_v5.ix_level: index missing", "022 runs_v5.settings: settings missing",
		"022 runs_v5.ix_run_start: index missing", "025 call_ids.settings: settings missing"} {
		if !slices.Contains(took, want) {
			t.Errorf("no step %q in %q", want, took)
		}
	}
	if again := migrate(t, c, false); len(again) != 0 {
		t.Errorf("the second run took %q", again)
	}
	until(t, "the index of the stored parts", func() bool {
		return sql(t, c, "SELECT count() FROM system.mutations WHERE database = '{db}' AND NOT is_done") == "0"
	})
	if got := reads(t, c, askedByLevel)["runs_v5"]; got != 1 {
		t.Errorf("%d granules are read for the runs with a level, want 1\n%s", got, sql(t, c, "EXPLAIN indexes = 1 "+askedByLevel))
	}
	if after := sql(t, c, storedRows); after != before {
		t.Errorf("after the upgrade\n%s\nbefore\n%s", after, before)
	}
}

// The process can end between the statements that add an index and that make it for the stored parts.
func TestIndexIsNeverMadeForStoredPartsAfterAnInterruption(t *testing.T) {
	c := released(t, "6")
	sql(t, c, withCluster("ALTER TABLE {db}."+stored("runs_v5"))+" ADD INDEX ix_level level TYPE minmax GRANULARITY 1")
	took := migrate(t, c, false)
	if !slices.Contains(took, "022 runs_v5.ix_level: index missing") {
		t.Errorf("no step for the index in %q", took)
	}
	if fresh := migrate(t, migrated(t), false); len(fresh) != 0 {
		t.Errorf("a new database has the index; its second migration took %q", fresh)
	}
}

// A setting that somebody has chosen is not taken back by the next start.
func TestMigrationOverwritesASettingOfTheOperator(t *testing.T) {
	c := migrated(t)
	sql(t, c, withCluster("ALTER TABLE {db}."+stored("runs_v5"))+" MODIFY SETTING min_age_to_force_merge_seconds = 0")
	if took := migrate(t, c, false); len(took) != 0 {
		t.Errorf("the migration took %q", took)
	}
}

// A day in several parts keeps the snapshots of runs that were replaced, and every question looks at each part.
func TestDayThatIsOverStaysInSeveralParts(t *testing.T) {
	c := migrated(t)
	insertDays(t, c, "calls_v5", "runs_v5", "touches_v5")
	sql(t, c, "INSERT INTO {db}.runs_v5 SELECT * REPLACE (version + 1 AS version, 80 AS calls) FROM {db}.runs_v5")
	before := sql(t, c, storedRows)
	sql(t, c, withCluster("ALTER TABLE {db}."+stored("runs_v5"))+" MODIFY SETTING min_age_to_force_merge_seconds = 1")
	until(t, "days in one part each", func() bool {
		return sql(t, c, "SELECT count(), uniqExact(partition) FROM system.parts WHERE database = '{db}' AND active AND table = '"+
			stored("runs_v5")+"'") == "4\t4"
	})
	if got := sql(t, c, "SELECT count() FROM {db}.runs_v5"); got != "4000" {
		t.Errorf("snapshots that are left: %s", got)
	}
	if after := sql(t, c, storedRows); after != before {
		t.Errorf("after the merge\n%s\nbefore\n%s", after, before)
	}
}

// withCluster returns the beginning of a statement about a table in the form that is tested.
func withCluster(alter string) string {
	if cluster == "" {
		return alter
	}
	return strings.TrimSpace(alter) + " ON CLUSTER `" + cluster + "`"
}
