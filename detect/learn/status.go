package learn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wire"
)

// learn makes the next version: of one picture of the past, on top of the version
// before where an agent's counts are kept.
func (l *Learner) learn(ctx context.Context, now time.Time) (*baseline.Baseline, error) {
	since, until := now.Add(-l.o.Window), now.Add(-l.o.Quarantine)
	parent, err := l.parent(ctx)
	if err != nil {
		return nil, err
	}
	pin, err := ReadPin(ctx, l.o.DB, l.o.Quarantine)
	if err != nil {
		return nil, err
	}
	history, err := ReadHistory(ctx, l.o.DB, Window{Tenant: l.o.Tenant, Since: since, Until: until})
	if err != nil {
		return nil, err
	}
	words, err := ReadOverrides(ctx, l.o.DB, l.o.Tenant, since, now)
	if err != nil {
		return nil, err
	}
	chosen := SelectRuns(history, words, l.o.PerAgent)
	if chosen.Clean < l.o.MinRuns {
		return nil, fmt.Errorf(
			"%w: %d closed before %s, learn.min_runs is %d",
			ErrTooFewRuns,
			chosen.Clean,
			until.UTC().Format(time.RFC3339),
			l.o.MinRuns,
		)
	}
	runs, err := ReadRuns(ctx, l.o.DB, l.o.Tenant, l.o.PerRun, pin, chosen.Runs)
	if err != nil {
		return nil, err
	}
	markOutliers(parent, runs)
	body := Fit(l.o.Tenant, runs)
	window := Window{Tenant: l.o.Tenant, Since: since, Until: until, only: pin.only("")}
	if body.People, err = ReadPeople(ctx, l.o.DB, window); err != nil {
		return nil, err
	}
	if body.CallRates, err = ReadCallRates(ctx, l.o.DB, window); err != nil {
		// It is a backstop: everything else is not to wait for it.
		l.noPace.Inc()
		l.o.Logger.Warn("a baseline without pace: no count of a quarter of an hour alarms until the next one", "error", err)
	}
	body.MadeAt, body.Since, body.Until = now.UnixNano(), since.UnixNano(), until.UnixNano()
	body.Version = baselinestore.VersionName(l.o.Tenant, now)
	body.Provenance = baseline.Provenance{Quarantine: int64(l.o.Quarantine), Pin: pin, Excluded: chosen.Excluded, Code: l.o.Code}
	if parent != nil {
		body.Provenance.Parent = parent.Version
	}
	assignStatus(body, parent, chosen, words, runs)
	return body, nil
}

// parent is the version before. One that this binary cannot read is no parent:
// nothing is carried over from it.
func (l *Learner) parent(ctx context.Context) (*baseline.Baseline, error) {
	body, err := baselinestore.LatestBaseline(ctx, l.o.Kafka,
		func(version string) bool { return baselinestore.VersionTenant(version) == l.o.Tenant })
	switch {
	case errors.Is(err, baselinestore.ErrNotPublished):
		return nil, nil
	case errors.Is(err, wire.ErrNewerVersion), errors.Is(err, wire.ErrMalformed), errors.Is(err, baseline.ErrUnsound):
		l.o.Logger.Error("the version before cannot be read; frozen agents begin anew", "error", err)
		return nil, nil
	}
	return body, err
}

