package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// source is the SQL text after FROM, with its parameters.
type source struct {
	from   string
	params []any
}

// keptRows selects the rows from which a report on calls is made:
//   - each row that counts;
//   - of the other rows, those with a resource that no counted row of the same run,
//     method and path names: callers choose request ids, so a request id may change how
//     often a call counts, but not whether its resource is shown;
//   - rows of the check that do not count yet, beyond the number of counted lines of the same run,
//     method and path: what nobody else has logged in the last minute.
//
// The column counted tells whether a row adds to the number of calls: the first and the third do.
// KeptResources makes the same selection over rows in memory.
func keptRows(ctx context.Context, db DB, subject *where) (source, error) {
	counted := subject.String() + " AND counted"
	var beside uint64
	if err := each(ctx, db, "rows beside the counted ones", "SELECT count() FROM calls "+subject.String()+" AND NOT counted", subject.params,
		func(r driver.Rows) error {
			return r.Scan(&beside)
		}); err != nil {
		return source{}, err
	}
	if beside == 0 {
		return source{"calls " + counted, subject.params}, nil
	}
	const columns = "run_id, method, path, route, effect, reversibility, outcome, bytes_out, start_time, " +
		"observer_kind, sample_weight, late, run_confidence, run_rule, agent_id"
	sql := fmt.Sprintf(`(SELECT %[1]s, resources, counted FROM calls %[2]s
UNION ALL SELECT %[1]s, groupArrayIf(resource, resource != '') AS resources, any(waits) AS counted FROM (
 SELECT *, arrayJoin(if(empty(named), [''], named)) AS resource, CAST(asked AND nth > logged AS Bool) AS waits FROM (
  SELECT %[1]s, record_id, resources AS named, observer_kind = 'gate' AS asked,
   row_number() OVER (PARTITION BY run_id, method, path, asked ORDER BY start_time, record_id) AS nth
  FROM calls %[3]s AND NOT counted
 ) AS b LEFT JOIN (SELECT run_id, method, path, count() AS logged FROM calls %[2]s AND observer_kind != 'gate' GROUP BY run_id, method,
path) AS l USING (run_id, method, path)
) WHERE waits
 OR (run_id, method, path, resource) NOT IN (SELECT run_id, method, path, arrayJoin(if(empty(resources), [''], resources)) FROM calls %[2]s)
GROUP BY %[1]s, record_id)`, columns, counted, subject.String())
	return source{sql, subject.params}, nil
}

// ReportRow contains the fields of a call by which KeptResources selects.
type ReportRow struct {
	Run, Method, Path string
	Resources         []string
	Asked             bool // row of the check
	Counted           bool // schema.Call.Counted
}

// KeptResources returns, for each row in the order of time, the resources for which a report
// uses the row; nil: the row is left out. A row without resources has the resource "". counts tells
// which rows add to the number of calls.
func KeptResources(rows []ReportRow) (out [][]string, counts []bool) {
	type call struct{ run, method, path string }
	of := func(r *ReportRow) call { return call{r.Run, r.Method, r.Path} }
	named := map[call]map[string]bool{}
	logged, asked := map[call]int{}, map[call]int{}
	resources := func(r *ReportRow) []string {
		if len(r.Resources) == 0 {
			return []string{""}
		}
		return r.Resources
	}
	for i := range rows {
		r := &rows[i]
		if !r.Counted {
			continue
		}
		if !r.Asked {
			logged[of(r)]++
		}
		if named[of(r)] == nil {
			named[of(r)] = map[string]bool{}
		}
		for _, v := range resources(r) {
			named[of(r)][v] = true
		}
	}
	out, counts = make([][]string, len(rows)), make([]bool, len(rows))
	for i := range rows {
		r := &rows[i]
		switch {
		case r.Counted:
			out[i], counts[i] = resources(r), true
			continue
		case r.Asked:
			if asked[of(r)]++; asked[of(r)] > logged[of(r)] {
				out[i], counts[i] = resources(r), true
				continue
			}
		}
		for _, v := range resources(r) {
			if !named[of(r)][v] && !slices.Contains(out[i], v) {
				out[i] = append(out[i], v)
			}
		}
	}
	return out, counts
}
