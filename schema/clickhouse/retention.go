package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// Retention is for how many days rows are kept; 0: for ever. A row is kept for that long after its time, and at
// least for that long after the database got schema version 5, so that neither an upgrade nor the import of a
// history deletes at once what is older. Whole parts are dropped: a row may be kept for a month longer.
type Retention struct {
	Calls int // calls, touches, and the index call_ids of their trace and request ids
	Runs  int // runs, the index postings that selects them, scores, findings, decisions, dead letters, losses, and the counts of calls
}

// UnsetRetention says which numbers of days are defaults that nobody has set. A database that has the tables of this version keeps the
// number that it has instead: a file without the key must not delete what another one kept.
type UnsetRetention struct{ Calls, Runs bool }

// decided returns for how long rows are kept after a migration.
func (l *liveSchema) decided(o MigrateOptions) Retention {
	days := *o.Retention
	if o.Unset.Calls && l.columns[CallsTable.name] != nil {
		days.Calls = l.days[CallsTable.name]
	}
	if o.Unset.Runs && l.columns[RunsTable.name] != nil {
		days.Runs = l.days[RunsTable.name]
	}
	return days
}

// LiveRetention returns for how long a database keeps rows.
func LiveRetention(ctx context.Context, c *Conn, t Target) (Retention, error) {
	if t.Database == "" {
		t.Database = c.Database()
	}
	l, err := look(ctx, c, t)
	if err != nil {
		return Retention{}, err
	}
	return Retention{Calls: l.days[CallsTable.name], Runs: l.days[RunsTable.name]}, nil
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
		"dead letters, losses of records and counts %s; breakers, gates, verdicts, baselines, the audit trail and what is held for ever",
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
	filed    string   // the day of arrival of a row with a time long before; empty: the table has none
	runs     bool     // rows are kept as long as runs, otherwise as long as calls
	rows     bool     // single rows expire, which rewrites parts: the table is small and not partitioned by time
	settings []string // further settings of the table
}

// filedDay is schema.FiledDay of a row of calls_v5.
var filedDay = "if(" + filedLate + ", toDate(fromUnixTimestamp64Milli(toUnixTimestamp64Milli(start_time) + kafka_delay - 1, 'UTC')), " +
	"toDate(start_time))"

// filedLate is whether a row of calls_v5 is filed under the day of its arrival. kafka_delay is the delay in ms, plus one.
var filedLate = fmt.Sprintf("kafka_delay > %d", schema.MaxFiledDelay)

// FiledDay and FiledLate return filedDay and filedLate, for the template of calls_v5.
func (rendering) FiledDay() string { return filedDay }

// FiledLate: see FiledDay.
func (rendering) FiledLate() string { return filedLate }

// RunStart is the first digits of a run id as a number, as many as every start of an id has that is asked for.
var RunStart = fmt.Sprintf("bitShiftRight(reinterpretAsUInt64(run_id), %d)", 64-4*schema.MinIDPrefix)

// RunStart returns RunStart, for the template of runs_v5.
func (rendering) RunStart() string { return RunStart }

// A part in the format Wide has a file for each column, and the engine takes about 4 MiB for each file that it writes: 600 MiB for a part
// of calls. An insert with the end of a day writes two, which exceeds the memory of a statement. Parts below this size have one file.
const compactParts = "min_bytes_for_wide_part = 268435456"

// mergedDays has the engine merge a day into one part once nothing was stored in it for a day: of rows that replace each other the newest
// is left, and questions look at one part for each day. A row that comes later is a part of its own for another day, and then the day is
// rewritten once more. Tables that are partitioned by month do not have it: a month is as large as thirty days, and needs as much free
// space. calls_v5 does not have it, because its many columns make it dear: schema/adr/0008-days-merged.md.
var mergedDays = []string{fmt.Sprintf("min_age_to_force_merge_seconds = %d", mergeAfter), "min_age_to_force_merge_on_partition_only = 1"}

// mergeAfter is for how many seconds nothing was stored for a day before it is merged. With fewer, a call that comes late now and then (up
// to three days are filed under their own day) has the day rewritten more often: with a day, at most four times.
const mergeAfter = 24 * 60 * 60

