package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// AgentRow describes an agent with its calls in a time window.
type AgentRow struct {
	AgentID       string   `json:"agent_id"`
	Trust         string   `json:"agent_trust"` // highest trust of its calls
	Source        string   `json:"agent_source"`
	Owner         string   `json:"owner,omitempty"` // owner in the operator's registry
	Tags          []string `json:"tags,omitempty"`
	Criticality   string   `json:"criticality,omitempty"`
	Armed         *bool    `json:"armed,omitempty"`       // all decisions about the agent are enforced; absent: no point responded
	Enforcement   string   `json:"enforcement,omitempty"` // armed, observe or bypassed, according to the running points
	Baseline      string   `json:"baseline,omitempty"`    // state of its baseline, if there is one
	Version       string   `json:"version,omitempty"`     // latest version in its calls
	Versions      uint64   `json:"versions,omitempty"`
	Credentials   []string `json:"credentials"` // at most ten
	CredentialN   uint64   `json:"credential_count"`
	FirstAt       Time     `json:"first_at"`
	LastAt        Time     `json:"last_at"`
	Runs          uint64   `json:"runs"`
	Calls         uint64   `json:"calls"`
	Irreversible  uint64   `json:"irreversible"`
	PrincipalKind string   `json:"-"`
	CallerKind    string   `json:"caller_kind"`
	// Learned is what the newest baseline knows of the agent; absent: that baseline is of an earlier release.
	Learned *schema.Learned `json:"learned,omitempty"`
}

// MaxAgents bounds the agents of Agents and CallingAgents, which return one more if there are more.
const MaxAgents = 10_000

// Agents returns the agents with calls in the window, those with most calls first.
func Agents(ctx context.Context, db DB, since, until time.Time) ([]AgentRow, error) {
	var w where
	w.between("start_time", "start_time", since, until)
	out := []AgentRow{}
	err := each(ctx, db, "agents", `SELECT agent_id, toString(max(agent_trust)) AS trust, argMax(agent_source, agent_trust) AS source,
argMaxIf(agent_version, start_time, agent_version != '') AS version,
uniqExactIf(agent_version, agent_version != '') AS versions, groupUniqArrayIf(10)(credential_id, credential_id != '') AS credentials,
uniqExactIf(credential_id, credential_id != '') AS n,
min(start_time) AS first, max(start_time) AS last, uniqExact(run_id) AS runs, countIf(counted) AS calls, countIf(counted
AND reversibility = 'irreversible') AS irreversible, toString(argMax(caller_kind, caller_confidence)) AS kind
FROM calls `+w.String()+` GROUP BY agent_id HAVING agent_id != '' ORDER BY calls DESC, agent_id `+
		fmt.Sprintf("LIMIT %d", MaxAgents+1), w.params,
		func(r driver.Rows) error {
			var v AgentRow
			err := r.Scan(&v.AgentID, &v.Trust, &v.Source, &v.Version, &v.Versions, &v.Credentials, &v.CredentialN, &v.FirstAt.Time,
				&v.LastAt.Time, &v.Runs, &v.Calls, &v.Irreversible, &v.CallerKind)
			out = append(out, v)
			return err
		})
	if err != nil {
		return nil, err
	}
	return out, baselineStates(ctx, db, out)
}

// CallingAgents returns the agents with calls in the hours of a window, by name. It reads counts, not calls.
func CallingAgents(ctx context.Context, db DB, win Window) ([]string, error) {
	var w where
	w.add("agent_id != '' AND calls > 0")
	win.counted(&w, "hour", time.Hour)
	var out []string
	return out, each(ctx, db, "agents that called", "SELECT DISTINCT agent_id FROM hour_counts "+w.String()+" ORDER BY agent_id "+
		fmt.Sprintf("LIMIT %d", MaxAgents+1), w.params, func(r driver.Rows) error {
		var v string
		err := r.Scan(&v)
		out = append(out, v)
		return err
	})
}

