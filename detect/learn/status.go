package learn

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wire"
)

// learn makes the next version of a baseline.
func (l *Learner) learn(ctx context.Context, now time.Time) (*baseline.Baseline, error) {
	parent, err := l.parent(ctx)
	if err != nil {
		return nil, err
	}
	if l.renaming, err = l.readRenaming(ctx); err != nil {
		return nil, err
	}
	return l.Learn(ctx, now, parent)
}

// Learn makes a baseline of the stored runs below the pin, and publishes nothing. It takes the counts of frozen and stale
// agents from the previous version, parent, which may be nil. The same stored rows, time and parent make the same
// baseline. It returns ErrTooFewRuns when too few clean runs are selected.
func (l *Learner) Learn(ctx context.Context, now time.Time, parent *baseline.Baseline) (*baseline.Baseline, error) {
	since, until := now.Add(-l.o.Window), now.Add(-l.o.Quarantine)
	db := Quietly(l.o.DB)
	pin, err := ReadPin(ctx, db, l.o.Quarantine)
	if err != nil {
		return nil, err
	}
	window := Window{Tenant: l.o.Tenant, Since: since, Until: until, CallsPerRun: l.o.PerRun, Renaming: l.renaming, only: pin.only("")}
	p := l.startProgress()
	parts, err := planSlices(ctx, db, window, l.o.CallsPerSlice)
	if err != nil {
		return nil, err
	}
	h := &history{db: db, window: window, agents: map[string]*AgentHistory{}, statements: l.o.Statements}
	limits := sampleLimits{perAgent: l.o.PerAgent, runs: maxTaughtRuns, calls: maxTaughtCalls}
	most, err := h.read(ctx, parts, limits, p.part("runs read"))
	if err != nil {
		return nil, err
	}
	overrides, err := ReadOverrides(ctx, db, l.o.Tenant, since, now)
	if err != nil {
		return nil, err
	}
	heldBefore(parent, overrides, now.UnixNano())
	chosen := SelectRuns(h.agents, overrides, l.o.PerAgent)
	exclude(chosen.Excluded, baseline.ExcludedCrowded, h.dropped)
	if chosen.Clean < l.o.MinRuns {
		return nil, l.tooFew(ctx, chosen, since, until)
	}
	h.agents = nil
	p.log("runs selected", "runs", len(chosen.Runs), "of_agent_at_most", most.vouched, "of_claimed_agent_at_most", most.claimed,
		"left_out", excludedText(chosen.Excluded))
	if h.dropped > 0 {
		l.o.Logger.Warn("there are more agents with claimed names than are learned from: those that ran on most days are; let the gateway "+
			"name agents", "runs_left_out", h.dropped)
	}
	runs, err := readRuns(ctx, db, window, pin, chosen.Runs, p.part("calls read"))
	if err != nil {
		return nil, err
	}
	markOutliers(parent, runs)
	body := Fit(l.o.Tenant, runs)
	all, grown := measureGrowth(body, parent, chosen.groupOf, overrides, now.UnixNano())
	if len(grown) > 0 {
		runs = withoutGrown(runs, grown, all, chosen, overrides)
		body = Fit(l.o.Tenant, runs)
		l.logGrown(grown, all)
	}
	p.log("counts and thresholds learned", "runs", body.Runs, "calls", body.Calls)
	if body.People, err = readPeople(ctx, db, window, parts); err != nil {
		return nil, err
	}
	p.log("people's sessions learned")
	if body.CallRates, err = readCallRates(ctx, db, window, parts, l.o.Statements); ctx.Err() != nil {
		return nil, ctx.Err()
	} else if err != nil {
		// Call rates are an additional detector: a failure must not delay the rest of the baseline.
		l.noPace.Inc()
		l.o.Logger.Warn("baseline without call rates: no finding of family pace until the next baseline", "error", err)
	}
	p.log("call rates learned")
	body.MadeAt, body.Since, body.Until = now.UnixNano(), since.UnixNano(), until.UnixNano()
	body.Version = baselinestore.VersionName(l.o.Tenant, now)
	body.Provenance = baseline.Provenance{Quarantine: int64(l.o.Quarantine), Pin: pin, Excluded: chosen.Excluded, Code: l.o.Code,
		OtherRoutes: body.Provenance.OtherRoutes}
	if n := body.Provenance.OtherRoutes; n > 0 {
		l.o.Logger.Warn("there are more routes than a baseline knows by their names: declare routes, so that paths with values are one route",
			"known", maxTaughtRoutes, "others", n)
	}
	if most.vouched < l.o.PerAgent {
		body.Provenance.RunsOfAgent = most.vouched
	}
	if most.claimed < l.o.PerAgent {
		body.Provenance.RunsOfClaimed = most.claimed
	}
	if parent != nil {
		body.Provenance.Parent = parent.Version
	}
	assignStatus(body, parent, chosen, overrides, runs, all)
	return body, nil
}

