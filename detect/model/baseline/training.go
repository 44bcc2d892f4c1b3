package baseline

import (
	"flyball/detect/feature"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// TrainingRun is a closed run to learn from.
type TrainingRun struct {
	ID       string
	Agent    string // AgentKey
	Group    string // PeerGroup
	Task     string // task id, as it was logged
	Features []feature.CallFeatures
	Routes   []string // names of the calls' routes
	// Resources that the run named, each once (feature.ResourceHash).
	Resources    []uint64
	Start        int64 // event time of the first call, Unix ns
	RecentMaxima RecentMaxima
	Usage        feature.Usage
	Version      string // of the agent, as the agent states it
	LastAt       int64  // event time of the last call, Unix ns
	TaskTrust    schema.Trust
	TaskType     string // scope.TrustedTaskType
	// Scope holds the run's data for learning scopes; nil: unknown.
	Scope *scope.TrainingRun

	// Runs with one of these marks are used for thresholds and not counted.
	Alarmed bool // it alarmed, and no person found it benign
	Trimmed bool // among the highest scores by the previous version
	Outside bool // its calls would have needed approval by the scope of the other runs

	// Benign means that a person found the run benign: it is counted like any other.
	Benign bool
}

// Learn counts a run. It ignores a run without calls.
func (b *Baseline) Learn(r *TrainingRun) {
	if len(r.Features) == 0 {
		return
	}
	b.Runs++
	b.Calls += uint64(len(r.Features))
	b.learnCalls(r)
	t := sumRun(r)
	b.Lengths.Add(r.Agent, r.Group, float64(len(r.Features)))
	b.Identical.Add(r.Agent, r.Group, float64(t.identical))
	b.Bytes.Add(r.Agent, r.Group, t.bytes+1)
	b.Writes.Add(r.Agent, r.Group, t.writes+1)
	b.PerRoute.add(r.Agent, r.Group, t.onRoute)
	b.Sequence.add(r.Agent, r.Group, r.Routes)
	last := &r.Features[len(r.Features)-1]
	b.IdenticalCalls.Add(r.Group, r.Agent, uint64(t.identical))
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
	b.KnownAPIs.add(r)
	for route, n := range t.newOnRoute {
		b.NewOnRoute.Add(r.Group, route, n)
	}
	if b.versions == nil {
		b.versions, b.tasks = newPartCounts(b.Tenant, partVersion), newPartCounts(b.Tenant, partTask)
	}
	b.versions.learn(r.Version, r)
	b.tasks.learn(r.TaskType, r)
}

// learnCalls counts the events of a run's calls.
func (b *Baseline) learnCalls(r *TrainingRun) {
	group, agent := b.Groups[r.Group], b.Agents[r.Agent]
	routes := b.Routes[r.Group]
	if routes == nil {
		routes = map[string]Counts{}
		b.Routes[r.Group] = routes
	}
	for i := range r.Features {
		f := &r.Features[i]
		b.All.add(f)
		group.add(f)
		agent.add(f)
		route := routes[r.Routes[i]]
		route.add(f)
		routes[r.Routes[i]] = route
	}
	b.Groups[r.Group], b.Agents[r.Agent] = group, agent
}

// runTotals are sums and maxima over the calls of a run.
type runTotals struct {
	identical     uint32 // largest number of identical calls
	bytes, writes float64
	onRoute       map[string]float64 // calls by route
	newOnRoute    map[string]uint64  // new calls by route
}

func sumRun(r *TrainingRun) runTotals {
	t := runTotals{onRoute: map[string]float64{}, newOnRoute: map[string]uint64{}}
	for i := range r.Features {
		f := &r.Features[i]
		t.bytes += float64(f.Bytes)
		if f.Write {
			t.writes++
		}
		t.onRoute[r.Routes[i]]++
		t.newOnRoute[r.Routes[i]] = f.NewOnRoute
		t.identical = max(t.identical, f.Identical)
	}
	return t
}
