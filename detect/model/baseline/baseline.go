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

// Baseline is one version of a tenant's baseline: counts that everything else
// follows from. It is published whole and never changed.
type Baseline struct {
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

	Bytes    Amount        `json:"bytes"`  // that a run was given, plus one
	Writes   Amount        `json:"writes"` // of a run, plus one
	PerRoute CallsPerRoute `json:"on_route"`
	Sequence Sequence      `json:"sequence"`

	IdenticalCalls RunCountDistribution `json:"repeated"` // largest count of one identical call, by agent
	NewOnRoute     RunCountDistribution `json:"fresh"`    // calls of a route that repeat nothing and are of a new resource or name none, by route
	Distinct       RunCountDistribution `json:"distinct"` // calls of a run that repeat none before them, by agent
	KnownResources KnownResources       `json:"known"`
	Switches       RunCountDistribution `json:"switches"` // calls of a run on another route than the call before, by agent

	// Of what not every source logs: runs that show none of it teach nothing.
	Irreversible RunCountDistribution `json:"irreversible"` // calls of a run that cannot be undone, by agent
	Parallel     RunCountDistribution `json:"in_row"`       // calls of a run one after another that each began before the one before it had ended, by agent
	Tokens       Amount               `json:"tokens"`       // of a run
	Money        Amount               `json:"money"`        // that a run moved, plus one

	AcrossRuns AcrossRuns `json:"across"`

	Calibration calibrate.Fit `json:"calibration"`
	// Ranks of what runs came to, by agent and by peers; bodies of before have none.
	Ranks calibrate.Ranks `json:"ranks,omitzero"`
	// People are the tenant's own, for sessions that may not be theirs; nil: too few.
	People *sharedcredential.TenantPeople `json:"people,omitempty"`

	CallRates *callrate.Model `json:"pace,omitempty"` // calls in a quarter of an hour; nil in older bodies and where less than two weeks are known
	// Scopes are what runs write on and write to; bodies of before have none.
	Scopes *scope.Model `json:"scopes,omitempty"`

	Versions map[string][]VersionStatus `json:"versions,omitempty"` // of agents that state one; the latest first
	// Tasks are the types of task of agents that are kept, those of most runs first.
	Tasks      map[string][]TaskStatus `json:"tasks,omitempty"`
	Status     map[string]AgentStatus  `json:"life,omitempty"` // by agent
	Provenance Provenance              `json:"from,omitzero"`

	versions, tasks *partCounts // until Finish
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
func New(tenant string) *Baseline {
	amount := func() Amount { return Amount{Groups: map[string]Moments{}, Agents: map[string]Moments{}} }
	return &Baseline{Tenant: tenant, Groups: map[string]Counts{}, Agents: map[string]Counts{}, Routes: map[string]map[string]Counts{},
		Lengths: amount(), Identical: amount(), Bytes: amount(), Writes: amount(), PerRoute: newOnRoute(), Sequence: newSequence(),
		IdenticalCalls: newFinals(), NewOnRoute: newFinals(), Distinct: newFinals(), Switches: newFinals(), KnownResources: newKnown(), AcrossRuns: newAcross(), Irreversible: newFinals(), Parallel: newFinals(), Tokens: amount(), Money: amount()}
}

// TrainingRun is a run to learn from: its steps in order, and the names of their routes.
type TrainingRun struct {
	ID       string
	Agent    string // AgentKey
	Group    string // PeerGroup
	Task     string
	Features []feature.CallFeatures
	Routes   []string
	// Resources that the run named, each once (feature.ResourceHash).
	Resources    []uint64
	Start        int64 // event time of the first call, Unix ns
	RecentMaxima RecentMaxima
	Usage        feature.Usage
	// Version of the agent, as it states it; At is the run's last call, Unix ns.
	Version string
	LastAt  int64
	// TaskTrust is how far Task is to be trusted; TaskType is what scope.Established says.
	TaskTrust schema.Trust
	TaskType  string
	// Alarmed runs are those that nobody has judged yet. They teach no counts, but
	// thresholds: some of them are what false alarms look like.
	Alarmed bool
	// Scope is the run as the guard sees it; nil where that is not known.
	Scope *scope.TrainingRun
	// Trimmed runs lie furthest out by the version before; they teach thresholds alone.
	Trimmed bool
	// Outside runs are those that what the others do would have held; they teach
	// thresholds alone.
	Outside bool
	// Benign is what a person found of a run that alarmed: it teaches like any other.
	Benign bool
}

// Learn takes in a run.
func (b *Baseline) Learn(r *TrainingRun) {
	if len(r.Features) == 0 {
		return
	}
	b.Runs++
	b.Calls += uint64(len(r.Features))
	group, agent := b.Groups[r.Group], b.Agents[r.Agent]
	routes := b.Routes[r.Group]
	if routes == nil {
		routes = map[string]Counts{}
		b.Routes[r.Group] = routes
	}
	identical, bytes, writes := uint32(0), 0.0, 0.0
	onRoute, fresh := map[string]float64{}, map[string]uint64{}
	for i := range r.Features {
		s := &r.Features[i]
		bytes += float64(s.Bytes)
		if s.Write {
			writes++
		}
		onRoute[r.Routes[i]]++
		fresh[r.Routes[i]] = s.NewOnRoute
		b.All.Add(s)
		group.Add(s)
		agent.Add(s)
		route := routes[r.Routes[i]]
		route.Add(s)
		routes[r.Routes[i]] = route
		identical = max(identical, s.Identical)
	}
	b.Groups[r.Group], b.Agents[r.Agent] = group, agent
	b.Lengths.Add(r.Agent, r.Group, float64(len(r.Features)))
	b.Identical.Add(r.Agent, r.Group, float64(identical))
	b.Bytes.Add(r.Agent, r.Group, bytes+1)
	b.Writes.Add(r.Agent, r.Group, writes+1)
	b.PerRoute.add(r.Agent, r.Group, onRoute)
	b.Sequence.add(r.Agent, r.Group, r.Routes)
	last := &r.Features[len(r.Features)-1]
	b.IdenticalCalls.Add(r.Group, r.Agent, uint64(identical))
	b.Distinct.Add(r.Group, r.Agent, last.Distinct)
	b.Switches.Add(r.Group, r.Agent, last.Switches)
	b.AcrossRuns.add(r)
	b.Irreversible.Add(r.Group, r.Agent, r.Usage.Irreversible)
	b.Parallel.Add(r.Group, r.Agent, r.Usage.Parallel)
	if r.Usage.Tokens > 0 {
		b.Tokens.Add(r.Agent, r.Group, float64(r.Usage.Tokens))
	}
	if r.Usage.Money > 0 {
		b.Money.Add(r.Agent, r.Group, r.Usage.Money+1)
	}
	b.KnownResources.add(r.Group, r.Resources)
	for route, n := range fresh {
		b.NewOnRoute.Add(r.Group, route, n)
	}
	b.learnPart(&b.versions, partVersion, r.Version, r)
	b.learnPart(&b.tasks, partTask, r.TaskType, r)
}

// Finish makes what follows from all runs together. A body is finished once, after
// the last run.
func (b *Baseline) Finish() {
	b.PerRoute.finish()
	b.KnownResources.finish()
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
