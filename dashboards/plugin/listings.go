package plugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
)

// Query is what a panel asks. Everything but Type is optional.
type Query struct {
	Type     string `json:"queryType"` // runs, trace, touched, findings, breakers, calls
	Run      string `json:"run"`       // trace: run id, or the run's own key; touched: the same
	Agent    string `json:"agent"`
	MinLevel string `json:"minLevel"` // runs, findings: annotate, alert, trip
	Limit    int    `json:"limit"`
}

// Types of queries, in the order the editor shows them.
var Types = []string{"runs", "findings", "breakers", "touched", "trace", "calls"}

const (
	defaultLimit = 200
	mostRows     = 5000
)

func (q *Query) check() error {
	switch q.MinLevel {
	case "", schema.LevelAnnotate.String(), schema.LevelAlert.String(), schema.LevelTrip.String():
	default:
		return fmt.Errorf("minLevel: %q is none of annotate, alert, trip", q.MinLevel)
	}
	if q.Limit < 0 || q.Limit > mostRows {
		return fmt.Errorf("limit: %d is not between 1 and %d", q.Limit, mostRows)
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Run == "" && (q.Type == "trace" || q.Type == "touched") {
		return fmt.Errorf("run: empty; a %s is of one run", q.Type)
	}
	return nil
}

var runsListing = listing{name: "runs", columns: []column{
	{name: "started", sql: "started_at", kind: moment}, {name: "last call", sql: "last_at", kind: moment},
	{name: "agent", sql: "agent_id"}, {name: "run", sql: "run_id"}, {name: "run key", sql: "run_key"}, {name: "state", sql: "state"},
	{name: "calls", sql: "calls", kind: number}, {name: "errors", sql: "errors", kind: number},
	{name: "resources", sql: "distinct_resources", kind: number}, {name: "irreversible", sql: "irreversible", kind: number},
	{name: "score", sql: "score", kind: number, hint: "−ln of rarity: 4.6 is 1 in 100 clean runs, 6.9 is 1 in 1,000"}, {name: "level", sql: "level"},
	{name: "identity", sql: "agent_trust", hint: "who says who the agent is"}, {name: "bound by", sql: "run_rule"},
}, from: "FROM runs WHERE " + between("last_at"), tail: "ORDER BY last_at DESC, run_id", visual: data.VisTypeTable}

var findingsListing = listing{name: "findings", columns: []column{
	{name: "updated", sql: "updated_at", kind: moment}, {name: "level", sql: "level"}, {name: "state", sql: "state"}, {name: "family", sql: "family"},
	{name: "agent", sql: "agent_id"}, {name: "what happened", sql: "summary"}, {name: "expected rate", sql: "expected_rate", kind: number, hint: "share of clean runs that come this far"},
	{name: "calls since onset", sql: "exposure_calls", kind: number}, {name: "irreversible", sql: "exposure_irreversible", kind: number}, {name: "run", sql: "run_id"},
}, from: "FROM findings WHERE " + between("updated_at"), tail: "ORDER BY updated_at DESC, finding_id", visual: data.VisTypeTable}

var breakersListing = listing{name: "breakers", columns: []column{
	{name: "since", sql: "at", kind: moment}, {name: "state", sql: "state"}, {name: "mode", sql: "mode"}, {name: "scope", sql: "concat(toString(scope_kind), ' ', scope_value)"},
	{name: "agent", sql: "agent_id"}, {name: "reason", sql: "reason"}, {name: "by", sql: "by"}, {name: "generation", sql: "generation", kind: number},
	{name: "irreversible before", sql: "exposure_irreversible", kind: number}, {name: "run", sql: "run_id"},
}, from: "FROM breakers WHERE " + between("at"), tail: "ORDER BY at DESC, generation DESC", visual: data.VisTypeTable}

var touchedListing = listing{name: "touched", columns: []column{
	{name: "reversibility", sql: "undo"}, {name: "effect", sql: "did"}, {name: "resource", sql: "resource"}, {name: "route", sql: "concat(method, ' ', route)"},
	{name: "calls", sql: "n", kind: number}, {name: "denied", sql: "refused", kind: number}, {name: "first", sql: "first_at", kind: moment}, {name: "last", sql: "last_at", kind: moment},
}, from: `FROM (SELECT arrayJoin(if(empty(resources), ['?:?'], resources)) AS resource, method, route, toString(effect) AS did, toString(reversibility) AS undo,
 count() AS n, countIf(outcome = 'denied') AS refused, min(start_time) AS first_at, max(start_time) AS last_at
 FROM calls WHERE run_id = {run:UUID} AND observer_kind != 'gate' GROUP BY resource, method, route, did, undo)`,
	tail: "ORDER BY indexOf(['irreversible', 'compensable', 'reversible', 'unknown', 'read_only'], undo), n DESC, resource", visual: data.VisTypeTable}

// The trace of a run: one span a call, below one span for the run.
var traceListing = listing{name: "trace", columns: []column{
	{name: "traceID", sql: "run_id"}, {name: "spanID", sql: "concat(toString(source_partition), '/', toString(source_offset), '/', toString(item))"},
	{name: "parentSpanID", sql: "'run'"}, {name: "operationName", sql: "if(method = '', operation, concat(method, ' ', route))"},
	{name: "serviceName", sql: "if(api = '', observer, api)"}, {name: "startTime", sql: "toUnixTimestamp64Milli(start_time)", kind: number},
	{name: "duration", sql: "if(duration_ns < 0, 0, duration_ns / 1e6)", kind: number}, {name: "statusCode", sql: "if(outcome IN ('ok', 'unknown'), 0, 2)", kind: number},
	{name: "statusMessage", sql: "if(outcome IN ('ok', 'unknown'), '', concat(toString(outcome), ' ', toString(status)))"},
}, from: "FROM calls WHERE run_id = {run:UUID} AND observer_kind != 'gate'", tail: "ORDER BY start_time, source_partition, source_offset, item", visual: data.VisTypeTrace}

// frames answers one query.
func frames(ctx context.Context, db DB, q Query, from, to time.Time, interval time.Duration) (data.Frames, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	params := []any{param("from", nanos(from)), param("to", nanos(to))}
	one := func(l listing, more ...string) (data.Frames, error) {
		for _, m := range more {
			l.from += m
		}
		f, err := l.frame(ctx, db, q.Limit, params...)
		if err != nil {
			return nil, err
		}
		return data.Frames{f}, nil
	}
	agent := ""
	if q.Agent != "" {
		agent = " AND agent_id = {agent:String}"
		params = append(params, param("agent", q.Agent))
	}
	level := ""
	if q.MinLevel != "" {
		level = " AND level >= {level:String}"
		params = append(params, param("level", q.MinLevel))
	}
	switch q.Type {
	case "runs":
		return one(runsListing, agent, level)
	case "findings":
		return one(findingsListing, agent, level)
	case "breakers":
		return one(breakersListing, agent)
	case "calls":
		return callsOverTime(ctx, db, interval, agent, params)
	case "trace", "touched":
		id, err := runID(ctx, db, q.Run)
		if err != nil {
			return nil, err
		}
		params = []any{param("run", id)}
		if q.Type == "touched" {
			return one(touchedListing)
		}
		return trace(ctx, db, q.Limit, id)
	}
	return nil, fmt.Errorf("queryType: %q is none of %s", q.Type, strings.Join(Types, ", "))
}
