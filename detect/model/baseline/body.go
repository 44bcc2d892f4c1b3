package baseline

import (
	"math"
	"strings"

	"flyball/detect/feature"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
)

// Body is one version of a tenant's baseline: counts that everything else
// follows from. It is published whole and never changed.
type Body struct {
	Tenant  string `json:"tenant"`
	Version string `json:"version"`
	MadeAt  int64  `json:"made_at_ns"`
	Since   int64  `json:"since_ns"` // start of the earliest run, Unix ns
	Until   int64  `json:"until_ns"` // no run closed after this was looked at
	Runs    uint64 `json:"runs"`
	Calls   uint64 `json:"calls"`

	All    Counts                       `json:"all"`
	Groups map[string]Counts            `json:"groups"`
	Agents map[string]Counts            `json:"agents"`
	Routes map[string]map[string]Counts `json:"routes"` // group, route name

	Lengths   Amount `json:"lengths"`   // calls of a run
	Identical Amount `json:"identical"` // largest count of one identical call in a run

	Bytes    Amount   `json:"bytes"`  // that a run was given, plus one
	Writes   Amount   `json:"writes"` // of a run, plus one
	Counts   OnRoute  `json:"on_route"`
	Sequence Sequence `json:"sequence"`

	Repeated Finals `json:"repeated"` // largest count of one identical call, by agent
	Fresh    Finals `json:"fresh"`    // calls of a route that repeat nothing and are of a new resource or name none, by route
	Distinct Finals `json:"distinct"` // calls of a run that repeat none before them, by agent
	Known    Known  `json:"known"`
	Switches Finals `json:"switches"` // calls of a run on another route than the call before, by agent

	// Of what not every source logs: runs that show none of it teach nothing.
	Irreversible Finals `json:"irreversible"` // calls of a run that cannot be undone, by agent
	InRow        Finals `json:"in_row"`       // calls of a run one after another that each began before the one before it had ended, by agent
	Tokens       Amount `json:"tokens"`       // of a run
	Money        Amount `json:"money"`        // that a run moved, plus one

	Across Across `json:"across"`

	Calibration calibrate.Fit `json:"calibration"`
	// Ranks of what runs came to, by agent and by peers; bodies of before have none.
	Ranks calibrate.Ranks `json:"ranks,omitzero"`
	// People are the tenant's own, for sessions that may not be theirs; nil: too few.
	People *sharedcredential.Own `json:"people,omitempty"`

	Pace *callrate.Body `json:"pace,omitempty"` // calls in a quarter of an hour; nil in older bodies and where less than two weeks are known
	// Scopes are what runs write on and write to; bodies of before have none.
	Scopes *scope.Body `json:"scopes,omitempty"`

	Versions map[string][]VersionLife `json:"versions,omitempty"` // of agents that state one; the latest first
	// Tasks are the types of task of agents that are kept, those of most runs first.
	Tasks map[string][]TaskLife `json:"tasks,omitempty"`
	Life  map[string]Life       `json:"life,omitempty"` // by agent
	From  Provenance            `json:"from,omitzero"`

	versions, tasks *parts // until Finish
}

// Amount is what is known of one amount of a run.
type Amount struct {
	All    Moments            `json:"all"`
	Groups map[string]Moments `json:"groups"`
	Agents map[string]Moments `json:"agents"`
}

// Add takes in a run's amount. What is less than 1, or no number, counts as 1: one
// logarithm of it would be the end of every sum.
func (a *Amount) Add(agent, group string, v float64) {
	if !(v >= 1) {
		v = 1
	}
	x := math.Log(min(v, math.MaxFloat64))
	a.All.Add(x)
	m := a.Groups[group]
	m.Add(x)
	a.Groups[group] = m
	m = a.Agents[agent]
	m.Add(x)
	a.Agents[agent] = m
}

// New is a body without runs.
func New(tenant string) *Body {
	amount := func() Amount { return Amount{Groups: map[string]Moments{}, Agents: map[string]Moments{}} }
	return &Body{Tenant: tenant, Groups: map[string]Counts{}, Agents: map[string]Counts{}, Routes: map[string]map[string]Counts{},
		Lengths: amount(), Identical: amount(), Bytes: amount(), Writes: amount(), Counts: newOnRoute(), Sequence: newSequence(),
		Repeated: newFinals(), Fresh: newFinals(), Distinct: newFinals(), Switches: newFinals(), Known: newKnown(), Across: newAcross(), Irreversible: newFinals(), InRow: newFinals(), Tokens: amount(), Money: amount()}
}

