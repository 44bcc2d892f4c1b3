package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Hit is a run in which a term occurs.
type Hit struct {
	RunID   string `json:"run_id"`
	RunKey  string `json:"run_key,omitempty"`
	AgentID string `json:"agent_id,omitempty"`
	Field   string `json:"field"` // field that contains the term: run_key, request_id, trace_id, …
	Calls   uint64 `json:"calls,omitempty"`
	FirstAt Time   `json:"first_at"`
	LastAt  Time   `json:"last_at"`
}

// Find returns the runs in which a term occurs: as run id or key, request id, trace,
// address, host, credential id, agent, principal, task or resource. At most limit runs are
// returned for a field. Calls counts the calls of the run in which the term occurs; for a field
// of the run itself, all its calls.
func Find(ctx context.Context, db DB, term string, limit int) ([]Hit, error) {
	if partition, offset, ok := parseRecord(term); ok {
		return runsOfRecord(ctx, db, partition, offset)
	}
	out := []Hit{}
	params := []any{named("term", term)}
	take := func(field string) func(driver.Rows) error {
		return func(r driver.Rows) error {
			h := Hit{Field: field}
			err := r.Scan(&h.RunID, &h.RunKey, &h.AgentID, &h.Calls, &h.FirstAt.Time, &h.LastAt.Time)
			out = append(out, h)
			return err
		}
	}
	for _, field := range []string{"run_key", "toString(run_id)", "agent_id", "credential_id", "principal_id", "task_id", "conversation_id"} {
		name := field
		if field == "toString(run_id)" {
			name = "run_id"
		}
		sql := fmt.Sprintf("SELECT toString(run_id), run_key, agent_id, calls, started_at, last_at FROM runs "+
			"WHERE %s = {term:String} ORDER BY last_at DESC LIMIT %d", field, limit)
		if err := each(ctx, db, "runs by "+name, sql, params, take(name)); err != nil {
			return nil, err
		}
	}
	for _, field := range []string{"request_id", "trace_id", "client_ip", "host", "tool_name", "agent_asserted"} {
		if err := each(ctx, db, "calls by "+field, runsOfCalls(field+" = {term:String}", "", limit), params, take(field)); err != nil {
			return nil, err
		}
	}
	touching := fmt.Sprintf("SELECT run_id FROM touches WHERE resource = {term:String} GROUP BY run_id "+
		"ORDER BY max(last_at) DESC LIMIT %d", limit)
	return out, each(ctx, db, "touches", runsOfCalls("has(resources, {term:String})", touching, limit), params, take("resource"))
}

// runsOfCalls selects the runs of the calls that a condition selects, with their keys and agents.
// Only calls that count are counted; a run with other rows only has one call at least. runs
// limits the runs; empty: all.
func runsOfCalls(condition, runs string, limit int) string {
	if runs != "" {
		condition = "run_id IN (" + runs + ") AND " + condition
	}
	hits := fmt.Sprintf("SELECT run_id, anyIf(run_key, run_key != '') AS key, anyIf(agent_id, agent_id != '') AS agent, "+
		"greatest(countIf(counted), 1) AS n, min(start_time) AS first_at, max(start_time) AS at FROM calls WHERE %s GROUP BY run_id "+
		"ORDER BY at DESC, run_id LIMIT %d", condition, limit)
	return "SELECT toString(h.run_id), if(r.run_key = '', h.key, r.run_key), if(r.agent_id = '', h.agent, r.agent_id), h.n, h.first_at, " +
		"h.at FROM (" + hits + ") AS h LEFT JOIN (SELECT run_id, run_key, agent_id FROM runs WHERE run_id IN (SELECT run_id FROM (" + hits +
		"))) AS r ON r.run_id = h.run_id ORDER BY h.at DESC, h.run_id"
}

// StitchingRow is the number of calls of a producer that a rule bound.
type StitchingRow struct {
	At       *Time   `json:"at,omitempty"` // hour or day, if rows are by hour or day
	Producer string  `json:"producer"`
	Format   string  `json:"format"`
	RunRule  string  `json:"run_rule"`
	Calls    uint64  `json:"calls"`
	Share    float64 `json:"share"`            // share of the producer's calls
	Advice   string  `json:"advice,omitempty"` // how to make the rule exact
}

// askedProducer is the producer of the check's rows in Stitching: they record requests, whose calls
// other producers log.
const askedProducer = "the check: requests it was asked about"

// Stitching counts calls by the producer and the rule that bound them to their runs; by
// is hour, day, or empty for one row over the whole time.
func Stitching(ctx context.Context, db DB, since, until time.Time, by string) ([]StitchingRow, error) {
	var w where
	w.between("hour", "hour", since, until)
	at, ok := map[string]string{"": "toDateTime(0, 'UTC')", "hour": "toDateTime(hour, 'UTC')",
		"day": "toStartOfDay(toDateTime(hour, 'UTC'), 'UTC')"}[by]
	if !ok {
		return nil, fmt.Errorf("%q is neither hour nor day", by)
	}
	out := []StitchingRow{}
	err := each(ctx, db, "stitching", `SELECT `+at+` AS at, producer, format, toString(run_rule) AS rule, sum(calls) AS n,
n / sum(n) OVER (PARTITION BY at, producer, format) AS share
FROM stitching `+w.String()+` GROUP BY at, producer, format, rule ORDER BY producer, format, at, n DESC`, w.params,
		func(r driver.Rows) error {
			var v StitchingRow
			var t time.Time
			err := r.Scan(&t, &v.Producer, &v.Format, &v.RunRule, &v.Calls, &v.Share)
			if by != "" {
				v.At = &Time{t}
			}
			if strings.HasPrefix(v.Format, "check/") {
				v.Producer = askedProducer
			}
			out = append(out, v)
			return err
		})
	return out, err
}
