package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Version is the version of the schema. It grows with every released change of sql/ or of a
// list of columns. A database with a higher version is not changed.
const Version = 8

// ErrNewerSchema means that a newer version of Flyball has migrated the database.
var ErrNewerSchema = errors.New("the database was migrated by a newer version of Flyball: upgrade this binary before it can go on")

// MigrateOptions are the target of a migration and whether to execute it.
type MigrateOptions struct {
	Target
	Plan bool // only return the steps
	// Retention is for how long rows are kept. nil: it does not change, and tables that are made keep rows for ever.
	Retention *Retention
	Unset     UnsetRetention
	// Make is a table of schema version 4 that rows have arrived for; empty: none. It is made if it does not exist.
	Make string
	Now  time.Time // zero: the time of the server
}

// Migrate changes the live schema to that of this binary and returns the steps that it
// executed or, with Plan, would execute. It compares with the live schema, and every statement
// is idempotent: an interrupted migration can be run again, and a second run executes no step.
// The error wraps ErrNewerSchema if the database is newer.
func Migrate(ctx context.Context, c *Conn, o MigrateOptions) ([]Migration, error) {
	if o.Database == "" {
		o.Database = c.Database()
	}
	todo, err := plan(ctx, c, o)
	if err != nil || o.Plan || len(todo) == 0 {
		return todo, err
	}
	for _, sql := range foundation(o.Target) {
		if err := c.RunStatement(ctx, sql); err != nil {
			return nil, fmt.Errorf("migrate %s: %w", o.Database, err)
		}
	}
	for i, s := range todo {
		if err := apply(ctx, c, o.Target, s); err != nil {
			return todo[:i], fmt.Errorf("migrate %s, step %03d %s (%s): %w", o.Database, s.Number, s.Name, s.Why, err)
		}
	}
	return todo, nil
}

// plan returns the steps from the live schema to that of this binary.
func plan(ctx context.Context, c *Conn, o MigrateOptions) ([]Migration, error) {
	live, err := look(ctx, c, o.Target)
	if err != nil {
		return nil, err
	}
	if live.version > Version {
		return nil, fmt.Errorf("database %s has schema version %d, this binary knows %d: %w", o.Database, live.version, Version, ErrNewerSchema)
	}
	r := rendering{Target: o.Target, keeps: live.kept(), since: live.since}
	if o.Retention != nil {
		days := live.decided(o)
		if err := days.Validate(); err != nil {
			return nil, err
		}
		o.Retention, r.retention = &days, days
	}
	if o.Now.IsZero() {
		o.Now = live.now
	}
	if r.since == "" {
		r.since = dayOf(o.Now)
	}
	if legacyTables[o.Make] {
		r.keeps[o.Make] = true
	}
	drops, err := live.withoutLegacy(ctx, c, o, &r)
	if err != nil {
		return nil, err
	}
	all, err := r.steps()
	if err != nil {
		return nil, err
	}
	todo, err := live.missing(all, o.Target)
	if err != nil {
		return nil, err
	}
	todo = live.withSettings(live.withIndexes(todo, all, o.Target), all, o.Target)
	if todo, err = live.withoutIndexes(ctx, c, todo, all, o); err != nil {
		return nil, err
	}
	return append(live.withRetention(todo, all, o, r.since), drops...), nil
}

func apply(ctx context.Context, c *Conn, t Target, s Migration) error {
	for _, sql := range s.Statements {
		if err := c.RunStatement(ctx, sql); err != nil {
			return err
		}
	}
	return c.RunStatement(ctx, fmt.Sprintf("INSERT INTO %s (version, number, name, sum, why) SELECT %d, %d, %s, %s, %s",
		rendering{Target: t}.Name("migrations"), Version, s.Number, literal(s.Name), literal(s.Sum), literal(s.Why)))
}

// foundation returns the statements for the objects that must exist before the first step can
// be recorded.
func foundation(t Target) []string {
	r := rendering{Target: t}
	database := "CREATE DATABASE IF NOT EXISTS " + quote(t.Database) + r.onCluster()
	if t.Cluster == "" {
		database += " ENGINE = Atomic"
	}
	table := `(
    version UInt32,
    number UInt32,
    name String,
    sum String,
    why String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ` + r.Engine("MergeTree") + `
ORDER BY (number, applied_at)`
	out := []string{database, "CREATE TABLE IF NOT EXISTS " + r.Table("migrations") + " " + table}
	if t.Cluster != "" {
		out = append(out, r.distributed("migrations"))
	}
	return out
}

// liveSchema is the schema that the database has at present.
type liveSchema struct {
	now      time.Time // time of the server
	version  int
	sums     map[string]string            // hash of the last executed step of an object
	whys     map[string]string            // reason of that step
	versions map[string]int               // newest version that executed a step of an object
	applied  map[string]time.Time         // time of the last executed step of an object
	indexes  map[string]map[string]bool   // table → names of its skip indexes
	settings map[string]map[string]bool   // table → names of the settings that it was given
	columns  map[string]map[string]string // table or view → column → type
	days     map[string]int               // table → days for which it keeps rows; 0: for ever
	since    string                       // day of the first step of version 5; empty: there was none
	made     time.Time                    // time of the last step that changed which tables of version 4 there are
}

