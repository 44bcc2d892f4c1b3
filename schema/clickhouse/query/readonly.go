package query

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Grid is the answer to a statement of a person.
type Grid struct {
	Columns []string
	Rows    [][]any // a value that is null is nil
}

// Refused is the error for a statement of a person that is not executed, or that ClickHouse refused for what it says.
type Refused struct{ Why string }

func (e *Refused) Error() string { return "sql: " + e.Why }

// ReadOnly executes one SELECT of a person over the views and tables of Flyball's database, and returns at most limit rows. It cannot
// change anything, reads nothing outside the database, and has the bounds of the context; a user of ClickHouse who may not change
// settings has ClickHouse's own bounds.
func ReadOnly(ctx context.Context, db DB, database, sql string, limit int) (*Grid, error) {
	whole := fmt.Sprintf("SELECT * FROM (%s\n) LIMIT %d", sql, limit)
	if err := onlyFlyball(ctx, db, database, whole); err != nil {
		return nil, err
	}
	settings, err := readOnlySettings(ctx, db)
	if err != nil {
		return nil, err
	}
	rows, err := db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), whole)
	if err != nil {
		return nil, ofPerson(ctx, err)
	}
	defer rows.Close()
	g, err := gridOf(rows)
	return g, ofPerson(ctx, err)
}

// readOnlySettings returns the settings of a statement that must not change anything.
func readOnlySettings(ctx context.Context, db DB) (clickhouse.Settings, error) {
	var level uint64
	if err := each(ctx, db, "the rights", "SELECT toUInt64(getSetting('readonly'))", nil, func(r driver.Rows) error {
		return r.Scan(&level)
	}); err != nil {
		return nil, err
	}
	if level == 1 {
		return nil, nil // nothing may be set, and nothing can be changed
	}
	b := boundsOf(ctx)
	s := clickhouse.Settings{"max_execution_time": max(int(b.Time.Seconds()), 1), "timeout_overflow_mode": "throw",
		"max_memory_usage": b.Memory, "max_result_bytes": 64 << 20, "result_overflow_mode": "throw"}
	if level == 0 {
		s["readonly"] = 1
	}
	return s, nil
}

// Lines of EXPLAIN AST that name what a statement reads.
var (
	tableLine    = regexp.MustCompile(`^\s*TableIdentifier (.+?)(?: \(alias .*)?$`)
	functionLine = regexp.MustCompile(`^\s*Function (\w+)`)
	nameLine     = regexp.MustCompile(`^\s*Identifier (.+)`)
	outside      = regexp.MustCompile(`(?i)^(file|dict\w*|joinGet\w*|executable|getServer\w*|hostName|FQDN|getMacro|(current|initial)?User|` +
		`(current|enabled|default)(Roles|Profiles)|hasColumnInTable|sleep\w*|filesystem\w*|getOSKernelVersion|showCertificate|serverUUID|` +
		`getClient\w*|addressTo\w*|catboostEvaluate|naiveBayes\w*|regionTo\w*|lemmatize|synonyms|reverseDNS\w*)$`)
)

// onlyFlyball refuses a statement that reads a table of another database, a table function, or a function that reads something else or
// waits, or that changes settings: a part of a statement may, even if the whole may not.
func onlyFlyball(ctx context.Context, db DB, database, sql string) error {
	others, err := otherDatabases(ctx, db, database)
	if err != nil {
		return err
	}
	before := ""
	err = each(ctx, db, "the statement", "EXPLAIN AST "+sql, nil, func(r driver.Rows) error {
		var line string
		if err := r.Scan(&line); err != nil {
			return err
		}
		defer func() { before = strings.TrimSpace(line) }()
		if name := nameOutside(line, database, others); name != "" {
			return &Refused{fmt.Sprintf("%s is not in the database %s: only its views are read", name, database)}
		}
		if m := functionLine.FindStringSubmatch(line); m != nil {
			if strings.HasPrefix(before, "TableExpression") {
				return &Refused{fmt.Sprintf("%s is a table function: only views of the database %s are read", m[1], database)}
			}
			if outside.MatchString(m[1]) {
				return &Refused{fmt.Sprintf("the function %s reads something else than views, or waits: leave it out", m[1])}
			}
		}
		if strings.TrimSpace(line) == "Set" {
			return &Refused{"a statement may not change settings: leave out SETTINGS"}
		}
		return nil
	})
	return ofPerson(ctx, err)
}

// nameOutside returns the name in a line of EXPLAIN AST that is of another database. A table on the right of IN is a name like a column's
// there: one that begins with another database is taken for its table.
func nameOutside(line, database string, others []string) string {
	if m := tableLine.FindStringSubmatch(line); m != nil {
		if other, _, qualified := strings.Cut(m[1], "."); qualified && other != database {
			return m[1]
		}
	}
	if m := nameLine.FindStringSubmatch(line); m != nil {
		name, _, _ := strings.Cut(m[1], " (alias ")
		for _, other := range others {
			if len(name) > len(other) && strings.EqualFold(name[:len(other)+1], other+".") {
				return name
			}
		}
	}
	return ""
}

// otherDatabases returns the names of the databases that the user can read beside Flyball's.
func otherDatabases(ctx context.Context, db DB, database string) ([]string, error) {
	out := []string{"system", "information_schema"}
	return out, each(ctx, db, "databases", "SELECT name FROM system.databases WHERE name != {own:String}", []any{named("own", database)},
		func(r driver.Rows) error {
			var name string
			err := r.Scan(&name)
			out = append(out, name)
			return err
		})
}

// ofPerson returns the error of a statement that ClickHouse refused for what it says as a Refused.
func ofPerson(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch codeOf(err) {
	case timeoutExceeded, memoryExceeded:
		return bounded(ctx, "the statement", err)
	case 0:
		return err
	}
	text := err.Error()
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		text = e.Message
	}
	for _, tail := range []string{" In scope ", " in scope ", ". (", "(version "} {
		text, _, _ = strings.Cut(text, tail)
	}
	return &Refused{strings.Join(strings.Fields(text), " ")}
}

func gridOf(rows driver.Rows) (*Grid, error) {
	types := rows.ColumnTypes()
	g := &Grid{Columns: rows.Columns(), Rows: [][]any{}}
	for rows.Next() {
		values := make([]any, len(types))
		for i, t := range types {
			values[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		for i := range values {
			v := reflect.ValueOf(values[i]).Elem()
			for v.Kind() == reflect.Pointer && !v.IsNil() {
				v = v.Elem()
			}
			values[i] = nil
			if v.Kind() != reflect.Pointer {
				values[i] = v.Interface()
			}
		}
		g.Rows = append(g.Rows, values)
	}
	return g, rows.Err()
}
