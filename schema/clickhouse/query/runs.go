package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// Run is a row of `flyball runs`.
type Run struct {
	RunID             string   `json:"run_id"`
	RunKey            string   `json:"run_key,omitempty"`
	Tenant            string   `json:"tenant"`
	AgentID           string   `json:"agent_id,omitempty"`
	AgentTrust        string   `json:"agent_trust,omitempty"`
	PrincipalID       string   `json:"principal_id,omitempty"`
	CredentialID      string   `json:"credential_id,omitempty"`
	CallerKind        string   `json:"caller_kind,omitempty"`
	RunRule           string   `json:"run_rule"`
	RunConfidence     uint8    `json:"run_confidence"`
	ParentRunID       string   `json:"parent_run_id,omitempty"`
	TaskID            string   `json:"task_id,omitempty"`
	StartedAt         Time     `json:"started_at"`
	LastAt            Time     `json:"last_at"`
	State             string   `json:"state"`
	Calls             uint64   `json:"calls"`
	Errors            uint64   `json:"errors"`
	DistinctRoutes    uint32   `json:"distinct_routes"`
	DistinctResources uint32   `json:"distinct_resources"`
	Irreversible      uint64   `json:"irreversible"`
	BytesOut          uint64   `json:"bytes_out"`
	Score             *float64 `json:"score,omitempty"`
	Level             string   `json:"level"`
	Breaker           string   `json:"breaker,omitempty"`

	// SearchedSince is set by ResolveRun for a term that may be the start of an id: of the ids, those of runs with a call since then
	// were looked at.
	SearchedSince time.Time `json:"-"`

	actorHash uint32 // 0: not known
}

// RunFilter limits runs; zero values do not limit.
type RunFilter struct {
	Agent        string
	Since, Until time.Time
	State        string // open, closed
	MinLevel     string
	Agents       Names    // beside Agent
	Levels       []string // any of these, beside MinLevel; nil: any
	Families     []string // runs with a finding of any of these, whenever it was; nil: any run
	Limit        int
	After        string // cursor of the page before; empty: the first page
}

const runColumns = `toString(run_id), run_key, tenant, agent_id, toString(agent_trust), principal_id, credential_id,
toString(caller_kind), toString(run_rule), run_confidence, toString(parent_run_id), task_id, started_at, last_at, toString(state),
calls, errors, distinct_routes, distinct_resources, irreversible, bytes_out, score, toString(level), b.latest, actor_hash`

func scanRun(r driver.Rows) (Run, error) {
	var v Run
	err := r.Scan(&v.RunID, &v.RunKey, &v.Tenant, &v.AgentID, &v.AgentTrust, &v.PrincipalID, &v.CredentialID,
		&v.CallerKind, &v.RunRule, &v.RunConfidence, &v.ParentRunID, &v.TaskID, &v.StartedAt.Time, &v.LastAt.Time, &v.State,
		&v.Calls, &v.Errors, &v.DistinctRoutes, &v.DistinctResources, &v.Irreversible, &v.BytesOut, &v.Score, &v.Level, &v.Breaker, &v.actorHash)
	if v.ParentRunID == (schema.RunID{}).String() {
		v.ParentRunID = ""
	}
	if v.AgentTrust == "none" {
		v.AgentTrust = ""
	}
	if v.CallerKind == "unknown" {
		v.CallerKind = ""
	}
	return v, err
}

// Runs returns runs, those with the latest last call first. A run is in a window if one of its segments has calls before the
// window's end and after its start.
func Runs(ctx context.Context, db DB, f RunFilter) ([]Run, error) {
	s, _, err := selectionOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	runs, _, err := s.read(ctx, db)
	return runs, err
}

// RunsPage returns a page of runs: those after the cursor of the page before, whose window it has. A cursor of another filter is an
// error.
func RunsPage(ctx context.Context, db DB, f RunFilter) (Page[Run], error) {
	s, question, err := selectionOf(ctx, db, f)
	if err != nil {
		return Page[Run]{}, err
	}
	s.page = true
	rows, more, err := s.read(ctx, db)
	return Page[Run]{rows, question.next(ctx, more)}, err
}

