package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/route"
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
	only         string    // a further condition on calls, in SQL
}

// alarmed is true of a run that was alarmed on and that no person found benign. A
// hold is no alarm: runs that were outside their scope are told by the scopes that
// are learned now, and a name that was never set right is no reason to learn nothing.
const alarmed = `(level >= 'alert' AND run_id NOT IN (SELECT run_id FROM findings WHERE tenant = {tenant:String} AND finding_id IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict = 'benign'))
   OR run_id IN (SELECT run_id FROM findings WHERE tenant = {tenant:String} AND level >= 'alert' AND family NOT IN ('scope', 'identity_conflict') AND finding_id NOT IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String} AND verdict = 'benign'))) AS alarmed`

// callsOf are the calls of picked runs; %s are columns that only some readers want.
const callsOf = `SELECT toString(c.run_id), p.trust, p.agent, p.kind, p.task, p.alarmed,
       c.method, c.route, c.operation, c.args_digest, c.args_digest_basis = 'url', c.bytes_in, c.result_digest_basis = 'outcome' OR c.result_digest_basis = 'none', c.result_digest, c.bytes_out,
       c.outcome > 'ok', toString(c.effect), c.resources, c.start_time, toString(c.reversibility),
       c.duration_ns, c.tokens_in, c.tokens_out, c.attrs['` + route.AttrAmount + `'], c.attrs['` + route.AttrCurrency + `']%s
FROM calls AS c INNER JOIN picked AS p ON c.run_id = p.run_id
WHERE c.tenant = {tenant:String} AND c.observer_kind != 'gate' AND c.attrs['observation_of'] = '' AND NOT (c.outcome = 'denied' AND c.denied_by IN ('flyball', 'ext_authz'))`

// inOrder is the order in which they were scored: that of the log, where a call that
// ends first stands first, whenever it began.
const inOrder = `
ORDER BY c.run_id, c.calls_partition, c.calls_offset, c.source_offset, c.item
LIMIT {calls:UInt32} BY c.run_id`

// StoredCall is a stored call as scoring would see it. It is valid until the next one.
type StoredCall struct {
	feature.Input
	Run, Agent, Group, Task string // Agent is its key, AgentID its name
	AgentID, Route          string
	At                      time.Time
	Reversibility           schema.Reversibility
	First                   bool // of its run
	Alarmed                 bool // its run was, and no person found it benign

	*DecisionFacts // what only All reads
	*ScopeFacts    // what only Teaching reads
}

// extraColumns are columns behind those of callsOf.
type extraColumns interface {
	columns() string
	// into is where a row's are read to.
	into() []any
	// take puts what was read of a row into the call.
	take(out *StoredCall, c *schema.Call) error
}

func calls(ctx context.Context, db DB, picked string, w Window, more extraColumns, each func(*StoredCall)) error {
	columns, into := "", []any(nil)
	if more != nil {
		columns, into = more.columns(), more.into()
	}
	rows, err := db.Query(ctx, "WITH picked AS ("+picked+") "+fmt.Sprintf(callsOf, columns)+w.only+inOrder, clickhouse.Named("tenant", w.Tenant),
		clickhouse.Named("since", fmt.Sprint(w.Since.UnixNano())), clickhouse.Named("until", fmt.Sprint(w.Until.UnixNano())),
		clickhouse.Named("per", fmt.Sprint(w.PerAgent)), clickhouse.Named("calls", fmt.Sprint(w.CallsPerRun)))
	if err != nil {
		return fmt.Errorf("ask for stored runs: %w", err)
	}
	defer rows.Close()
	var out StoredCall
	last := ""
	for rows.Next() {
		var trust, kind, method, template, operation, effect, reversibility, amount, currency string
		var duration int64
		var tokensIn, tokensOut uint32
		var args, given, result, bytes uint64
		var byURL, byBytes, failed bool
		var resources []string
		if err := rows.Scan(append([]any{&out.Run, &trust, &out.AgentID, &kind, &out.Task, &out.Alarmed, &method, &template, &operation, &args, &byURL, &given, &byBytes, &result, &bytes, &failed, &effect, &resources, &out.At, &reversibility,
			&duration, &tokensIn, &tokensOut, &amount, &currency}, into...)...); err != nil {
			return fmt.Errorf("read stored runs: %w", err)
		}
		var t schema.Trust
		var k schema.CallerKind
		var e schema.Effect
		if err := errors.Join(t.UnmarshalText([]byte(trust)), k.UnmarshalText([]byte(kind)), e.UnmarshalText([]byte(effect)), out.Reversibility.UnmarshalText([]byte(reversibility))); err != nil {
			return err
		}
		key := route.Key(template)
		out.First, last = out.Run != last, out.Run
		out.Agent, out.Group, out.Route = baseline.AgentKey(out.AgentID, t), baseline.PeerGroup(out.AgentID, k), feature.RouteName(method, key, operation)
		c := schema.Call{Method: method, RouteKey: key, Operation: operation, ArgsDigest: args, BytesIn: given, BytesOut: bytes, Effect: e, ArgsDigestBasis: schema.DigestLogged, ResultDigest: result, ResultDigestBasis: schema.DigestLogged, Outcome: schema.OutcomeOK,
			Start: out.At.UnixNano(), DurationNs: duration, Reversibility: out.Reversibility, TokensIn: tokensIn, TokensOut: tokensOut, AgentID: out.AgentID, AgentTrust: t, Tenant: w.Tenant}
		if byURL {
			c.ArgsDigestBasis = schema.DigestURL
		}
		if byBytes {
			c.ResultDigestBasis = schema.DigestOutcome
		}
		if failed {
			c.Outcome = schema.OutcomeServerError
		}
		for _, r := range resources {
			c.Resources = append(c.Resources, resource(r))
		}
		if amount != "" {
			c.SetAttr(route.AttrAmount, amount)
		}
		if currency != "" {
			c.SetAttr(route.AttrCurrency, currency)
		}
		feature.Extract(&c, &out.Input)
		if more != nil {
			if err := more.take(&out, &c); err != nil {
				return fmt.Errorf("read stored runs: %w", err)
			}
		}
		each(&out)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ask for stored runs: %w", err)
	}
	return nil
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
