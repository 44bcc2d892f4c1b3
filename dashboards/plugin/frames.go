package plugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// DB is asked for rows.
type DB interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// column is a field of a frame and the expression that fills it.
type column struct {
	name string
	sql  string // of kind time: DateTime64; number: Float64 or Nullable; text: String
	kind kind
	unit string // Grafana's unit, "" none
	hint string // shown as the field's description
}

type kind uint8

const (
	text kind = iota
	number
	moment
)

// listing is a query with a bounded answer.
type listing struct {
	name    string
	columns []column
	from    string // FROM … WHERE … with named parameters
	tail    string // ORDER BY …, without LIMIT
	visual  data.VisType
}

func param(name, value string) any { return clickhouse.Named(name, value) }

func nanos(t time.Time) string { return fmt.Sprint(t.UnixNano()) }

// between limits a DateTime64 expression to the dashboard's range.
func between(expr string) string {
	return expr + " >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND " + expr + " <= fromUnixTimestamp64Nano({to:Int64}, 'UTC')"
}

// frame asks and fills. One row more than limit is asked for: then a notice
// says that there is more.
func (l *listing) frame(ctx context.Context, db DB, limit int, params ...any) (*data.Frame, error) {
	expressions := make([]string, len(l.columns))
	for i, c := range l.columns {
		switch expressions[i] = c.sql; c.kind {
		case number:
			expressions[i] = "CAST(" + c.sql + " AS Nullable(Float64))"
		case text:
			expressions[i] = "CAST(" + c.sql + " AS String)"
		}
	}
	sql := fmt.Sprintf("SELECT %s %s %s LIMIT %d", strings.Join(expressions, ", "), l.from, l.tail, limit+1)
	rows, err := db.Query(ctx, sql, params...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	defer rows.Close()
	out := data.NewFrame(l.name)
	for _, c := range l.columns {
		var f *data.Field
		switch c.kind {
		case text:
			f = data.NewField(c.name, nil, []string{})
		case number:
			f = data.NewField(c.name, nil, []*float64{})
		case moment:
			f = data.NewField(c.name, nil, []time.Time{})
		}
		f.Config = &data.FieldConfig{Unit: c.unit, Description: c.hint}
		out.Fields = append(out.Fields, f)
	}
	n := 0
	for ; rows.Next(); n++ {
		if n == limit {
			out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: fmt.Sprintf("The first %d are shown; there are more. Narrow the range or raise the limit.", limit)})
			break
		}
		values := make([]any, len(l.columns))
		for i, c := range l.columns {
			switch c.kind {
			case text:
				values[i] = new(string)
			case number:
				values[i] = new(*float64)
			case moment:
				values[i] = new(time.Time)
			}
		}
		if err := rows.Scan(values...); err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		for i, v := range values {
			switch v := v.(type) {
			case *string:
				out.Fields[i].Append(*v)
			case **float64:
				out.Fields[i].Append(*v)
			case *time.Time:
				out.Fields[i].Append(v.UTC())
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	out.Meta = &data.FrameMeta{PreferredVisualization: l.visual, Notices: noticesOf(out)}
	return out, nil
}

func noticesOf(f *data.Frame) []data.Notice {
	if f.Meta == nil {
		return nil
	}
	return f.Meta.Notices
}
