package query

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
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
	for _, f := range runFields {
		if !f.fits(term) {
			continue
		}
		hits, err := runsByField(ctx, db, f, term, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	for _, f := range callFields {
		if !f.fits(term) {
			continue
		}
		hits, err := runsOfCalls(ctx, db, f, term, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	return out, nil
}

// termField is a field in which Find looks for a term.
type termField struct {
	name string
	// condition selects the rows of the view runs or calls, and of their tables alike.
	condition string
	// newest selects the runs with the term, the newest first; empty: by the condition in calls_store.
	newest string
	fits   func(term string) bool // reports whether the field may have the term as its value
}

// runFields are the fields of a run itself.
var runFields = []termField{
	{name: "run_key", condition: "run_key = {term:String}", fits: anyTerm},
	{name: "run_id", condition: "run_id = {term:UUID}", fits: func(term string) bool {
		_, err := schema.ParseRunID(term)
		return err == nil
	}},
	{name: "agent_id", condition: "agent_id = {term:String}", fits: anyTerm},
	{name: "credential_id", condition: "credential_id = {term:String}", fits: anyTerm},
	{name: "principal_id", condition: "principal_id = {term:String}", fits: anyTerm},
	{name: "task_id", condition: "task_id = {term:String}", fits: anyTerm},
	{name: "conversation_id", condition: "conversation_id = {term:String}", fits: anyTerm},
}

// callFields are the fields of single calls. The conditions on ids are the expressions of their bloom filters, which are also
// those of the view.
var callFields = []termField{
	{name: "request_id", condition: "if(empty(request_uuid), request_text, toString(request_uuid)) = {term:String}", fits: anyTerm},
	{name: "trace_id", condition: "if(empty(trace_id), '', lower(hex(trace_id))) = {term:String}", fits: func(term string) bool {
		id, err := hex.DecodeString(term)
		return err == nil && len(id) == 16
	}},
	{name: "client_ip", condition: "client_ip = {term:String}", fits: func(term string) bool {
		_, err := netip.ParseAddr(term)
		return err == nil
	}},
	{name: "host", condition: "host = {term:String}", fits: anyTerm},
	{name: "tool_name", condition: "tool_name = {term:String}", fits: anyTerm},
	{name: "agent_asserted", condition: "agent_asserted = {term:String}", fits: anyTerm},
	{name: "resource", condition: "has(resources, {term:String})",
		newest: "SELECT run_id FROM touches WHERE resource = {term:String} GROUP BY run_id ORDER BY max(last_at) DESC, run_id", fits: anyTerm},
}

func anyTerm(string) bool { return true }

// runsByField returns the newest runs of which a field of their own is the term.
func runsByField(ctx context.Context, db DB, f termField, term string, limit int) (out []Hit, err error) {
	var w where
	w.addRuns(f.condition, named("term", term))
	sql := fmt.Sprintf("SELECT toString(run_id), run_key, agent_id, calls, started_at, last_at FROM runs WHERE (tenant, run_id) IN (%s) "+
		"ORDER BY last_at DESC", ofRuns("tenant, run_id", &w, fmt.Sprintf("ORDER BY last_at DESC LIMIT %d", limit)))
	return out, each(ctx, db, "runs by "+f.name, sql, w.params, func(r driver.Rows) error {
		h := Hit{Field: f.name}
		err := r.Scan(&h.RunID, &h.RunKey, &h.AgentID, &h.Calls, &h.FirstAt.Time, &h.LastAt.Time)
		out = append(out, h)
		return err
	})
}

// maxListedRuns is the maximum number of runs whose ids a statement lists. More are selected by looking for the term again: the
// engine refuses statements above 256 KiB.
const maxListedRuns = 1000

// runsOfCalls returns the newest runs with calls of which a field is the term, with their keys and agents. Only calls that
// count are counted; a run with other rows only has one call at least. The runs are looked for in the table, without the
// merging of repeats by the view, which then reads their calls only.
func runsOfCalls(ctx context.Context, db DB, f termField, term string, limit int) ([]Hit, error) {
	newest := f.newest
	if newest == "" {
		newest = "SELECT run_id FROM calls_store WHERE " + f.condition + " GROUP BY run_id ORDER BY max(start_time) DESC, run_id"
	}
	params := []any{named("term", term)}
	var ids []string
	if err := each(ctx, db, "runs of calls by "+f.name, fmt.Sprintf("SELECT toString(run_id) FROM (%s LIMIT %d)", newest, limit), params,
		func(r driver.Rows) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}); err != nil || len(ids) == 0 {
		return nil, err
	}
	found := fmt.Sprintf("SELECT run_id FROM (%s LIMIT %d)", newest, limit)
	if len(ids) <= maxListedRuns {
		found = uuids(ids)
	}
	type caller struct{ key, agent string }
	callers := map[string]caller{}
	if err := each(ctx, db, "runs", "SELECT toString(run_id), run_key, agent_id FROM runs WHERE run_id IN ("+found+")", params,
		func(r driver.Rows) error {
			var id string
			var c caller
			err := r.Scan(&id, &c.key, &c.agent)
			callers[id] = c
			return err
		}); err != nil {
		return nil, err
	}
	var out []Hit
	err := each(ctx, db, "calls by "+f.name, `SELECT toString(run_id), anyIf(run_key, run_key != ''), anyIf(agent_id, agent_id != ''),
greatest(countIf(counted), 1), min(start_time), max(start_time) AS at FROM calls WHERE run_id IN (`+found+") AND "+f.inView()+
		" GROUP BY run_id ORDER BY at DESC, run_id", params, func(r driver.Rows) error {
		h := Hit{Field: f.name}
		err := r.Scan(&h.RunID, &h.RunKey, &h.AgentID, &h.Calls, &h.FirstAt.Time, &h.LastAt.Time)
		if c := callers[h.RunID]; c.key != "" {
			h.RunKey = c.key
		}
		if c := callers[h.RunID]; c.agent != "" {
			h.AgentID = c.agent
		}
		out = append(out, h)
		return err
	})
	return out, err
}

// inView returns the condition for rows of the view calls.
func (f termField) inView() string {
	if strings.HasPrefix(f.condition, "if(") {
		return f.name + " = {term:String}"
	}
	return f.condition
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