// assignStatus gives every agent of a new version its state, and to those that nothing
// teaches at present the counts that the version before had.
func assignStatus(body, parent *baseline.Baseline, chosen *Selection, words *Overrides, runs []*baseline.TrainingRun) {
	for _, r := range runs {
		life := chosen.Status[r.Agent]
		switch {
		case len(r.Features) == 0:
			exclude(life.Excluded, baseline.ExcludedNoCalls, 1)
			exclude(chosen.Excluded, baseline.ExcludedNoCalls, 1)
		case r.Outside:
			exclude(life.Excluded, baseline.ExcludedOutsideScope, 1)
			exclude(chosen.Excluded, baseline.ExcludedOutsideScope, 1)
		case r.Trimmed:
			exclude(life.Excluded, baseline.ExcludedTrimmed, 1)
			exclude(chosen.Excluded, baseline.ExcludedTrimmed, 1)
		case !r.Alarmed:
			life.Runs++
			life.Calls += uint64(len(r.Features))
			life.TaughtAt = max(life.TaughtAt, r.LastAt)
			life.Group = r.Group
		}
	}
	if parent != nil {
		for agent, o := range words.Freeze { // of agents that do not call: their counts stay as well
			frozen := []string{agent}
			if agent == schema.EveryAgent {
				frozen = slices.Collect(maps.Keys(parent.Status))
			}
			for _, name := range frozen {
				if was, known := parent.Status[name]; known && chosen.Status[name] == nil {
					chosen.Status[name] = &baseline.AgentStatus{Group: was.Group, SeenAt: was.SeenAt, Version: was.Version, Order: &o}
				}
			}
		}
	}
	body.Status = make(map[string]baseline.AgentStatus, len(chosen.Status))
	for agent, life := range chosen.Status {
		frozenAt, order := words.FrozenAt(agent)
		reset := words.Reset[agent]
		if reset.At > body.Since && body.CallRates != nil {
			delete(body.CallRates.Agents, agent) // it was counted of runs before the reset, too
		}
		copyOrLimit(body, parent, agent, life, frozenAt > 0, reset.At)
		f := baseline.StateFacts{
			Runs:     life.Runs,
			TaughtAt: life.TaughtAt,
			SeenAt:   life.SeenAt,
			Frozen:   order != nil,
			Incident: frozenAt > 0 && order == nil,
			Reset:    reset.At > body.Since,
			Version:  life.Version,
		}
		f.Versions, f.VersionRuns = countVersions(body, agent, life.Version)
		life.State, life.Why = baseline.DeriveState(f)
		if len(life.Excluded) == 0 {
			life.Excluded = nil
		}
		if life.Runs > 0 || body.Has(agent) || life.Order != nil || !onlyAsserted(agent) {
			body.Status[agent] = *life
		}
	}
}

// onlyAsserted names are those that a caller only asserts: what they are kept for must
// be more than that somebody said them.
func onlyAsserted(agent string) bool { return agent == "" || agent[0] == '~' }

// copyOrLimit takes an agent's counts over from the version before, while it is frozen or
// nothing has taught it for long, and bounds how far it moves while it is neither. A
// reset since then is stronger.
func copyOrLimit(body, parent *baseline.Baseline, agent string, life *baseline.AgentStatus, frozen bool, resetAt int64) {
	if parent == nil || !parent.Has(agent) || resetAt > parent.MadeAt {
		return
	}
	was, known := parent.Status[agent]
	stale := known && was.Runs >= baseline.MinAgentRuns && life.Runs < baseline.MinAgentRuns &&
		life.SeenAt-max(life.TaughtAt, was.TaughtAt) > int64(baseline.StaleAfter)
	if !frozen && !stale {
		if known && was.Runs >= baseline.MinAgentRuns { // with less, its peers weigh more, and its own move quickly
			if let := body.LimitDrift(parent, agent, life.Group, float64(body.MadeAt-parent.MadeAt)/float64(24*time.Hour)); let < 1 {
				life.DriftAllowed = max(let, 1e-9)
			}
			for _, t := range body.Tasks[agent] {
				body.LimitDrift(parent, baseline.TaskKey(agent, t.Type), life.Group, float64(body.MadeAt-parent.MadeAt)/float64(24*time.Hour))
			}
		}
		return
	}
	body.CopyAgent(parent, agent)
	life.Runs, life.Calls, life.TaughtAt, life.CarriedFrom = was.Runs, was.Calls, was.TaughtAt, was.CarriedFrom
	if life.CarriedFrom == "" {
		life.CarriedFrom = parent.Version
	}
}

// countVersions an agent are how many are kept or run now, and the runs of that one.
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

// afterPublish is what a version that is in force leads to. What goes wrong is said
// and tried again with the next one: scoring does not wait for it.
func (l *Learner) afterPublish(ctx context.Context, body *baseline.Baseline, now time.Time) {
	for state, n := range body.CountStates() {
		l.states.WithLabelValues(schema.BaselineState(state).String()).Set(float64(n))
	}
	for _, agent := range slices.Sorted(maps.Keys(body.Status)) {
		if life := body.Status[agent]; life.Why == baseline.WhyNewVersion {
			l.o.Logger.Info(
				"an agent runs a new version: it is compared with its peers more than with its past until enough runs taught it",
				"agent",
				agent,
				"version",
				life.Version,
			)
		}
	}
	if err := l.insertBaselineRows(ctx, body); err != nil {
		l.o.Logger.Warn("the view baselines lacks a version", "version", body.Version, "error", err)
	}
	if n, err := l.deleteOldVersions(ctx, now); err != nil {
		l.o.Logger.Warn("old versions of baselines stay for now", "error", err)
	} else if n > 0 {
		l.o.Logger.Info("old versions of baselines given up", "versions", n)
	}
}
