package query

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// RunFeature is a figure that every stored run has, so that its distribution can be shown.
//
// The distributions are those of the stored runs. What detect has learned is no source: the table of baselines has no counts, and the
// versions with counts are only in Kafka, as sketches of no time range. The stored scores are none either: they name a feature only where
// it raised a score, so that they have the unusual runs alone.
type RunFeature struct {
	Name  string
	About string
	Unit  FeatureUnit
	sql   string // Float64 of a row of the view runs; NULL: the run has none
}

// FeatureUnit says how the values of a feature are read, and where its distribution has bounds.
type FeatureUnit int

// The units of features.
const (
	Counts  FeatureUnit = iota // whole numbers
	Shares                     // from 0 to 1
	Bytes                      // of data
	Seconds                    // of time
	Scores                     // −ln of rarity
)

// RunFeatures are the features with a distribution, in the order in which a list shows them.
var RunFeatures = []RunFeature{
	{"calls", "calls of a run", Counts, "calls"},
	{"writes", "calls of a run that may change something", Counts, "unsafe"},
	{"irreversible_calls", "calls of a run that cannot be undone", Counts, "irreversible"},
	{"errors", "share of the calls of a run that failed", Shares, "errors / greatest(calls, 1)"},
	{"denied", "share of the calls of a run that were denied", Shares, "denied / greatest(calls, 1)"},
	{"resources", "different resources of a run", Counts, "distinct_resources"},
	{"routes", "different routes of a run", Counts, "distinct_routes"},
	{"bytes_out", "data in the answers of a run", Bytes, "bytes_out"},
	{"tokens", "tokens of a run, in and out; runs without tokens are left out", Counts, "nullIf(tokens_in + tokens_out, 0)"},
	{"duration", "time from the first to the last call of a run", Seconds, "dateDiff('millisecond', started_at, last_at) / 1000"},
	{"score", "score of a run; runs without one are left out", Scores, "score"},
}

// FeatureNamed returns the feature with a name; nil: there is none.
func FeatureNamed(name string) *RunFeature {
	if i := slices.IndexFunc(RunFeatures, func(f RunFeature) bool { return f.Name == name }); i >= 0 {
		return &RunFeatures[i]
	}
	return nil
}

// The populations of distributions.
const (
	OfAgent  = "agent"  // the runs of an agent
	OfPeers  = "peers"  // those of the other agents of its peer group
	OfAgents = "agents" // those of every agent
	OfHumans = "humans" // those of people who call themselves
)

// Population is a population with one value for each of its runs.
type Population struct {
	Name   string // one of the populations
	Group  string // of peers: the peer group
	Values []RunValue
	// Sampled reports that there are more runs: those of Values were chosen by a hash of their ids, which says nothing about what they
	// did, and which chooses the same ones each time.
	Sampled bool
}

// RunValue is the value of a feature in a run.
type RunValue struct {
	At    time.Time // start of the run
	Value float64
}

const (
	// sampledRuns is the maximum number of runs of a population: a share of it is then known within 3 per cent points in 19 of 20 cases.
	sampledRuns = 1000
	// sampledStates is how many stored states are read for them, of which several can be of one run.
	sampledStates = 4 * sampledRuns
)

// Distributions reads the values of a feature in the runs of a window: those of an agent, of the other agents of its peer group in the
// newest baseline, and of people in its tenants. Without an agent they are those of all agents, and of people. A population without
// runs has no values; an agent of which no baseline is stored has no peers.
func Distributions(ctx context.Context, db DB, f *RunFeature, agent string, win Window) ([]Population, error) {
	callers, tenants, err := agentAndPeers(ctx, db, agent, win)
	if err != nil {
		return nil, err
	}
	humans, err := people(ctx, db, tenants, win)
	if err != nil {
		return nil, err
	}
	var out []Population
	for _, s := range append(callers, humans) {
		if err := s.readValues(ctx, db, f); err != nil {
			return nil, err
		}
		out = append(out, s.of)
	}
	return out, nil
}

// agentAndPeers chooses runs of an agent and of its peers, or those of all agents, and returns the tenants of the agent; nil: any.
func agentAndPeers(ctx context.Context, db DB, agent string, win Window) (out []*sampled, tenants []string, err error) {
	if agent == "" {
		all, err := sample(ctx, db, Population{Name: OfAgents}, "run_states", statesOf("agent_id != ''", win))
		return []*sampled{all}, nil, err
	}
	w := statesOf("agent_id = {agent:String} AND "+actorsPosted("posted_actor", "agent_id", "agent", Window{}), win)
	w.params = append(w.params, named("agent", agent))
	own, err := sample(ctx, db, Population{Name: OfAgent}, "run_states", w)
	if err != nil {
		return nil, nil, err
	}
	group, names, tenants, more, err := peersOf(ctx, db, agent)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range own.refs {
		if !slices.Contains(tenants, r.tenant) {
			tenants = append(tenants, r.tenant)
		}
	}
	peers := &sampled{of: Population{Name: OfPeers, Group: group}}
	if len(names) > 0 {
		w = statesOf(inList("agent_id", "peers")+" AND "+inList("tenant", "tenants")+" AND posted_actor IN (SELECT toUInt32(0) UNION ALL "+
			"SELECT actor_hash FROM postings WHERE kind = 'agent_id' AND "+inList("value", "peers")+")", win)
		w.params = append(w.params, list("peers", names), list("tenants", tenants))
		if peers, err = sample(ctx, db, peers.of, "run_states", w); err == nil {
			peers.of.Sampled = peers.of.Sampled || more
		}
	}
	return []*sampled{own, peers}, append([]string{}, tenants...), err
}