// storages are the tables whose rows expire. All others keep theirs for ever: breakers, gates, verdicts, orders, the audit trail and
// baselines are in force or are evidence of what people decided, and they grow with what people do; progress and migrations are state.
// What is stored of a run counts from its last call: a run that is still under way does not expire.
var storages = map[string]storage{
	"calls_v5":   {time: "start_time", filed: filedDay, settings: []string{compactParts}},
	"touches_v5": {time: "last_at", filed: "filed_day"},
	"call_ids":   {time: "day", filed: "filed_day", settings: mergedDays}, // selects calls only

	// Runs are selected by the actors that postings name: a run without a posting would not be found. For calls this is 0.64 bytes
	// each, of 141.
	"postings": {time: "day", filed: "filed_day", runs: true},

	"runs_v5":            {time: "last_at", filed: "opened_day", runs: true, settings: append([]string{compactParts}, mergedDays...)},
	"minutes":            {time: "minute", runs: true},
	"hours":              {time: "hour", runs: true},
	"stitching_v5":       {time: "hour", runs: true},
	"scores_store":       {time: "at", runs: true},
	"findings_store":     {time: "updated_at", runs: true, rows: true},
	"decisions_store":    {time: "at", runs: true, rows: true},
	"dead_letters_store": {time: "at", runs: true, rows: true},
	"log_losses_store":   {time: "noticed_at", runs: true, rows: true},

	// Copies of the rows of held runs: never.
	"held_calls_store": {settings: []string{compactParts}},
	"held_runs_store":  {settings: []string{compactParts}},

	"calls_store":     {time: "start_time"},
	"trace_calls":     {time: "hour"},
	"touches_store":   {time: "last_at", rows: true},
	"runs_store":      {time: "last_at", runs: true, rows: true},
	"stitching_store": {time: "hour", runs: true},
}

func (s storage) days(r Retention) int {
	if s.time == "" {
		return 0
	}
	if s.runs {
		return r.Runs
	}
	return r.Calls
}

// ttl returns the TTL expression. since is the day before which no row's retention begins.
func (s storage) ttl(days int, since string) string {
	from := "toDate(" + s.time + ")"
	if s.filed != "" {
		from += ", " + s.filed
	}
	return fmt.Sprintf("greatest(%s, toDate(%s)) + toIntervalDay(%d)", from, literal(since), days)
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

// Expiry is what a migration would make expire at once in a table, because it keeps rows for fewer days.
type Expiry struct {
	Table    string
	Days     int    // for which rows would be kept
	Rows     uint64 // that are older; those of a part of which other rows are younger are deleted later
	From, To string // days of the oldest and of the newest of them
}

func (e Expiry) String() string {
	return fmt.Sprintf("%s: %d rows of %s to %s are older than %d days and would be deleted at once", e.Table, e.Rows, e.From, e.To, e.Days)
}

// Expiring returns what a migration would make expire at once. It reads the times of all rows of the tables that would keep their rows
// for fewer days.
func Expiring(ctx context.Context, c *Conn, o MigrateOptions) (out []Expiry, err error) {
	if o.Retention == nil {
		return nil, nil
	}
	if o.Database == "" {
		o.Database = c.Database()
	}
	live, err := look(ctx, c, o.Target)
	if err != nil {
		return nil, err
	}
	days, since := live.decided(o), live.since
	if since == "" {
		since = dayOf(live.now)
	}
	for _, name := range slices.Sorted(maps.Keys(storages)) {
		how := storages[name]
		want, has := how.days(days), live.days[name]
		if live.columns[name] == nil || want == 0 || has != 0 && has <= want {
			continue
		}
		day := "toDate(" + how.time + ")"
		rows, err := ask(ctx, c, fmt.Sprintf("SELECT count(), min(%[1]s), max(%[1]s) FROM %[2]s WHERE %[3]s <= today()", day,
			rendering{Target: o.Target}.Name(name), how.ttl(want, since)))
		if err != nil {
			return nil, fmt.Errorf("what expires of %s: %w", name, err)
		}
		e := Expiry{Table: name, Days: want, From: rows[0][1], To: rows[0][2]}
		if e.Rows, err = strconv.ParseUint(rows[0][0], 10, 64); err != nil {
			return nil, fmt.Errorf("what expires of %s: %w", name, err)
		}
		if e.Rows > 0 {
			out = append(out, e)
		}
	}
	return out, nil
}