// Run is a run to learn from: its steps in order, and the names of their routes.
type Run struct {
	ID     string
	Agent  string // AgentKey
	Group  string // PeerGroup
	Task   string
	Steps  []feature.Step
	Routes []string
	// Resources that the run named, each once (feature.ResourceHash).
	Resources []uint64
	Start     int64 // event time of the first call, Unix ns
	Latest    Latest
	Spent     feature.Spent
	// Version of the agent, as it states it; At is the run's last call, Unix ns.
	Version string
	At      int64
	// TaskTrust is how far Task is to be trusted; TaskType is what scope.Established says.
	TaskTrust schema.Trust
	TaskType  string
	// Alarmed runs are those that nobody has judged yet. They teach no counts, but
	// thresholds: some of them are what false alarms look like.
	Alarmed bool
	// Scope is the run as the guard sees it; nil where that is not known.
	Scope *scope.Run
	// Trimmed runs lie furthest out by the version before; they teach thresholds alone.
	Trimmed bool
	// Outside runs are those that what the others do would have held; they teach
	// thresholds alone.
	Outside bool
	// Benign is what a person found of a run that alarmed: it teaches like any other.
	Benign bool
}

// Learn takes in a run.
func (b *Body) Learn(r *Run) {
	if len(r.Steps) == 0 {
		return
	}
	b.Runs++
	b.Calls += uint64(len(r.Steps))
	group, agent := b.Groups[r.Group], b.Agents[r.Agent]
	routes := b.Routes[r.Group]
	if routes == nil {
		routes = map[string]Counts{}
		b.Routes[r.Group] = routes
	}
	identical, bytes, writes := uint32(0), 0.0, 0.0
	onRoute, fresh := map[string]float64{}, map[string]uint64{}
	for i := range r.Steps {
		s := &r.Steps[i]
		bytes += float64(s.Bytes)
		if s.Write {
			writes++
		}
		onRoute[r.Routes[i]]++
		fresh[r.Routes[i]] = s.FreshOnRoute
		b.All.Add(s)
		group.Add(s)
		agent.Add(s)
		route := routes[r.Routes[i]]
		route.Add(s)
		routes[r.Routes[i]] = route
		identical = max(identical, s.Identical)
	}
	b.Groups[r.Group], b.Agents[r.Agent] = group, agent
	b.Lengths.Add(r.Agent, r.Group, float64(len(r.Steps)))
	b.Identical.Add(r.Agent, r.Group, float64(identical))
	b.Bytes.Add(r.Agent, r.Group, bytes+1)
	b.Writes.Add(r.Agent, r.Group, writes+1)
	b.Counts.add(r.Agent, r.Group, onRoute)
	b.Sequence.add(r.Agent, r.Group, r.Routes)
	last := &r.Steps[len(r.Steps)-1]
	b.Repeated.Add(r.Group, r.Agent, uint64(identical))
	b.Distinct.Add(r.Group, r.Agent, last.Distinct)
	b.Switches.Add(r.Group, r.Agent, last.Switches)
	b.Across.add(r)
	b.Irreversible.Add(r.Group, r.Agent, r.Spent.Irreversible)
	b.InRow.Add(r.Group, r.Agent, r.Spent.InRow)
	if r.Spent.Tokens > 0 {
		b.Tokens.Add(r.Agent, r.Group, float64(r.Spent.Tokens))
	}
	if r.Spent.Money > 0 {
		b.Money.Add(r.Agent, r.Group, r.Spent.Money+1)
	}
	b.Known.Add(r.Group, r.Resources)
	for route, n := range fresh {
		b.Fresh.Add(r.Group, route, n)
	}
	b.learnPart(&b.versions, ofVersion, r.Version, r)
	b.learnPart(&b.tasks, ofTask, r.TaskType, r)
}

// Finish makes what follows from all runs together. A body is finished once, after
// the last run.
func (b *Body) Finish() {
	b.Counts.finish()
	b.Known.finish()
	b.finishVersions()
	b.finishTasks()
}

// Humans is the peer group of people.
const Humans = "humans"

// AgentKey is the name under which an agent's runs are learned and looked up. A
// name that the caller only asserted is kept apart: it teaches nothing to, and
// uses nothing of, the agent whose name is established.
func AgentKey(agent string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure && agent != "" {
		return "~" + agent
	}
	return agent
}

// PeerGroup is whom an agent is compared with: people with people, and agents
// whose ids share what comes before the first slash.
func PeerGroup(agent string, kind schema.CallerKind) string {
	if kind == schema.CallerHuman {
		return Humans
	}
	group, _, _ := strings.Cut(agent, "/")
	return group
}
