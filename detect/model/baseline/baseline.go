package baseline

import (
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
	"flyball/detect/model/sharedcredential"
)

// Baseline is one version of a tenant's baseline: counts from which rates, amounts and
// thresholds are computed. It is published as a whole and not changed afterwards.
type Baseline struct {
	Tenant  string `json:"tenant"`
	Version string `json:"version"`
	MadeAt  int64  `json:"made_at_ns"` // Unix ns
	Since   int64  `json:"since_ns"`   // start of the window of runs, Unix ns
	Until   int64  `json:"until_ns"`   // end of the window of runs, Unix ns
	Runs    uint64 `json:"runs"`       // number of counted runs
	Calls   uint64 `json:"calls"`      // number of their calls

	// Eligible calls and events of all runs, by peer group, by agent, and by route
	// within a peer group (group, route name).
	All    Counts                       `json:"all"`
	Groups map[string]Counts            `json:"groups"`
	Agents map[string]Counts            `json:"agents"`
	Routes map[string]map[string]Counts `json:"routes"`

	Lengths   Amount `json:"lengths"`   // calls of a run
	Identical Amount `json:"identical"` // largest number of identical calls in a run

	Bytes    Amount        `json:"bytes"`  // bytes of the answers of a run, plus one
	Writes   Amount        `json:"writes"` // number of calls of a run that may change something, plus one
	PerRoute CallsPerRoute `json:"on_route"`
	Sequence Sequence      `json:"sequence"`

	// Counts of a run, by agent; NewOnRoute by route.
	IdenticalCalls RunCountDistribution `json:"repeated"` // largest number of identical calls
	NewOnRoute     RunCountDistribution `json:"fresh"`    // calls of the route that are not repeats and name a new resource or none
	Distinct       RunCountDistribution `json:"distinct"` // calls that are not repeats
	KnownResources KnownResources       `json:"known"`
	KnownAPIs      KnownAPIs            `json:"known_apis,omitempty"`
	Switches       RunCountDistribution `json:"switches"` // calls on another route than the previous call

	// Quantities that not every source logs. Tokens and Money count only runs with a value above 0.
	Irreversible RunCountDistribution `json:"irreversible"` // calls that cannot be undone
	Parallel     RunCountDistribution `json:"in_row"`       // longest series of calls that each began before the previous one had ended
	Tokens       Amount               `json:"tokens"`       // tokens of a run, in and out
	Money        Amount               `json:"money"`        // amount that a run moved, in units of its currency, plus one

	AcrossRuns AcrossRuns `json:"across"`

	// Calibration is fitted to the final scores of clean runs.
	Calibration calibrate.Fit `json:"calibration"`
	// Ranks hold the final scores by agent and by peer group. Baselines of earlier
	// releases have none.
	Ranks calibrate.Ranks `json:"ranks,omitzero"`
	// ByClass calibrates the classes of acquaintance. Baselines of earlier releases have none: all classes have the
	// thresholds of Calibration and the statistics of known agents.
	ByClass *ByClass `json:"by_class,omitempty"`
	// People describes the sessions of the tenant's own people; nil: too few sessions.
	People *sharedcredential.TenantPeople `json:"people,omitempty"`

	// CallRates holds the usual calls in a quarter of an hour; nil: the window has fewer than two weeks, or reading failed.
	CallRates *callrate.Model `json:"pace,omitempty"`
	// Scopes holds the routes and targets that runs write to; nil: unknown.
	Scopes *scope.Model `json:"scopes,omitempty"`

	// Versions holds the kept versions of agents whose runs state a version, the latest first.
	Versions map[string][]VersionStatus `json:"versions,omitempty"`
	// Tasks holds the kept task types of agents, those with the most runs first.
	Tasks map[string][]TaskStatus `json:"tasks,omitempty"`
	// Status of each agent.
	Status     map[string]AgentStatus `json:"life,omitempty"`
	Provenance Provenance             `json:"from,omitzero"`

	versions, tasks *partCounts // nil before the first run, and after Finish
}

// New returns a baseline without runs.
func New(tenant string) *Baseline {
	return &Baseline{
		Tenant: tenant, Groups: map[string]Counts{}, Agents: map[string]Counts{}, Routes: map[string]map[string]Counts{},
		Lengths: newAmount(), Identical: newAmount(), Bytes: newAmount(), Writes: newAmount(), Tokens: newAmount(), Money: newAmount(),
		IdenticalCalls: newDistribution(), NewOnRoute: newDistribution(), Distinct: newDistribution(), Switches: newDistribution(),
		Irreversible: newDistribution(), Parallel: newDistribution(),
		PerRoute: newCallsPerRoute(), Sequence: newSequence(), KnownResources: newKnownResources(), KnownAPIs: KnownAPIs{},
		AcrossRuns: newAcrossRuns(),
	}
}

// Finish computes the parts that need all runs. It must be called once, after the last Learn.
func (b *Baseline) Finish() {
	b.PerRoute.finish()
	b.KnownResources.finish()
	b.KnownAPIs.finish()
	b.finishVersions()
	b.finishTasks()
}
