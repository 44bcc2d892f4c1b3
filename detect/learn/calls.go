package learn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/route"
)

// DB runs queries in ClickHouse.
type DB interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Window selects the runs to learn from.
type Window struct {
	Tenant       string
	Since, Until time.Time // the last call of a run lies between them
	CallsPerRun  int       // maximum number of calls of a run, the first ones
	only         string    // a further condition on calls, in SQL
	// Renaming gives calls the routes that they would have now; nil: those with which they are stored.
	Renaming *route.Renaming
	// CallsPerSlice is how many stored calls one statement of ReadAll sorts; 0: the default.
	CallsPerSlice uint64
}

// params returns the parameters of a statement about the window.
func (w *Window) params(more ...any) []any {
	return append(more, clickhouse.Named("tenant", w.Tenant), clickhouse.Named("since", fmt.Sprint(w.Since.UnixNano())),
		clickhouse.Named("until", fmt.Sprint(w.Until.UnixNano())))
}

// alarmed is an SQL condition: the run or one of its findings reached the level alert, and no person labelled it benign.
// Findings of the families scope and identity_conflict do not count. Runs outside their scope are found again with the
// scopes that are learned now, and a conflict of names that is never corrected must not stop learning.
const alarmed = `(level >= 'alert' AND run_id NOT IN (` + judgedAs + `= 'benign'))
   OR run_id IN (SELECT run_id FROM findings WHERE tenant = {tenant:String} AND level >= 'alert' AND family NOT IN ('scope',
     'identity_conflict') AND finding_id NOT IN (SELECT finding_id FROM verdicts WHERE tenant = {tenant:String}
       AND verdict = 'benign'))) AS alarmed`

// logged is an SQL condition: the row counts, and somebody other than the check logged the call. A call of which only
// the check knows has no outcome and is not judged, and it counts later than it was stored: learning from it would
// read other rows than the engine judged, and other rows below the same pin.
const logged = `counted AND observer_kind != 'gate'`

// taught is an SQL condition: the row is learned from. Calls that Flyball denied are left out.
const taught = logged + ` AND NOT denied_by_flyball`

// declaresTask is an SQL condition: the row is a request to the check in which an orchestrator declared a task type.
const declaresTask = `observer_kind = 'gate' AND attrs['` + schema.AttrTaskType + `'] != ''`

// inOrder sorts calls in the order in which they were scored: the order of the log, in which calls are sorted by their
// end and not by their start. Rows that are no calls do not take the place of calls.
const inOrder = `
ORDER BY c.run_id, c.calls_partition, c.calls_offset, c.source_offset, c.item
LIMIT {calls:UInt32} BY c.run_id, c.observer_kind = 'gate'`

// StoredCall is a stored call with the features that scoring uses. It is valid until the
// next call is read.
type StoredCall struct {
	feature.Input
	Run, Agent, Group, Task string // Agent is the agent's key, AgentID its name
	AgentID, Route          string
	At                      time.Time
	Reversibility           schema.Reversibility
	First                   bool // it is the first call of its run
	Alarmed                 bool // its run alarmed, and no person found the run benign

	*DecisionFacts // set only by ReadAll
	*ScopeFacts    // set only by ReadRuns
}

// column holds an expression of a query together with the variable that its value is read into, so that both lists
// have the same order.
type column struct {
	sql  string
	into any
}

func selectList(columns []column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.sql
	}
	return strings.Join(list, ", ")
}

func destinations(columns []column) []any {
	list := make([]any, len(columns))
	for i, c := range columns {
		list[i] = c.into
	}
	return list
}

// extraColumns are read after the columns of callRow.
type extraColumns interface {
	columns() []column
	// take copies the values of the current row into the call.
	take(out *StoredCall, c *schema.Call) error
}

// runFacts holds what is known about the run of a call besides its stored calls.
type runFacts struct {
	agentID, task string
	trust         schema.Trust
	taskTrust     schema.Trust
	kind          schema.CallerKind
	alarmed       bool
	decision      *DecisionFacts
}

// callRow is a row of a stored call. In its SQL, c is the table of calls.
type callRow struct {
	run, effect, reversibility                  string
	argsFromURL, resultFromOutcome, failed      bool
	method, template, operation                 string
	undeclared                                  bool   // the route is of the words of the path, or learned or pinned
	path                                        string // of such a call, if the renaming needs it
	amount, currency                            string
	api, server, host                           string
	argsDigest, resultDigest, bytesIn, bytesOut uint64
	resources                                   []string
	at                                          time.Time
	duration                                    int64
	tokensIn, tokensOut                         uint32
}