// selectionOf returns the selection of a filter, and the question that it is about.
func selectionOf(ctx context.Context, db DB, f RunFilter) (*selection, *pagedQuestion, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	families := ""
	question := &pagedQuestion{list: "runs", what: []string{"agent", f.Agent, "state", f.State, "min_level", f.MinLevel},
		win: Window{f.Since, f.Until}}
	if len(f.Families) > 0 {
		question.what = append(question.what, "families", fmt.Sprintf("%q", f.Families))
		text, err := json.Marshal(f.Families)
		if err != nil {
			return nil, nil, err
		}
		families = string(text)
	}
	question.what = append(append(question.what, f.Agents.asked("agents")...), levels(f.Levels).asked("levels")...)
	after, err := question.after(ctx, f.After)
	if err != nil {
		return nil, nil, err
	}
	f.Since, f.Until = question.win.Since, question.win.Until
	s := &selection{since: f.Since, until: f.Until, limit: f.Limit, after: after}
	s.window.between("started_at", "last_at", f.Since, f.Until)
	var run where
	actors := ""
	if f.Agent != "" {
		actors = actorsPosted("posted_actor", "agent_id", "agent", Window{}) + " AND "
		run.add("agent_id = {agent:String}", named("agent", f.Agent))
	}
	f.Agents.into(&run, "agent_id", "agents")
	levels(f.Levels).into(&run, "level", "levels")
	if f.MinLevel != "" {
		run.add("level >= {level:String}", named("level", f.MinLevel))
	}
	s.states.params = append(s.states.params, run.params...)
	some := f.Agents.positive()
	actors += some.actorsOf("agent_id", "some_agent_id")
	if actors != "" {
		s.states.add(strings.TrimSuffix(actors, " AND "))
	}
	var agent, level where
	some.into(&agent, "agent_id", "some_agent_id")
	levels(f.Levels).into(&level, "level", "some_level")
	s.states.params = append(append(s.states.params, agent.params...), level.params...)
	switch {
	case f.Agent == "":
	case f.Until.IsZero():
		s.states.add("agent_id = {agent:String}")
	default:
		agent.add("agent_id = {agent:String}")
	}
	if f.MinLevel != "" {
		level.add("level >= {level:String}")
	}
	s.level = allOf(actors, level.conditions)
	switch {
	case f.State == "":
	case f.Until.IsZero():
		s.group = "argMax(state, (segment, version)) = {state:String}"
	case f.State == schema.RunOpen.String(): // most runs are closed: these are not worth a list
		s.states.add(hasState(actors + "state = {state:String}"))
	}
	if f.State != "" {
		s.states.params = append(s.states.params, named("state", f.State))
		run.add("state = {state:String}")
	}
	if families != "" {
		s.states.add(withFinding, named("families", families))
	}
	s.run = strings.Join(run.conditions, " AND ")
	if len(agent.conditions) > 0 {
		err = s.ofAgent(ctx, db, actors, strings.Join(agent.conditions, " AND "))
	}
	return s, question, err
}

// withFinding is the condition on run_states for the runs with a finding of a family.
const withFinding = "(tenant, run_id) IN (SELECT tenant, run_id FROM findings " +
	"WHERE has(JSONExtract({families:String}, 'Array(String)'), family))"

// ErrNotFound is wrapped by the error of a query for something that is not stored.
var ErrNotFound = errors.New("not found")

// Ambiguous is the error for a key that several runs have.
type Ambiguous struct {
	Key        string
	Candidates []Run
	Since      time.Time // as Run.SearchedSince
}

func (a *Ambiguous) Error() string {
	return fmt.Sprintf("%q names %d runs: use the run id of one", a.Key, len(a.Candidates))
}

// ResolveRun returns the run with a run id, the unique start of the id of a run of the last days (startOfIDDays), or a run key. The
// error wraps ErrNotFound or is an Ambiguous.
func ResolveRun(ctx context.Context, db DB, term string) (Run, error) {
	runs, since, err := runsNamed(ctx, db, term)
	switch {
	case err != nil:
		return Run{}, err
	case len(runs) == 1:
		runs[0].SearchedSince = since
		return runs[0], nil
	case len(runs) > 1:
		return Run{}, &Ambiguous{term, runs, since}
	case !since.IsZero():
		return Run{}, fmt.Errorf("run %q: %w: no run has that key, and no id of a run with a call since %s begins so; older runs are found by "+
			"the whole id", term, ErrNotFound, Time{since})
	}
	return Run{}, fmt.Errorf("run %q: %w", term, ErrNotFound)
}

// maxRunCandidates is the maximum number of runs that an ambiguous term lists.
const maxRunCandidates = 50

// startOfIDDays are the days before the newest call of whose runs the ids are compared with the start of an id. Nothing is ordered by
// ids: all of these days are read.
const startOfIDDays = 32

