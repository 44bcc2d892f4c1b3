package query

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// countedRows is a result of some rows with one column. It counts the rows that were asked for.
type countedRows struct {
	driver.Rows
	rows, asked int
}

type pathColumn struct{}

func (pathColumn) Name() string             { return "path" }
func (pathColumn) Nullable() bool           { return false }
func (pathColumn) ScanType() reflect.Type   { return reflect.TypeFor[string]() }
func (pathColumn) DatabaseTypeName() string { return "String" }

func (c *countedRows) Next() bool { c.asked++; return c.asked <= c.rows }

func (c *countedRows) Scan(to ...any) error {
	for _, v := range to {
		*v.(*string) = "/v1/orders/7"
	}
	return nil
}

func (*countedRows) ColumnTypes() []driver.ColumnType { return []driver.ColumnType{pathColumn{}} }
func (*countedRows) Columns() []string                { return []string{"path"} }
func (*countedRows) Close() error                     { return nil }
func (*countedRows) Err() error                       { return nil }

func (c *countedRows) Query(_ context.Context, sql string, _ ...any) (driver.Rows, error) {
	if strings.Contains(sql, "GROUP BY second") { // which slices of time there are: one
		return &countedRows{}, nil
	}
	return c, nil
}

// A run has any number of calls: evidence that reads them all before it writes the first one needs as much memory.
func TestEvidenceIsReadWhole(t *testing.T) {
	const rows = 1000
	run := &Run{RunID: noRun, Tenant: "default"}
	read := map[string]func(*countedRows, func() error) error{"calls": func(db *countedRows, took func() error) error {
		return EachCall(t.Context(), db, run, func(map[string]any) error { return took() })
	}}
	for _, e := range EvidenceTables() {
		read[e.Name] = func(db *countedRows, took func() error) error {
			return e.Each(t.Context(), db, run, "", func(map[string]any) error { return took() })
		}
	}
	for name, each := range read {
		db, taken := &countedRows{rows: rows}, 0
		err := each(db, func() error {
			if taken++; db.asked > taken {
				t.Fatalf("%s: %d rows were read before row %d was written", name, db.asked, taken)
			}
			return nil
		})
		if err != nil || taken != rows {
			t.Errorf("%s: %d rows, %v", name, taken, err)
		}
	}
}
