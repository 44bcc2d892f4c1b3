package query

import (
	"fmt"
	"slices"
	"strings"
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
// KeptResources makes the same selection over rows in memory. more are further columns of a call that the source has, each after a comma.
//
// A line that came after the row of the check had counted does not count, but it knows how the call ended: the row of the
// check has its outcome, bytes and kind of observer. Of most subjects every row counts and none is of the check: look says so.
func keptRows(subject *where, look *firstLook, more string) source {
	counted := subject.String() + " AND counted"
	columns := "actor_hash, run_id, method, path, route, effect, reversibility, outcome, bytes_out, start_time, " +
		"observer_kind, sample_weight, late, run_confidence, run_rule, agent_id, record_id" + more
	from := "calls " + counted
	if look.beside > 0 {
		from = fmt.Sprintf(`(SELECT %[1]s, resources, counted FROM calls %[2]s
UNION ALL SELECT %[1]s, groupArrayIf(resource, resource != '') AS resources, any(waits) AS counted FROM (
 SELECT *, arrayJoin(if(empty(named), [''], named)) AS resource, CAST(asked AND nth > logged AS Bool) AS waits FROM (
  SELECT %[1]s, resources AS named, observer_kind = 'gate' AS asked,
   row_number() OVER (PARTITION BY run_id, method, path, asked ORDER BY start_time, record_id) AS nth
  FROM calls %[3]s AND NOT counted
 ) AS b LEFT JOIN (SELECT run_id, method, path, count() AS logged FROM calls %[2]s AND observer_kind != 'gate' GROUP BY run_id, method,
path) AS l USING (run_id, method, path)
) WHERE waits
 OR (run_id, method, path, resource) NOT IN (SELECT run_id, method, path, arrayJoin(if(empty(resources), [''], resources)) FROM calls %[2]s)
GROUP BY %[1]s)`, columns, counted, subject.String())
	}
	if look.asked > 0 {
		if look.beside == 0 {
			from = "(SELECT " + columns + ", resources, counted FROM " + from + ")"
		}
		run := "tenant, actor_hash, run_id"
		if look.unplaced > 0 {
			run = "tenant, run_id"
		}
		from = withLateLines(from, counted, run)
	}
	return source{from, subject.params}
}

// withLateLines joins the rows of the check with the lines of the same runs that came after these had counted. counted is
// the condition for the subject's counted rows. The lines are looked for in the whole runs: they may name no resource,
// and start on the other side of an end of the time window. run are the columns by which a run is found: its actor is not
// one of them if rows of the check are in the table of schema version 4, which has none, because the line may be in the next.
func withLateLines(from, counted, run string) string {
	return fmt.Sprintf(`(SELECT * REPLACE (if(late_of = '', outcome, late_outcome) AS outcome, if(late_of = '', bytes_out, late_bytes) AS bytes_out,
 if(late_of = '', observer_kind, late_kind) AS observer_kind)
FROM %[1]s AS c LEFT JOIN (
 SELECT attrs['observation_of'] AS late_of, argMin(outcome, rank) AS late_outcome, argMin(bytes_out, rank) AS late_bytes,
  argMin(observer_kind, rank) AS late_kind
 FROM (SELECT *, indexOf(['%[3]s'], toString(observer_kind)) AS known, (known = 0, known, record_id) AS rank FROM calls
  WHERE NOT counted AND observer_kind != 'gate' AND attrs['observation_of'] != ''
  AND (%[4]s) IN (SELECT %[4]s FROM calls %[2]s AND observer_kind = 'gate'))
 GROUP BY late_of
) AS l ON c.record_id = l.late_of)`, from, counted, strings.Join(onAnswer, "', '"), run)
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
