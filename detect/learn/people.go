package learn

import (
	"context"
	"fmt"
	"time"
	"unique"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/feature"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
	"flyball/schema/route"
)

// peoples selects the newest sessions in people's names, at most sessionsOfOne of a person. Suspected sessions are
// included: without them every refit would suspect more sessions. Sessions with a finding that a person labelled true
// or test are left out.
const peoples = `SELECT run_id
FROM runs
WHERE tenant = {tenant:String} AND (state = 'closed' OR last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC') - INTERVAL 1 HOUR)
  AND run_rule != 'overflow' AND sampled_calls = 0 AND calls >= {least:UInt32}
  AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
  AND (caller_kind = 'human' OR principal_kind = 'human') AND NOT (agent_id != '' AND agent_trust >= 'infrastructure')
  AND run_id NOT IN (` + judgedAs + `IN ('true', 'test')))
ORDER BY last_at DESC, run_id
LIMIT {per:UInt32} BY principal_id, credential_id, actor
LIMIT {most:UInt32}`

// theirs selects the calls of these sessions, with the columns that scoring uses.
const theirs = `SELECT toString(run_id), method, route, path, operation, args_digest,
  result_digest_basis = 'outcome' OR result_digest_basis = 'none', result_digest, bytes_in, bytes_out,
       outcome = 'unknown', outcome > 'ok', toString(effect), resources, start_time, ts_basis = 'kafka', api, mcp_server, host
FROM calls
WHERE tenant = {tenant:String} AND run_id IN (` + peoples + `)
  AND ` + taught

const theirsInOrder = `
ORDER BY run_id, calls_partition, calls_offset, source_offset, item
LIMIT {calls:UInt32} BY run_id`

const (
	sessionsOfOne  = 3     // sessions of a person: one busy person must not dominate
	maxSessions    = 5_000 // sessions of a baseline
	callsOfSession = 200   // calls of a session
)

// ReadPeople learns how sessions of a tenant's own people look. It returns nil when there are too few sessions to
// estimate how rare a value is among them.
func ReadPeople(ctx context.Context, db DB, w Window) (*sharedcredential.TenantPeople, error) {
	rows, err := db.Query(ctx, theirs+w.only+theirsInOrder, clickhouse.Named("tenant", w.Tenant),
		clickhouse.Named("since", fmt.Sprint(w.Since.UnixNano())), clickhouse.Named("until", fmt.Sprint(w.Until.UnixNano())),
		clickhouse.Named("least", fmt.Sprint(sharedcredential.MinSessionCalls)), clickhouse.Named("per", fmt.Sprint(sessionsOfOne)),
		clickhouse.Named("most", fmt.Sprint(maxSessions)), clickhouse.Named("calls", fmt.Sprint(callsOfSession)))
	if err != nil {
		return nil, fmt.Errorf("read people's sessions: %w", err)
	}
	defer rows.Close()
	var sessions [][]sharedcredential.Input
	var run feature.RunMemory
	var call feature.Input
	last := ""
	for rows.Next() {
		var id, effect string
		var resources []string
		var at time.Time
		var byBytes, unknown, failed, byKafka bool
		var c schema.Call
		if err := rows.Scan(&id, &c.Method, &c.Route, &c.Path, &c.Operation, &c.ArgsDigest, &byBytes, &c.ResultDigest, &c.BytesIn, &c.BytesOut,
			&unknown, &failed, &effect, &resources, &at, &byKafka, &c.API, &c.MCPServer, &c.Host); err != nil {
			return nil, fmt.Errorf("read people's sessions: %w", err)
		}
		if err := c.Effect.UnmarshalText([]byte(effect)); err != nil {
			return nil, err
		}
		c.RouteKey = route.Key(c.Route)
		c.Start, c.ResultDigestBasis, c.Outcome = at.UnixNano(), schema.DigestLogged, schema.OutcomeOK
		if byBytes {
			c.ResultDigestBasis = schema.DigestOutcome
		}
		if failed {
			c.Outcome = schema.OutcomeServerError
		} else if unknown {
			c.Outcome = schema.OutcomeUnknown
		}
		if byKafka {
			c.TSBasis = schema.BasisKafka
		}
		for _, r := range resources {
			c.Resources = append(c.Resources, resource(r))
		}
		if id != last {
			sessions, run, last = append(sessions, nil), feature.RunMemory{}, id
		}
		feature.Extract(&c, &call)
		step := run.Add(&call)
		of := &sessions[len(sessions)-1]
		in := sharedcredential.FromCall(&c, &step)
		in.Area = unique.Make(in.Area).Value() // a part of the call's strings, which must not be kept
		*of = append(*of, in)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read people's sessions: %w", err)
	}
	return sharedcredential.LearnTenantPeople(sharedcredential.EmbeddedModel(), sessions), nil
}