func look(ctx context.Context, c *Conn, t Target) (*liveSchema, error) {
	l := &liveSchema{sums: map[string]string{}, whys: map[string]string{}, columns: map[string]map[string]string{}, days: map[string]int{},
		versions: map[string]int{}, applied: map[string]time.Time{}, indexes: map[string]map[string]bool{},
		settings: map[string]map[string]bool{}}
	now, err := c.QueryText(ctx, "SELECT toUnixTimestamp(now())")
	if err != nil {
		return nil, fmt.Errorf("look at database %s: %w", t.Database, err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(now), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("look at database %s: time of the server: %w", t.Database, err)
	}
	l.now = time.Unix(seconds, 0)
	rows, err := ask(ctx, c, "SELECT table, name, type FROM system.columns WHERE database = "+literal(t.Database))
	if err != nil {
		return nil, fmt.Errorf("look at database %s: %w", t.Database, err)
	}
	for _, r := range rows {
		if l.columns[r[0]] == nil {
			l.columns[r[0]] = map[string]string{}
		}
		l.columns[r[0]][r[1]] = r[2]
	}
	rows, err = ask(ctx, c, `SELECT name, toUInt32OrZero(extract(engine_full, ' TTL .*toIntervalDay\\((\\d+)\\)')),
arrayStringConcat(extractAll(create_table_query, '\\bINDEX (\\w+) '), ' '),
arrayStringConcat(extractAll(extract(engine_full, ' SETTINGS (.*)$'), '(\\w+) = '), ' ')
FROM system.tables WHERE database = `+literal(t.Database)+" AND engine LIKE '%MergeTree'")
	if err != nil {
		return nil, fmt.Errorf("look at database %s: %w", t.Database, err)
	}
	for _, r := range rows {
		name := r[0]
		if t.Cluster != "" {
			name = strings.TrimSuffix(name, localSuffix)
		}
		if len(r) != 4 {
			return nil, fmt.Errorf("look at database %s: %q", t.Database, r)
		}
		if l.days[name], _ = strconv.Atoi(r[1]); l.days[name] == 0 {
			delete(l.days, name)
		}
		l.indexes[name], l.settings[name] = setOf(r[2]), setOf(r[3])
	}
	if l.columns["migrations"] == nil {
		return l, nil
	}
	return l, l.readRecord(ctx, c, t)
}

// readRecord reads the steps that earlier migrations executed.
func (l *liveSchema) readRecord(ctx context.Context, c *Conn, t Target) error {
	rows, err := ask(ctx, c, `SELECT name, argMax(sum, applied_at), max(version), argMax(why, applied_at), toUnixTimestamp(max(applied_at)),
toDate(minIf(applied_at, version >= 5)), countIf(version >= 5) FROM `+rendering{Target: t}.Name("migrations")+" GROUP BY name")
	if err != nil {
		return fmt.Errorf("read %s.migrations: %w", t.Database, err)
	}
	for _, r := range rows {
		if len(r) != 7 {
			return fmt.Errorf("read %s.migrations: %q", t.Database, r)
		}
		name := r[0]
		l.sums[name], l.whys[name] = r[1], r[3]
		v, err := strconv.Atoi(r[2])
		at, err2 := strconv.ParseInt(r[4], 10, 64)
		if err != nil || err2 != nil {
			return fmt.Errorf("read %s.migrations: version %q, time %q", t.Database, r[2], r[4])
		}
		l.version, l.versions[name], l.applied[name] = max(l.version, v), v, time.Unix(at, 0)
		if r[6] != "0" && (l.since == "" || r[5] < l.since) {
			l.since = r[5]
		}
		if legacyTables[name] || name == CallsTable.name {
			l.made = later(l.made, time.Unix(at, 0))
		}
	}
	return nil
}

// setOf returns the words of a text.
func setOf(words string) map[string]bool {
	out := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		out[word] = true
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func ask(ctx context.Context, c *Conn, sql string) ([][]string, error) {
	text, err := c.QueryText(ctx, sql)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for line := range strings.Lines(text) {
		out = append(out, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return out, nil
}

// missingStep is the reason of a step that makes an object that was there before.
const missingStep = "missing"

// missing returns the steps from the live schema to that of this binary.
func (l *liveSchema) missing(all []Migration, t Target) ([]Migration, error) {
	var todo []Migration
	for _, s := range all {
		sum, taken := l.sums[s.Name]
		switch {
		case !taken, l.columns[s.Name] == nil && l.whys[s.Name] == expiredStep:
			s.Why = "new"
		case l.columns[s.Name] == nil:
			s.Why = missingStep
		case s.Replaces && sum != s.Sum:
			s.Why = "changed"
		default:
			continue
		}
		todo = append(todo, s)
	}
	return l.withColumns(todo, all, t)
}
