package learn

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/ClickHouse/clickhouse-go/v2"

	"flyball/detect/feature"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
	"flyball/schema/route"
)

// peoples selects the newest sessions of a slice in people's names, at most sessionsOfOne of a person. Suspected sessions
// are included: without them every refit would suspect more sessions. Sessions with a finding that a person labelled true
// or test are left out. %s is the slice.
const peoples = `SELECT toString(run_id), actor_hash, toUnixTimestamp64Nano(started_at), toUnixTimestamp64Nano(last_at) AS last, calls,
  principal_id, credential_id, actor
FROM %s
WHERE (state = 'closed' OR last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC') - INTERVAL 1 HOUR)
  AND run_rule != 'overflow' AND sampled_calls = 0 AND calls >= {least:UInt32}
  AND last_at > fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
  AND (caller_kind = 'human' OR principal_kind = 'human') AND NOT (agent_id != '' AND agent_trust >= 'infrastructure')
  AND run_id NOT IN (` + judgedAs + `IN ('true', 'test')))
ORDER BY last DESC, toString(run_id)
LIMIT {per:UInt32} BY principal_id, credential_id, actor
LIMIT {most:UInt32}`

// theirColumns are the columns of the calls of these sessions that scoring uses.
const theirColumns = `SELECT toString(run_id), method, route, path, operation, args_digest,
  result_digest_basis = 'outcome' OR result_digest_basis = 'none', result_digest, bytes_in, bytes_out,
       outcome = 'unknown', outcome > 'ok', toString(effect), resources, start_time, ts_basis = 'kafka', api, mcp_server, host
FROM calls AS c
WHERE tenant = {tenant:String} AND `

const theirsInOrder = `
ORDER BY run_id, calls_partition, calls_offset, source_offset, item
LIMIT {calls:UInt32} BY run_id`

const (
	sessionsOfOne  = 3     // sessions of a person: one busy person must not dominate
	maxSessions    = 5_000 // sessions of a baseline
	callsOfSession = 200   // calls of a session
)

// person is one whose sessions are counted together.
type person struct{ principal, credential, actor string }

// session is a session in a person's name.
type session struct {
	SelectedRun
	of person
}

// newer orders sessions: the newest first.
func newer(a, b session) int {
	return cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(a.ID, b.ID))
}

// newestSessions returns the newest sessions: at most sessionsOfOne of a person, and at most maxSessions.
func newestSessions(of []session) []session {
	slices.SortFunc(of, newer)
	seen := map[person]int{}
	of = slices.DeleteFunc(of, func(s session) bool {
		seen[s.of]++
		return seen[s.of] > sessionsOfOne
	})
	return of[:min(len(of), maxSessions)]
}

// readSessions selects the sessions to learn from.
func readSessions(ctx context.Context, db DB, w Window, parts []Slice) ([]SelectedRun, error) {
	params := w.params(clickhouse.Named("least", fmt.Sprint(sharedcredential.MinSessionCalls)),
		clickhouse.Named("per", fmt.Sprint(sessionsOfOne)), clickhouse.Named("most", fmt.Sprint(maxSessions)))
	var all []session
	for i := range parts {
		if !parts[i].people {
			continue
		}
		err := each(ctx, db, "people's sessions", fmt.Sprintf(peoples, parts[i].runs()), params, func(scan func(...any) error) error {
			var s session
			err := scan(&s.ID, &s.Actor, &s.StartedAt, &s.At, &s.Calls, &s.of.principal, &s.of.credential, &s.of.actor)
			all = append(all, s)
			return err
		})
		if err != nil {
			return nil, err
		}
		all = newestSessions(all)
	}
	var out []SelectedRun
	for _, s := range all {
		out = append(out, s.SelectedRun)
	}
	slices.SortFunc(out, inTableOrder)
	return out, nil
}

// ReadPeople learns how sessions of a tenant's own people look. It returns nil when there are too few sessions to
// estimate how rare a value is among them.
func ReadPeople(ctx context.Context, db DB, w Window) (*sharedcredential.TenantPeople, error) {
	db = Quietly(db)
	parts, err := planSlices(ctx, db, w, callsPerSlice)
	if err != nil {
		return nil, err
	}
	return readPeople(ctx, db, w, parts)
}

func readPeople(ctx context.Context, db DB, w Window, parts []Slice) (*sharedcredential.TenantPeople, error) {
	runs, err := readSessions(ctx, db, w, parts)
	if err != nil {
		return nil, err
	}
	sessions := map[string][]sharedcredential.Input{}
	for chunk := range chunksOf(runs) {
		if err := readTheirCalls(ctx, db, w, selectedCalls(chunk, parts[0].legacy != legacyNone), sessions); err != nil {
			return nil, err
		}
	}
	var ordered [][]sharedcredential.Input
	for _, run := range slices.Sorted(maps.Keys(sessions)) {
		ordered = append(ordered, sessions[run])
	}
	return sharedcredential.LearnTenantPeople(sharedcredential.EmbeddedModel(), ordered), nil
}

// readTheirCalls adds the calls of the sessions that only selects.
func readTheirCalls(ctx context.Context, db DB, w Window, only string, sessions map[string][]sharedcredential.Input) error {
	rows, err := db.Query(ctx, theirColumns+only+" AND "+taught+w.only+theirsInOrder,
		w.params(clickhouse.Named("calls", fmt.Sprint(callsOfSession)))...)
	if err != nil {
		return fmt.Errorf("read people's sessions: %w", err)
	}
	defer rows.Close()
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
			return fmt.Errorf("read people's sessions: %w", err)
		}
		if err := c.Effect.UnmarshalText([]byte(effect)); err != nil {
			return err
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
			run, last = feature.RunMemory{}, id
		}
		feature.Extract(&c, &call)
		step := run.Add(&call)
		in := sharedcredential.FromCall(&c, &step)
		in.Area = unique.Make(in.Area).Value() // a part of the call's strings, which must not be kept
		sessions[id] = append(sessions[id], in)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read people's sessions: %w", err)
	}
	return nil
}