// parent returns the previous version. It returns nil without an error when there is none or when this binary cannot
// read it; then nothing is taken over from it.
func (l *Learner) parent(ctx context.Context) (*baseline.Baseline, error) {
	body, err := baselinestore.LatestBaseline(ctx, l.o.Kafka,
		func(version string) bool { return baselinestore.VersionTenant(version) == l.o.Tenant })
	switch {
	case errors.Is(err, baselinestore.ErrNotPublished):
		return nil, nil
	case errors.Is(err, wire.ErrNewerVersion), errors.Is(err, wire.ErrMalformed), errors.Is(err, baseline.ErrUnsound):
		l.o.Logger.Error("the previous baseline cannot be read, frozen agents lose their counts", "error", err)
		return nil, nil
	}
	return body, err
}

// assignStatus sets the status of every agent of a new version. Agents that are frozen or stale get the counts of the
// previous version.
func assignStatus(body, parent *baseline.Baseline, chosen *Selection, orders *Overrides, runs []*baseline.TrainingRun, all growths) {
	for _, r := range runs {
		countRun(chosen, r)
	}
	addFrozenAgents(parent, chosen, orders)
	body.Status = make(map[string]baseline.AgentStatus, len(chosen.Status))
	for agent, status := range chosen.Status {
		frozenAt, order := orders.frozenAt(agent)
		resetAt := orders.Reset[agent].At
		if resetAt > body.Since && body.CallRates != nil {
			body.CallRates.Forget(agent) // they contain runs from before the reset
		}
		copyOrLimit(body, parent, agent, status, frozenAt > 0, resetAt)
		facts := baseline.StateFacts{
			Runs: status.Runs, TaughtAt: status.TaughtAt, SeenAt: status.SeenAt, Version: status.Version,
			Frozen: order != nil, Incident: orders.Incidents[agent] > 0 && order == nil, Grown: orders.Grown[agent] > 0, Reset: resetAt > body.Since,
		}
		facts.Versions, facts.VersionRuns = countVersions(body, agent, status.Version)
		status.Growth = all[agent]
		status.State, status.Why = baseline.DeriveState(facts)
		if len(status.Excluded) == 0 {
			status.Excluded = nil
		}
		if status.Runs > 0 || body.Has(agent) || status.Order != nil || !onlyAsserted(agent) {
			body.Status[agent] = *status
		}
	}
}

// countRun counts a run in the status of its agent: as learned from, or under the reason why it was not.
func countRun(chosen *Selection, r *baseline.TrainingRun) {
	status, why := chosen.Status[r.Agent], ""
	switch {
	case len(r.Features) == 0:
		why = baseline.ExcludedNoCalls
	case r.Outside:
		why = baseline.ExcludedOutsideScope
	case r.Trimmed:
		why = baseline.ExcludedTrimmed
	case r.Alarmed: // counted in SelectRuns
		return
	default:
		status.Runs++
		status.Calls += uint64(len(r.Features))
		status.TaughtAt = max(status.TaughtAt, r.LastAt)
		status.Group = r.Group
		return
	}
	exclude(status.Excluded, why, 1)
	exclude(chosen.Excluded, why, 1)
}

