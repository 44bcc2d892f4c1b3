package query

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DB is the part of a connection that queries need.
type DB interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// where collects conditions and their parameters.
type where struct {
	conditions []string
	params     []any
	names      string // definitions of the names that the conditions use, which bind gives to statements; empty: none
}

func (w *where) add(condition string, params ...any) {
	w.conditions = append(w.conditions, condition)
	w.params = append(w.params, params...)
}

// between selects rows that overlap [since, until]; a zero time does not limit.
func (w *where) between(first, last string, since, until time.Time) {
	if !since.IsZero() {
		w.add(last+" >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')", clickhouse.Named("since", fmt.Sprint(since.UnixNano())))
	}
	if !until.IsZero() {
		w.add(first+" <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')", clickhouse.Named("until", fmt.Sprint(until.UnixNano())))
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.conditions, " AND ")
}

func named(name, value string) any { return clickhouse.Named(name, value) }

// unknownTable is the code of ClickHouse for a table or view that does not exist.
const unknownTable = 60

// isNoTable reports whether a query failed because a table or view does not exist: the database is not migrated to the schema that has it.
func isNoTable(err error) bool {
	var e *clickhouse.Exception
	return errors.As(err, &e) && e.Code == unknownTable
}

// each runs a query and calls row for each of its rows; what names the rows in errors.
func each(ctx context.Context, db DB, what, sql string, params []any, row func(driver.Rows) error) error {
	rows, err := ask(ctx, db, sql, params)
	if err != nil {
		return bounded(ctx, what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return bounded(ctx, what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return bounded(ctx, what, err)
	}
	return nil
}

// records returns rows as maps without unknown values: zeroes, empty strings and lists, and a
// duration of -1 are left out.
func records(ctx context.Context, db DB, what, sql string, params []any) ([]map[string]any, error) {
	var out []map[string]any
	err := eachRecord(ctx, db, what, sql, params, func(m map[string]any) error {
		out = append(out, m)
		return nil
	})
	return out, err
}

// eachRecord runs a query and calls take for each of its rows, as records returns them.
func eachRecord(ctx context.Context, db DB, what, sql string, params []any, take func(map[string]any) error) error {
	return each(ctx, db, what, sql, params, func(r driver.Rows) error {
		types := r.ColumnTypes()
		values := make([]any, len(types))
		for i, t := range types {
			values[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := r.Scan(values...); err != nil {
			return err
		}
		m := make(map[string]any, len(types))
		for i, name := range r.Columns() {
			v := reflect.ValueOf(values[i]).Elem()
			for v.Kind() == reflect.Pointer && !v.IsNil() {
				v = v.Elem()
			}
			if known(name, v) {
				m[name] = printable(name, v)
			}
		}
		return take(m)
	})
}

func known(name string, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		if v.Kind() == reflect.String && (v.String() == "unknown" || v.String() == "none") {
			return false
		}
		return v.Len() > 0
	case reflect.Pointer:
		return false
	}
	if name == "item" || strings.HasSuffix(name, "_partition") || strings.HasSuffix(name, "_offset") {
		return true // 0 is a valid offset
	}
	if name == "duration_ns" && v.CanInt() {
		return v.Int() >= 0
	}
	return !v.IsZero()
}

func printable(name string, v reflect.Value) any {
	if t, ok := v.Interface().(time.Time); ok {
		return Time{t}
	}
	if strings.HasSuffix(name, "_digest") && v.CanUint() {
		return fmt.Sprintf("%016x", v.Uint())
	}
	return v.Interface()
}

// UnfinishedMutations returns the number of changes of stored rows, such as a new column that is
// filled, that ClickHouse has not finished in the database; an index that it makes is none. Who may only read the database does not
// see system.mutations, which has the text of the changes: then the number is that of the changes
// that are being made, without those that wait.
func UnfinishedMutations(ctx context.Context, db DB) (int, error) {
	count := func(sql string) (n uint64, err error) {
		return n, each(ctx, db, "unfinished mutations", sql, nil, func(r driver.Rows) error { return r.Scan(&n) })
	}
	n, err := count("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done " +
		"AND command NOT LIKE '%MATERIALIZE INDEX%'")
	if err == nil {
		return int(n), nil
	}
	if running, other := count("SELECT count() FROM system.merges WHERE database = currentDatabase() AND is_mutation"); other == nil {
		return int(running), nil
	}
	return 0, err
}

// Time prints as RFC 3339 with nanoseconds, UTC.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000000Z"

// MarshalJSON returns null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

func (t Time) String() string { return t.UTC().Format(timeLayout) }