// baselineStates sets the state of the newest baseline for each agent's name.
func baselineStates(ctx context.Context, db DB, agents []AgentRow) error {
	states := map[string]string{}
	err := each(ctx, db, "baselines", `SELECT name, argMax(state, version) FROM baselines GROUP BY name`, nil, func(r driver.Rows) error {
		var name, state string
		err := r.Scan(&name, &state)
		states[name] = state
		return err
	})
	for i := range agents {
		agents[i].Baseline = states[agents[i].AgentID]
	}
	return err
}

// RouteRow is a route with its traffic, its effect, and the source of the effect.
type RouteRow struct {
	Method      string `json:"method,omitempty"`
	Route       string `json:"route,omitempty"`
	Tool        string `json:"tool,omitempty"`
	API         string `json:"api,omitempty"`
	RouteSource string `json:"route_source"`
	// NamedBy is learned or pinned for the route_source overflow; absent: it was not asked.
	NamedBy             string `json:"named_by,omitempty"`
	Effect              string `json:"effect"`
	EffectSource        string `json:"effect_source"`
	Reversibility       string `json:"reversibility"`
	ReversibilitySource string `json:"reversibility_source"`
	Agents              uint64 `json:"agents"`
	Calls               uint64 `json:"calls"`
	Errors              uint64 `json:"errors"`
	Denied              uint64 `json:"denied"`
	LastAt              Time   `json:"last_at"`
	// Undeclared means that the route seems to be unsafe, and that neither the operator nor an
	// OpenAPI document declares its effect.
	Undeclared bool `json:"undeclared"`
}

// StartRow is an agent's use of an irreversible route, with the protections it lacks; or a stranger that used none, and
// then it has no route.
type StartRow struct {
	AgentID  string   `json:"agent_id"`
	Trust    string   `json:"agent_trust"`
	Method   string   `json:"method,omitempty"`
	Route    string   `json:"route,omitempty"`
	Tool     string   `json:"tool,omitempty"`
	Effect   string   `json:"effect"`
	Calls    uint64   `json:"calls"`
	Runs     uint64   `json:"runs"`
	LastAt   Time     `json:"last_at"`
	Owner    string   `json:"owner,omitempty"`
	Declared bool     `json:"declared"` // the operator or an OpenAPI document declares the route
	Missing  []string `json:"missing"`  // some of: gate, manifest, owner, declaration, arming, check
	// Unasked are the gateways that did not send calls of the agent to the check in the last 24 hours.
	Unasked []string `json:"unasked_gateways,omitempty"`
	// Learned is what the newest baseline knows of the agent; absent: that baseline is of an earlier release.
	Learned *schema.Learned `json:"learned,omitempty"`
	// GuardedBy and WouldGuard are set for a stranger: what bounds it already, and what would. AlertsOnly is what is found
	// and does not stop it.
	GuardedBy  []string `json:"guarded_by,omitempty"`
	AlertsOnly []string `json:"alerts_only,omitempty"`
	WouldGuard []string `json:"would_guard,omitempty"`
}

// HasRoute reports whether the row is about the use of a route.
func (u *StartRow) HasRoute() bool { return u.Effect != "" }

// StartHere returns pairs of an agent and an irreversible route, ordered by calls.
func StartHere(ctx context.Context, db DB, since, until time.Time, limit int) ([]StartRow, error) {
	var w where
	w.between("start_time", "start_time", since, until)
	w.add("counted")
	w.add("reversibility = 'irreversible'")
	w.add("outcome NOT IN ('denied', 'client_error')")
	out := []StartRow{}
	err := each(ctx, db, "irreversible routes", `SELECT agent_id, toString(max(agent_trust)), method, route, tool_name,
toString(any(effect)), count() AS n, uniqExact(run_id), max(start_time), countIf(reversibility_source IN ('operator', 'openapi')) = n
FROM calls `+w.String()+fmt.Sprintf(` GROUP BY agent_id, method, route, tool_name ORDER BY n DESC, agent_id, route LIMIT %d`, limit),
		w.params, func(r driver.Rows) error {
			var v StartRow
			err := r.Scan(&v.AgentID, &v.Trust, &v.Method, &v.Route, &v.Tool, &v.Effect, &v.Calls, &v.Runs, &v.LastAt.Time, &v.Declared)
			out = append(out, v)
			return err
		})
	return out, err
}
