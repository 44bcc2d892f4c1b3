package learn

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/detect/baseline"
	"flyball/detect/feature"
	"flyball/schema"
)

// DB is what history is asked of.
type DB interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Window says which runs are learned from.
type Window struct {
	Tenant       string
	Since, Until time.Time // the last call lies between them
	PerAgent     int       // newest runs of an agent
	CallsPerRun  int       // a longer run counts by its first calls
}

// cleanRuns are closed, whole, and were never alarmed on. A run that has been
// silent for an hour is as good as closed: the flag waits for the watermark. What the caller says
// it is teaches only what is kept under that saying (baseline.AgentKey).
const cleanRuns = `SELECT run_id, toString(agent_trust) AS trust, agent_id AS agent, toString(caller_kind) AS kind, task_id AS task
FROM runs
WHERE tenant = {tenant:String} AND (state = 'closed' OR last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC') - INTERVAL 1 HOUR) AND level < 'alert' AND run_rule != 'overflow' AND sampled_calls = 0 AND calls > 0
  AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
  AND run_id NOT IN (SELECT run_id FROM findings WHERE tenant = {tenant:String} AND level >= 'alert')
ORDER BY last_at DESC, run_id
LIMIT {per:UInt32} BY agent, trust`

// callsOf are the calls of those runs in the order in which they were scored.
const callsOf = `WITH picked AS (` + cleanRuns + `)
SELECT toString(c.run_id), p.trust, p.agent, p.kind, p.task,
       c.method, c.route_key, c.operation, c.args_digest, c.result_digest_basis = 'outcome' OR c.result_digest_basis = 'none', c.result_digest, c.bytes_out,
       c.outcome > 'ok', toString(c.effect), c.resources
FROM calls AS c INNER JOIN picked AS p ON c.run_id = p.run_id
WHERE c.tenant = {tenant:String} AND c.observer_kind != 'gate' AND NOT (c.outcome = 'denied' AND c.denied_by IN ('flyball', 'ext_authz'))
ORDER BY c.run_id, c.calls_partition, c.calls_offset, c.start_time, c.source_offset, c.item
LIMIT {calls:UInt32} BY c.run_id`

// Clean reads the runs of a window, each as the steps that scoring would see.
func Clean(ctx context.Context, db DB, w Window) ([]*baseline.Run, error) {
	rows, err := db.Query(ctx, callsOf, clickhouse.Named("tenant", w.Tenant),
		clickhouse.Named("since", fmt.Sprint(w.Since.UnixNano())), clickhouse.Named("until", fmt.Sprint(w.Until.UnixNano())),
		clickhouse.Named("per", fmt.Sprint(w.PerAgent)), clickhouse.Named("calls", fmt.Sprint(w.CallsPerRun)))
	if err != nil {
		return nil, fmt.Errorf("ask for closed clean runs: %w", err)
	}
	defer rows.Close()
	var out []*baseline.Run
	var steps feature.Run
	var call feature.Call
	var run *baseline.Run
	for rows.Next() {
		var id, trust, agent, kind, task, method, route, operation, effect string
		var args, result, bytes uint64
		var byBytes, failed bool
		var resources []string
		if err := rows.Scan(&id, &trust, &agent, &kind, &task, &method, &route, &operation, &args, &byBytes, &result, &bytes, &failed, &effect, &resources); err != nil {
			return nil, fmt.Errorf("read closed clean runs: %w", err)
		}
		if run == nil || run.ID != id {
			var t schema.Trust
			var k schema.CallerKind
			if err := t.UnmarshalText([]byte(trust)); err != nil {
				return nil, err
			}
			if err := k.UnmarshalText([]byte(kind)); err != nil {
				return nil, err
			}
			run = &baseline.Run{ID: id, Agent: baseline.AgentKey(agent, t), Group: baseline.PeerGroup(agent, k), Task: task}
			out, steps = append(out, run), feature.Run{}
		}
		var e schema.Effect
		if err := e.UnmarshalText([]byte(effect)); err != nil {
			return nil, err
		}
		c := schema.Call{Method: method, RouteKey: route, Operation: operation, ArgsDigest: args, BytesOut: bytes, Effect: e}
		c.ResultDigest, c.ResultDigestBasis = result, schema.DigestLogged
		if byBytes {
			c.ResultDigestBasis = schema.DigestOutcome
		}
		if failed {
			c.Outcome = schema.OutcomeServerError
		} else {
			c.Outcome = schema.OutcomeOK
		}
		c.Resources = c.Resources[:0]
		for _, r := range resources {
			c.Resources = append(c.Resources, resource(r))
		}
		feature.Of(&c, &call)
		run.Steps = append(run.Steps, steps.Add(&call))
		run.Routes = append(run.Routes, feature.RouteName(method, route, operation))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ask for closed clean runs: %w", err)
	}
	return out, nil
}

// resource reads "type:id" back.
func resource(s string) schema.Resource {
	for i := range len(s) {
		if s[i] == ':' {
			return schema.Resource{Type: s[:i], ID: s[i+1:]}
		}
	}
	return schema.Resource{ID: s}
}
