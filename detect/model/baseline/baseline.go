package baseline

import (
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
	"flyball/detect/model/sharedcredential"
)

// Baseline is one version of a tenant's baseline: counts from which rates, amounts and
// thresholds follow. It is published whole and not changed after.
type Baseline struct {
	Tenant  string `json:"tenant"`
	Version string `json:"version"`
	MadeAt  int64  `json:"made_at_ns"` // Unix ns
	Since   int64  `json:"since_ns"`   // start of the earliest run, Unix ns
	Until   int64  `json:"until_ns"`   // no run that closed after this was looked at, Unix ns
	Runs    uint64 `json:"runs"`       // that taught
	Calls   uint64 `json:"calls"`      // of those runs

	// Eligible calls and events of everybody, of peer groups, of agents, and of routes
	// within a peer group (group, route name).
	All    Counts                       `json:"all"`
	Groups map[string]Counts            `json:"groups"`
	Agents map[string]Counts            `json:"agents"`
	Routes map[string]map[string]Counts `json:"routes"`

	Lengths   Amount `json:"lengths"`   // calls of a run
	Identical Amount `json:"identical"` // largest number of identical calls in a run

	Bytes    Amount        `json:"bytes"`  // bytes of the answers of a run, plus one
	Writes   Amount        `json:"writes"` // calls of a run that may change something, plus one
	PerRoute CallsPerRoute `json:"on_route"`
	Sequence Sequence      `json:"sequence"`

	// Counts of a run, by agent; NewOnRoute by route.
	IdenticalCalls RunCountDistribution `json:"repeated"` // largest number of identical calls
	NewOnRoute     RunCountDistribution `json:"fresh"`    // calls of the route that are no repeat and name a new resource or none
	Distinct       RunCountDistribution `json:"distinct"` // calls that repeat no earlier one
	KnownResources KnownResources       `json:"known"`
	Switches       RunCountDistribution `json:"switches"` // calls on another route than the call before

	// What not every source logs. Runs that show none of it teach nothing here.
	Irreversible RunCountDistribution `json:"irreversible"` // calls that cannot be undone
	Parallel     RunCountDistribution `json:"in_row"`       // longest row of calls that each began before the one before had ended
	Tokens       Amount               `json:"tokens"`       // of a run, in and out
	Money        Amount               `json:"money"`        // that a run moved, in units of its currency, plus one

	AcrossRuns AcrossRuns `json:"across"`

	// Calibration is fitted to the final scores of clean runs.
	Calibration calibrate.Fit `json:"calibration"`
	// Ranks hold the final scores by agent and by peer group. Baselines of earlier
	// releases have none.
	Ranks calibrate.Ranks `json:"ranks,omitzero"`
	// People describes the sessions of the tenant's own people; nil: too few are known.
	People *sharedcredential.TenantPeople `json:"people,omitempty"`

	// CallRates are calls in a quarter of an hour; nil: less than two weeks are known.
	CallRates *callrate.Model `json:"pace,omitempty"`
	// Scopes are the routes and targets that runs write to; nil: none are known.
	Scopes *scope.Model `json:"scopes,omitempty"`

	// Versions of agents that name one, the latest first.
	Versions map[string][]VersionStatus `json:"versions,omitempty"`
	// Tasks are the task types of agents whose counts are kept, those of most runs first.
	Tasks map[string][]TaskStatus `json:"tasks,omitempty"`
	// Status of each agent.
	Status     map[string]AgentStatus `json:"life,omitempty"`
	Provenance Provenance             `json:"from,omitzero"`

	versions, tasks *partCounts // until Finish
}

// New is a baseline without runs.
func New(tenant string) *Baseline {
	return &Baseline{
		Tenant: tenant, Groups: map[string]Counts{}, Agents: map[string]Counts{}, Routes: map[string]map[string]Counts{},
		Lengths: newAmount(), Identical: newAmount(), Bytes: newAmount(), Writes: newAmount(), Tokens: newAmount(), Money: newAmount(),
		IdenticalCalls: newDistribution(), NewOnRoute: newDistribution(), Distinct: newDistribution(), Switches: newDistribution(),
		Irreversible: newDistribution(), Parallel: newDistribution(),
		PerRoute: newCallsPerRoute(), Sequence: newSequence(), KnownResources: newKnownResources(), AcrossRuns: newAcrossRuns(),
	}
}

// Finish computes what needs all runs. It is called once, after the last Learn.
func (b *Baseline) Finish() {
	b.PerRoute.finish()
	b.KnownResources.finish()
	b.finishVersions()
	b.finishTasks()
}