// runsNamed returns the runs with an id, the start of an id, or a key, those with the latest last call first. since is the earliest last
// call of the runs whose ids were compared with the start of one; zero: the term is none.
func runsNamed(ctx context.Context, db DB, term string) (runs []Run, since time.Time, err error) {
	if id, err := schema.ParseRunID(term); err == nil {
		runs, err := runsWithID(ctx, db, []string{id.String()})
		return runs, since, err
	}
	key := selection{found: true, limit: maxRunCandidates, run: "run_key = {key:String}"}
	key.states.add(key.run, named("key", term))
	runs, _, err = key.read(ctx, db)
	low, high, ok := idRange(term)
	if !ok || err != nil {
		return runs, since, err
	}
	newest, err := newestStored(ctx, db)
	if err != nil || newest.IsZero() {
		return runs, since, err
	}
	since = newest.AddDate(0, 0, -startOfIDDays)
	ids := selection{found: true, limit: maxRunCandidates}
	ids.states.add(startOfID(low))
	ids.states.add("UUIDToNum(run_id) BETWEEN unhex({low:String}) AND unhex({high:String})", named("low", low), named("high", high))
	ids.states.between("started_at", "last_at", since, time.Time{})
	begun, _, err := ids.read(ctx, db)
	for i := range begun {
		if !slices.ContainsFunc(runs, func(r Run) bool { return r.RunID == begun[i].RunID && r.Tenant == begun[i].Tenant }) {
			runs = append(runs, begun[i])
		}
	}
	slices.SortStableFunc(runs, func(a, b Run) int { return b.LastAt.Compare(a.LastAt.Time) })
	return runs[:min(len(runs), maxRunCandidates)], since, err
}

// startOfID is the condition for run ids with the first digits of another one, as far as every start of an id has them. It is an equation
// of numbers, which an index knows, and which leaves few ids to be compared as texts.
func startOfID(digits string) string {
	return fmt.Sprintf("%s = 0x%s", clickhouse.RunStart, digits[:schema.MinIDPrefix])
}

// idRange returns the first and the last run id that begins with a text, in hex without dashes; ok is false if the text is not
// the start of an id, or too short.
func idRange(text string) (low, high string, ok bool) {
	const dashes = "00000000-0000-0000-0000-000000000000"
	if len(text) < schema.MinIDPrefix || len(text) >= len(dashes) {
		return "", "", false
	}
	var digits []byte
	for i := range len(text) {
		switch c := text[i]; {
		case (dashes[i] == '-') != (c == '-'):
			return "", "", false
		case c == '-':
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
			digits = append(digits, c)
		default:
			return "", "", false
		}
	}
	rest := 32 - len(digits)
	return string(digits) + strings.Repeat("0", rest), string(digits) + strings.Repeat("f", rest), true
}

// IsStoredName reports whether a name occurs in stored runs. field is agent_id (only of
// established agents), credential_id or principal_id.
func IsStoredName(ctx context.Context, db DB, field, name string) (bool, error) {
	condition, ok := map[string]string{"agent_id": "agent_id = {name:String} AND agent_trust IN ('infrastructure', 'verified')",
		"credential_id": "credential_id = {name:String}", "principal_id": "principal_id = {name:String}"}[field]
	if !ok {
		return false, fmt.Errorf("%q is no field of names", field)
	}
	found := false
	sql := "SELECT 1 FROM run_states WHERE " + actorsPosted("posted_actor", field, "name", Window{}) + " AND " + condition + " LIMIT 1"
	err := each(ctx, db, "a name", sql, []any{named("name", name)}, func(driver.Rows) error {
		found = true
		return nil
	})
	return found, err
}

// RunCaller is who acted in a run; empty: not known.
type RunCaller struct{ Credential, Version string }

// CallerOfRun returns who acted in a run of a tenant.
func CallerOfRun(ctx context.Context, db DB, tenant, run string) (c RunCaller, err error) {
	err = each(ctx, db, "caller of the run", `SELECT credential_id, agent_version FROM runs
WHERE tenant = {tenant:String} AND run_id = {run:UUID} LIMIT 1`, []any{named("tenant", tenant), named("run", run)},
		func(r driver.Rows) error { return r.Scan(&c.Credential, &c.Version) })
	return c, err
}

// RunsWithSimilarKey returns the runs whose keys are most similar to a term, as suggestions for a mistyped key. It looks at the
// runs of the last days in which there are as many with a key.
func RunsWithSimilarKey(ctx context.Context, db DB, term string, limit int) ([]Run, error) {
	s := selection{limit: limit, order: "ngramDistance(any(run_key), {term:String}), at DESC"}
	s.states.add("run_key != ''", named("term", term))
	runs, _, err := s.read(ctx, db)
	return runs, err
}