func (r *callRow) columns() []column {
	return []column{
		{"toString(c.run_id)", &r.run},
		{"c.method", &r.method}, {"c.route", &r.template}, {"c.operation", &r.operation},
		{"c.route_source IN ('heuristic', 'overflow') AND c.tool_name = ''", &r.undeclared},
		{"c.api", &r.api}, {"c.mcp_server", &r.server}, {"c.host", &r.host},
		{"c.args_digest", &r.argsDigest}, {"c.args_digest_basis = 'url'", &r.argsFromURL},
		{"c.result_digest", &r.resultDigest},
		{"c.result_digest_basis = 'outcome' OR c.result_digest_basis = 'none'", &r.resultFromOutcome},
		{"c.bytes_in", &r.bytesIn}, {"c.bytes_out", &r.bytesOut}, {"c.outcome > 'ok'", &r.failed},
		{"toString(c.effect)", &r.effect}, {"toString(c.reversibility)", &r.reversibility}, {"c.resources", &r.resources},
		{"c.start_time", &r.at}, {"c.duration_ns", &r.duration}, {"c.tokens_in", &r.tokensIn}, {"c.tokens_out", &r.tokensOut},
		{"c.attrs['" + route.AttrAmount + "']", &r.amount}, {"c.attrs['" + route.AttrCurrency + "']", &r.currency},
	}
}

// call returns the row as a call, with the fields that features and decisions use.
func (r *callRow) call(w *Window) (c schema.Call, err error) {
	template := r.template
	if r.undeclared {
		template = w.Renaming.Route(r.method, template, r.path)
	}
	c = schema.Call{
		Tenant: w.Tenant, Method: r.method, RouteKey: route.Key(template), Operation: r.operation,
		API: r.api, MCPServer: r.server, Host: r.host,
		ArgsDigest: r.argsDigest, ArgsDigestBasis: schema.DigestLogged, ResultDigest: r.resultDigest, ResultDigestBasis: schema.DigestLogged,
		BytesIn: r.bytesIn, BytesOut: r.bytesOut, Outcome: schema.OutcomeOK, Start: r.at.UnixNano(), DurationNs: r.duration,
		TokensIn: r.tokensIn, TokensOut: r.tokensOut,
	}
	if err := errors.Join(c.Effect.UnmarshalText([]byte(r.effect)), c.Reversibility.UnmarshalText([]byte(r.reversibility))); err != nil {
		return c, err
	}
	if r.argsFromURL {
		c.ArgsDigestBasis = schema.DigestURL
	}
	if r.resultFromOutcome {
		c.ResultDigestBasis = schema.DigestOutcome
	}
	if r.failed {
		c.Outcome = schema.OutcomeServerError
	}
	for _, name := range r.resources {
		c.Resources = append(c.Resources, resource(name))
	}
	if r.amount != "" {
		c.SetAttr(route.AttrAmount, r.amount)
	}
	if r.currency != "" {
		c.SetAttr(route.AttrCurrency, r.currency)
	}
	return c, nil
}

// source says which calls are read and what is read with them.
type source struct {
	only string                     // condition on the rows, in SQL
	more extraColumns               // nil: none
	of   func(run string) *runFacts // of the run of a call, nil: the run is left out; without it nothing is known about runs
}

// calls reads the calls of a source and calls each with them, run by run.
func calls(ctx context.Context, db DB, w Window, from source, each func(*StoredCall)) error {
	var row callRow
	columns := row.columns()
	if w.Renaming.NeedsPaths() { // paths are large
		columns = append(columns, column{"if(c.route_source = 'overflow', c.path, '')", &row.path})
	}
	if from.more != nil {
		columns = append(columns, from.more.columns()...)
	}
	rows, err := db.Query(ctx, "SELECT "+selectList(columns)+" FROM calls AS c WHERE c.tenant = {tenant:String} AND "+from.only+inOrder,
		w.params(clickhouse.Named("calls", fmt.Sprint(w.CallsPerRun)))...)
	if err != nil {
		return fmt.Errorf("read stored runs: %w", err)
	}
	defer rows.Close()
	into := destinations(columns)
	facts := &runFacts{}
	var out StoredCall
	last := ""
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read stored runs: %w", err)
		}
		c, err := row.call(&w)
		if err != nil {
			return fmt.Errorf("read stored runs: %w", err)
		}
		if out.First, last = row.run != last, row.run; out.First && from.of != nil {
			facts = from.of(row.run)
		}
		if facts == nil {
			continue
		}
		c.AgentID, c.AgentTrust = facts.agentID, facts.trust
		out.Run, out.AgentID, out.Task, out.Alarmed, out.At, out.Reversibility = row.run, facts.agentID, facts.task, facts.alarmed, row.at,
			c.Reversibility
		out.DecisionFacts = facts.decision
		if out.First {
			out.Agent, out.Group = baseline.AgentKey(out.AgentID, c.AgentTrust), baseline.PeerGroup(out.AgentID, facts.kind)
		}
		out.Route = feature.RouteName(c.Method, c.RouteKey, c.Operation)
		feature.Extract(&c, &out.Input)
		if from.more != nil {
			if err := from.more.take(&out, &c); err != nil {
				return fmt.Errorf("read stored runs: %w", err)
			}
		}
		each(&out)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read stored runs: %w", err)
	}
	return nil
}

// resource parses "type:id". A name without a colon is an id without a type.
func resource(s string) schema.Resource {
	for i := range len(s) {
		if s[i] == ':' {
			return schema.Resource{Type: s[:i], ID: s[i+1:]}
		}
	}
	return schema.Resource{ID: s}
}
