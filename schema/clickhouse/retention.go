package clickhouse

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Retention is for how many days rows are kept; 0: for ever. A row is kept for that long after its time, and at
// least for that long after the database got schema version 5, so that neither an upgrade nor the import of a
// history deletes at once what is older. Whole parts are dropped: a row may be kept for a month longer.
type Retention struct {
	Calls int // calls, touches, and the index call_ids of their trace and request ids
	Runs  int // runs, the index postings that selects them, scores, findings, decisions, dead letters, losses, and the counts of calls
}

// Validate returns an error if a number of days is not possible, or if calls are kept longer than the runs that
// they belong to.
func (r Retention) Validate() error {
	switch {
	case r.Calls < 0 || r.Runs < 0 || r.Calls > maxRetention || r.Runs > maxRetention:
		return fmt.Errorf("retention of %d and %d days: want 1 to %d days, or 0 for ever", r.Calls, r.Runs, maxRetention)
	case r.Runs != 0 && (r.Calls == 0 || r.Calls > r.Runs):
		return fmt.Errorf("calls are kept %s and runs %s: a run must be kept at least as long as its calls", keptFor(r.Calls),
			keptFor(r.Runs))
	}
	return nil
}

// maxRetention is the largest number of days. A Date ends in the year 2149.
const maxRetention = 36500

// String says what is kept for how long.
func (r Retention) String() string {
	return fmt.Sprintf("calls, touches and the index of their ids are kept %s; runs and their index, scores, findings, decisions, "+
		"dead letters, losses of records and counts %s; breakers, gates, verdicts, baselines and the audit trail for ever",
		keptFor(r.Calls), keptFor(r.Runs))
}

func keptFor(days int) string {
	if days == 0 {
		return "for ever"
	}
	return fmt.Sprintf("for %d days", days)
}

// storage is how a table keeps its rows.
type storage struct {
	time     string   // column from which the retention counts; empty: rows never expire
	runs     bool     // rows are kept as long as runs, otherwise as long as calls
	rows     bool     // single rows expire, which rewrites parts: the table is small and not partitioned by time
	settings []string // further settings of the table
}

// A part in the format Wide has a file for each column, and the engine takes about 4 MiB for each file that it writes: 600 MiB for a part
// of calls. An insert with the end of a day writes two, which exceeds the memory of a statement. Parts below this size have one file.
const compactParts = "min_bytes_for_wide_part = 268435456"

// storages are the tables whose rows expire. All others keep theirs for ever: breakers, gates, verdicts, orders, the audit trail and
// baselines are in force or are evidence of what people decided, and they grow with what people do; progress and migrations are state.
// What is stored of a run counts from its last call: a run that is still under way does not expire.
var storages = map[string]storage{
	"calls_v5":   {time: "start_time", settings: []string{compactParts}},
	"touches_v5": {time: "last_at"},
	"call_ids":   {time: "day"}, // selects calls only

	// Runs are selected by the actors that postings name: a run without a posting would not be found. For calls this is 0.64 bytes
	// each, of 141.
	"postings": {time: "day", runs: true},

	"runs_v5":            {time: "last_at", runs: true, settings: []string{compactParts}},
	"minutes":            {time: "minute", runs: true},
	"hours":              {time: "hour", runs: true},
	"stitching_v5":       {time: "hour", runs: true},
	"scores_store":       {time: "at", runs: true},
	"findings_store":     {time: "updated_at", runs: true, rows: true},
	"decisions_store":    {time: "at", runs: true, rows: true},
	"dead_letters_store": {time: "at", runs: true, rows: true},
	"log_losses_store":   {time: "noticed_at", runs: true, rows: true},

	"calls_store":     {time: "start_time"},
	"trace_calls":     {time: "hour"},
	"touches_store":   {time: "last_at", rows: true},
	"runs_store":      {time: "last_at", runs: true, rows: true},
	"stitching_store": {time: "hour", runs: true},
}

func (s storage) days(r Retention) int {
	if s.runs {
		return r.Runs
	}
	return r.Calls
}

// ttl returns the TTL expression. since is the day before which no row's retention begins.
func (s storage) ttl(days int, since string) string {
	return fmt.Sprintf("greatest(toDate(%s), toDate(%s)) + toIntervalDay(%d)", s.time, literal(since), days)
}

// expiring returns the settings that a table with a TTL needs.
func (s storage) expiring() []string {
	// A changed TTL is computed anew for all parts from its column alone: nothing is rewritten.
	out := []string{"materialize_ttl_recalculate_only = 1"}
	if s.rows {
		return append(out, "merge_with_ttl_timeout = 86400") // a part is rewritten at most once a day
	}
	return append(out, "ttl_only_drop_parts = 1")
}

// Storage returns the clauses TTL and SETTINGS of a table that is created.
func (r rendering) Storage(table string) string {
	s := storages[table]
	settings := slices.Clone(s.settings)
	var out string
	if days := s.days(r.retention); s.time != "" && days > 0 {
		out = "TTL " + s.ttl(days, r.since) + "\n"
		settings = append(settings, s.expiring()...)
	}
	if len(settings) > 0 {
		out += "SETTINGS " + strings.Join(settings, ", ")
	}
	return strings.TrimSuffix(out, "\n")
}

// withRetention adds steps for tables that keep their rows for another number of days.
func (l *liveSchema) withRetention(todo, all []Migration, o MigrateOptions, since string) []Migration {
	if o.Retention == nil {
		return todo
	}
	r := rendering{Target: o.Target}
	for _, s := range all {
		how := storages[s.Name]
		want := how.days(*o.Retention)
		if how.time == "" || l.columns[s.Name] == nil || l.days[s.Name] == want {
			continue
		}
		st := Migration{Number: s.Number, Name: s.Name + ".retention", Why: "kept " + keptFor(want) + ", before " + keptFor(l.days[s.Name])}
		alter := "ALTER TABLE " + r.Table(s.Name) + " "
		if want > 0 {
			st.Statements = []string{alter + "MODIFY SETTING " + strings.Join(how.expiring(), ", "), alter + "MODIFY TTL " + how.ttl(want, since)}
		} else {
			st.Statements = []string{alter + "REMOVE TTL"}
		}
		todo = append(todo, st)
	}
	return todo
}

// dayOf returns a day in UTC as SQL writes it.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