// addFrozenAgents adds agents that an operator froze and that have no runs in the window, so that their counts are kept.
func addFrozenAgents(parent *baseline.Baseline, chosen *Selection, orders *Overrides) {
	if parent == nil {
		return
	}
	for agent, order := range orders.Freeze {
		names := []string{agent}
		if agent == schema.EveryAgent {
			names = slices.Collect(maps.Keys(parent.Status))
		}
		for _, name := range names {
			if was, known := parent.Status[name]; known && chosen.Status[name] == nil {
				chosen.Status[name] = &baseline.AgentStatus{Group: was.Group, SeenAt: was.SeenAt, Version: was.Version, Order: &order}
			}
		}
	}
}

// onlyAsserted reports whether callers only claim the agent's name: the key is empty or begins with "~". Such an agent
// gets a status only when there are runs, counts or an order to keep.
func onlyAsserted(agent string) bool { return agent == "" || agent[0] == '~' }

// copyOrLimit copies an agent's counts from the previous version while the agent is frozen, or when no run was learned
// from for baseline.StaleAfter. Otherwise it limits their drift. After a reset nothing is copied.
func copyOrLimit(body, parent *baseline.Baseline, agent string, status *baseline.AgentStatus, frozen bool, resetAt int64) {
	if parent == nil || !parent.Has(agent) || resetAt > parent.MadeAt {
		return
	}
	was, known := parent.Status[agent]
	established := known && was.Runs >= baseline.MinAgentRuns
	stale := established && status.Runs < baseline.MinAgentRuns && status.SeenAt-max(status.TaughtAt,
		was.TaughtAt) > int64(baseline.StaleAfter)
	switch {
	case frozen, stale:
		body.CopyAgent(parent, agent)
		status.Runs, status.Calls, status.TaughtAt, status.CarriedFrom = was.Runs, was.Calls, was.TaughtAt, was.CarriedFrom
		if status.CarriedFrom == "" {
			status.CarriedFrom = parent.Version
		}
	case established: // with fewer runs the peers have more weight, and the agent's own counts may change quickly
		limitDrift(body, parent, agent, status)
	}
}

// limitDrift limits the drift of an agent and of its task types.
func limitDrift(body, parent *baseline.Baseline, agent string, status *baseline.AgentStatus) {
	days := float64(body.MadeAt-parent.MadeAt) / float64(24*time.Hour)
	if share := body.LimitDrift(parent, agent, status.Group, days); share < 1 {
		status.DriftAllowed = max(share, 1e-9) // 0 means no limit
	}
	for _, t := range body.Tasks[agent] {
		body.LimitDrift(parent, baseline.TaskKey(agent, t.Type), status.Group, days)
	}
}

// countVersions returns how many versions of an agent are known, the version that runs now included, and how many runs
// of that version were learned from.
func countVersions(body *baseline.Baseline, agent, now string) (n int, runs uint64) {
	known := false
	for _, v := range body.Versions[agent] {
		n++
		if v.Version == now {
			known, runs = true, v.Runs
		}
	}
	if !known && now != "" && n > 0 {
		n++
	}
	return n, runs
}

// afterPublish updates metrics, the warning, the view baselines and the stored versions after a version
// became active. Failures are logged and retried with the next version.
func (l *Learner) afterPublish(ctx context.Context, body *baseline.Baseline, now time.Time) {
	grown := grownText(body)
	l.grown.Store(&grown)
	for state, n := range body.CountStates() {
		l.states.WithLabelValues(schema.BaselineState(state).String()).Set(float64(n))
	}
	for _, agent := range slices.Sorted(maps.Keys(body.Status)) {
		if status := body.Status[agent]; status.Why == baseline.WhyNewVersion {
			l.o.Logger.Info("agent runs a new version, compared with its peers until enough runs of it are known",
				"agent", agent, "version", status.Version)
		}
	}
	if err := l.insertBaselineRows(ctx, body); err != nil {
		l.o.Logger.Warn("rows of the view baselines were not written", "version", body.Version, "error", err)
	}
	if n, err := l.deleteOldVersions(ctx, now); err != nil {
		l.o.Logger.Warn("old baselines were not deleted, trying again after the next baseline", "error", err)
	} else if n > 0 {
		l.o.Logger.Info("old baselines deleted", "versions", n)
	}
}
