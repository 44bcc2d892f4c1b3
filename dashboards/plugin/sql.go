package plugin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// sqlBounds are what a statement of a person may use.
var sqlBounds = query.Bounds{Time: 30 * time.Second, Memory: 1 << 30}

// maxStatements is how many statements of people run at the same time; others wait.
const maxStatements = 4

// database is a connection that knows the name of its database.
type database interface{ Database() string }

func answerSQL(ctx context.Context, q *question) (data.Frames, error) {
	if q.Tenant != "" {
		return nil, invalidf("queryType: sql reads all tenants and is refused for a question that is bound to %q", q.Tenant)
	}
	db, ok := q.db.(database)
	if !ok {
		return nil, invalidf("queryType: sql needs a data source with a database")
	}
	if strings.TrimSpace(q.SQL) == "" {
		return emptyFrame(q.Type, "No statement is entered."), nil
	}
	sql := expand(q)
	if variable.MatchString(sql) {
		return emptyFrame(q.Type, "Nothing is chosen: sql has a variable of the dashboard without a value, or an unknown macro."), nil
	}
	grid, err := query.ReadOnly(query.WithBounds(ctx, sqlBounds), q.db, db.Database(), sql, q.Limit+1)
	var refused *query.Refused
	if errors.As(err, &refused) {
		return nil, invalidf("sql: %s", schema.Visible(refused.Why))
	}
	if err != nil {
		return nil, err
	}
	out := gridFrame(grid, q.Limit)
	if !q.forRule {
		return data.Frames{out}, nil
	}
	if len(grid.Rows) > q.Limit {
		return nil, invalidf("sql: the statement has more than %d rows, and an alert rule would not see all: group them", q.Limit)
	}
	if out, err = seriesOfGrid(out); err != nil {
		return nil, err
	}
	return data.Frames{out}, nil
}

// Macros of a statement.
var (
	timeFilter = regexp.MustCompile("\\$__timeFilter\\(\\s*([A-Za-z_`][\\w.`]*)\\s*\\)")
	timeMacro  = regexp.MustCompile(`\$__(timeFrom|timeTo|interval_s|interval)\b(\(\))?`)
	agentMacro = regexp.MustCompile(`\$__agent\b`)
)

// expand returns the statement with its macros replaced.
func expand(q *question) string {
	instant := func(t time.Time) string {
		return "fromUnixTimestamp64Milli(" + strconv.FormatInt(t.UnixMilli(), 10) + ", 'UTC')"
	}
	sql := timeFilter.ReplaceAllString(q.SQL, "($1 >= "+instant(q.from)+" AND $1 <= "+instant(q.to)+")")
	// An agent chooses its name: as the digits of its bytes it cannot become a part of the statement.
	sql = agentMacro.ReplaceAllLiteralString(sql, "unhex('"+hex.EncodeToString([]byte(q.Agent))+"')")
	return timeMacro.ReplaceAllStringFunc(sql, func(m string) string {
		switch strings.TrimSuffix(m, "()") {
		case "$__timeFrom":
			return instant(q.from)
		case "$__timeTo":
			return instant(q.to)
		}
		return fmt.Sprintf("INTERVAL %d SECOND", max(int64(q.step/time.Second), 1))
	})
}

// gridFrame returns the answer to a statement: numbers and times as such, all else as text.
func gridFrame(g *query.Grid, limit int) *data.Frame {
	out := data.NewFrame("sql")
	out.Meta = &data.FrameMeta{PreferredVisualization: data.VisTypeTable}
	rows := g.Rows
	if len(rows) > limit {
		rows = rows[:limit]
		out.AppendNotices(leftOut(limit))
	}
	if len(rows) == 0 {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: "The statement has no rows."})
	}
	for i, name := range g.Columns {
		out.Fields = append(out.Fields, gridField(schema.Visible(name), rows, i))
	}
	return out
}

func gridField(name string, rows [][]any, column int) *data.Field {
	numbers, times, texts := []*float64{}, []*time.Time{}, []*string{}
	for _, row := range rows {
		n, isNumber := numberOf(row[column])
		numbers = appendIf(numbers, n, isNumber || row[column] == nil)
		at, isTime := row[column].(time.Time)
		when := &at
		if !isTime {
			when = nil
		}
		times = appendIf(times, when, isTime || row[column] == nil)
		var s *string
		if row[column] != nil {
			v := schema.Visible(fmt.Sprint(row[column]))
			s = &v
		}
		texts = append(texts, s)
	}
	switch {
	case len(rows) > 0 && len(numbers) == len(rows):
		return data.NewField(name, nil, numbers)
	case len(rows) > 0 && len(times) == len(rows):
		return data.NewField(name, nil, times)
	}
	return data.NewField(name, nil, texts)
}

func appendIf[T any](list []T, v T, ok bool) []T {
	if !ok {
		return list
	}
	return append(list, v)
}

// numberOf returns a number as Grafana draws it.
func numberOf(v any) (*float64, bool) {
	var n float64
	switch r := reflect.ValueOf(v); {
	case v == nil:
		return nil, false
	case r.CanInt():
		n = float64(r.Int())
	case r.CanUint():
		n = float64(r.Uint())
	case r.CanFloat():
		n = r.Float()
	default:
		return nil, false
	}
	return &n, true
}