// sampled is a population before the values of its runs are read.
type sampled struct {
	of   Population
	refs []runRef
}

// statesOf selects the states of runs in a window.
func statesOf(condition string, win Window) *where {
	w := &where{}
	w.add(condition)
	w.between("started_at", "last_at", win.Since, win.Until)
	return w
}

// sample chooses runs of a population: it reads the states of a table with the lowest hashes of the ids of their runs.
func sample(ctx context.Context, db DB, p Population, table string, states *where) (*sampled, error) {
	sql := fmt.Sprintf("SELECT tenant, actor_hash AS actor, run_id, last_at AS at FROM %s %s ORDER BY cityHash64(run_id), run_id LIMIT %d",
		table, states, sampledStates)
	found, err := readRefs(ctx, db, "a sample of runs", sql, states.params)
	if err != nil {
		return nil, err
	}
	out := &sampled{of: p}
	out.of.Sampled = len(found) == sampledStates
	for _, r := range found { // the states of a run follow each other
		if n := len(out.refs); n == 0 || out.refs[n-1].id != r.id || out.refs[n-1].tenant != r.tenant {
			out.refs = append(out.refs, r)
		}
	}
	if len(out.refs) > sampledRuns {
		out.refs, out.of.Sampled = out.refs[:sampledRuns], true
	}
	return out, nil
}

// people chooses runs of people. Those of tables of schema version 4 are not in it: it says nothing of who called.
func people(ctx context.Context, db DB, tenants []string, win Window) (*sampled, error) {
	w := statesOf("caller_kind = 'human'", win)
	if tenant := boundTenant(db); tenant != "" {
		tenants = []string{tenant}
	}
	if tenants != nil {
		w.add(inList("tenant", "tenants"), list("tenants", tenants))
	}
	return sample(ctx, db, Population{Name: OfHumans}, "runs_v5", w)
}

// readValues reads the values of a feature in the chosen runs.
func (s *sampled) readValues(ctx context.Context, db DB, f *RunFeature) error {
	for refs := range listed(s.refs) {
		sql := "SELECT started_at, toFloat64(assumeNotNull(value)) FROM (SELECT started_at, " + f.sql + " AS value FROM runs WHERE " +
			runsOf(refs) + ") WHERE isNotNull(value)"
		if err := each(ctx, db, "values of runs", sql, nil, func(r driver.Rows) error {
			var v RunValue
			err := r.Scan(&v.At, &v.Value)
			s.of.Values = append(s.of.Values, v)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// maxPeers is the maximum number of baselines of a peer group that are read, over all tenants.
const maxPeers = 1000

// newestVersions selects the newest version of the baseline of each tenant.
const newestVersions = "(tenant, version) IN (SELECT tenant, max(version) FROM baselines GROUP BY tenant)"

// peersOf returns the peer group of an agent in the newest baseline, the other agents in it, and the tenants whose baselines know it.
// An agent whose name is only claimed is nobody's peer. more reports that there are more than maxPeers.
func peersOf(ctx context.Context, db DB, agent string) (group string, names, tenants []string, more bool, err error) {
	sql := `SELECT tenant, name, JSONExtractString(body, 'group') AS peers FROM baselines WHERE ` + newestVersions + ` AND (tenant, peers) IN (
SELECT tenant, JSONExtractString(body, 'group') FROM baselines WHERE name = {agent:String} AND ` + newestVersions + `)
AND NOT startsWith(name, '~') ORDER BY name, tenant LIMIT ` + strconv.Itoa(maxPeers+1)
	read := 0
	err = each(ctx, db, "peers", sql, []any{named("agent", agent)}, func(r driver.Rows) error {
		var tenant, name, of string
		err := r.Scan(&tenant, &name, &of)
		if read++; read > maxPeers {
			more = true
			return err
		}
		if group = cmp.Or(of, group); name == agent {
			tenants = append(tenants, tenant)
		} else if of != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		return err
	})
	return group, names, tenants, more, err
}

// inList is the condition that a column has a value of a list, which is a parameter.
func inList(column, param string) string {
	return fmt.Sprintf("%s IN (SELECT arrayJoin(JSONExtract({%s:String}, 'Array(String)')))", column, param)
}

// list returns a list of texts as a parameter.
func list(param string, of []string) any {
	text, err := json.Marshal(append([]string{}, of...))
	if err != nil {
		panic(err) // of texts
	}
	return named(param, strings.ToValidUTF8(string(text), "�"))
}
