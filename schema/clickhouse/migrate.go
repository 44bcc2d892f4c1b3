package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Version is the version of the schema. It grows with every released change of sql/ or of a
// list of columns. A database with a higher version is not changed.
const Version = 5

// ErrNewerSchema means that a newer version of Flyball has migrated the database.
var ErrNewerSchema = errors.New("the database was migrated by a newer version of Flyball: upgrade this binary before it can go on")

// MigrateOptions are the target of a migration and whether to execute it.
type MigrateOptions struct {
	Target
	Plan bool // only return the steps
}

// Migrate changes the live schema to that of this binary and returns the steps that it
// executed or, with Plan, would execute. It compares with the live schema, and every statement
// is idempotent: an interrupted migration can be run again, and a second run executes no step.
// The error wraps ErrNewerSchema if the database is newer.
func Migrate(ctx context.Context, c *Conn, o MigrateOptions) ([]Migration, error) {
	if o.Database == "" {
		o.Database = c.Database()
	}
	live, err := look(ctx, c, o.Target)
	if err != nil {
		return nil, err
	}
	if live.version > Version {
		return nil, fmt.Errorf("database %s has schema version %d, this binary knows %d: %w", o.Database, live.version, Version, ErrNewerSchema)
	}
	all, err := steps(o.Target, live.kept())
	if err != nil {
		return nil, err
	}
	todo, err := live.missing(all, o.Target)
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
	version int
	sums    map[string]string            // hash of the last executed step of an object
	columns map[string]map[string]string // table or view → column → type
}

func look(ctx context.Context, c *Conn, t Target) (*liveSchema, error) {
	l := &liveSchema{sums: map[string]string{}, columns: map[string]map[string]string{}}
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
	if l.columns["migrations"] == nil {
		return l, nil
	}
	rows, err = ask(ctx, c, "SELECT name, argMax(sum, applied_at), max(version) FROM "+rendering{Target: t}.Name("migrations")+" GROUP BY name")
	if err != nil {
		return nil, fmt.Errorf("read %s.migrations: %w", t.Database, err)
	}
	for _, r := range rows {
		l.sums[r[0]] = r[1]
		v, err := strconv.Atoi(r[2])
		if err != nil {
			return nil, fmt.Errorf("read %s.migrations: version %q", t.Database, r[2])
		}
		l.version = max(l.version, v)
	}
	return l, nil
}

// kept returns the tables of schema version 4 that the database has.
func (l *liveSchema) kept() map[string]bool {
	out := map[string]bool{}
	for name := range legacyTables {
		if l.columns[name] != nil {
			out[name] = true
		}
	}
	return out
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
		case l.columns[s.Name] == nil && taken:
			s.Why = missingStep
		case !taken:
			s.Why = "new"
		case s.Replaces && sum != s.Sum:
			s.Why = "changed"
		default:
			continue
		}
		todo = append(todo, s)
	}
	return l.withColumns(todo, all, t)
}
