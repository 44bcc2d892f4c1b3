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
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// learn makes the next version: of one picture of the past, on top of the version
// before where an agent's counts are kept.
func (l *Learner) learn(ctx context.Context, now time.Time) (*baseline.Body, error) {
	since, until := now.Add(-l.o.Window), now.Add(-l.o.Quarantine)
	parent, err := l.parent(ctx)
	if err != nil {
		return nil, err
	}
	pin, err := PinOf(ctx, l.o.DB, l.o.Quarantine)
	if err != nil {
		return nil, err
	}
	history, err := History(ctx, l.o.DB, Window{Tenant: l.o.Tenant, Since: since, Until: until})
	if err != nil {
		return nil, err
	}
	words, err := WordsOf(ctx, l.o.DB, l.o.Tenant, since, now)
	if err != nil {
		return nil, err
	}
	chosen := Choose(history, words, l.o.PerAgent)
	if chosen.Clean < l.o.MinRuns {
		return nil, fmt.Errorf("%w: %d closed before %s, learn.min_runs is %d", ErrTooFew, chosen.Clean, until.UTC().Format(time.RFC3339), l.o.MinRuns)
	}
	runs, err := Read(ctx, l.o.DB, l.o.Tenant, l.o.PerRun, pin, chosen.Runs)
	if err != nil {
		return nil, err
	}
	Trim(parent, runs)
	body := Fit(l.o.Tenant, runs)
	window := Window{Tenant: l.o.Tenant, Since: since, Until: until, only: pin.only("")}
	if body.People, err = People(ctx, l.o.DB, window); err != nil {
		return nil, err
	}
	if body.Pace, err = Pace(ctx, l.o.DB, window); err != nil {
		// It is a backstop: everything else is not to wait for it.
		l.noPace.Inc()
		l.o.Logger.Warn("a baseline without pace: no count of a quarter of an hour alarms until the next one", "error", err)
	}
	body.MadeAt, body.Since, body.Until = now.UnixNano(), since.UnixNano(), until.UnixNano()
	body.Version = baselinestore.VersionName(l.o.Tenant, now)
	body.From = baseline.Provenance{Quarantine: int64(l.o.Quarantine), Pin: pin, Left: chosen.Left, Code: l.o.Code}
	if parent != nil {
		body.From.Parent = parent.Version
	}
	Settle(body, parent, chosen, words, runs)
	return body, nil
}

// parent is the version before. One that this binary cannot read is no parent:
// nothing is carried over from it.
func (l *Learner) parent(ctx context.Context) (*baseline.Body, error) {
	body, err := baselinestore.LatestBaseline(ctx, kafka.Config{Options: l.o.Kafka}, func(version string) bool { return baselinestore.VersionTenant(version) == l.o.Tenant })
	switch {
	case errors.Is(err, baselinestore.ErrNotPublished):
		return nil, nil
	case errors.Is(err, wire.ErrNewerVersion), errors.Is(err, wire.ErrMalformed), errors.Is(err, baseline.ErrUnsound):
		l.o.Logger.Error("the version before cannot be read; frozen agents begin anew", "error", err)
		return nil, nil
	}
	return body, err
}

// Settle gives every agent of a new version its state, and to those that nothing
// teaches at present the counts that the version before had.
func Settle(body, parent *baseline.Body, chosen *Chosen, words *Words, runs []*baseline.Run) {
	for _, r := range runs {
		life := chosen.Life[r.Agent]
		switch {
		case len(r.Steps) == 0:
			leave(life.Left, baseline.LeftUnlogged, 1)
			leave(chosen.Left, baseline.LeftUnlogged, 1)
		case r.Outside:
			leave(life.Left, baseline.LeftOutside, 1)
			leave(chosen.Left, baseline.LeftOutside, 1)
		case r.Trimmed:
			leave(life.Left, baseline.LeftTrimmed, 1)
			leave(chosen.Left, baseline.LeftTrimmed, 1)
		case !r.Alarmed:
			life.Runs++
			life.Calls += uint64(len(r.Steps))
			life.TaughtAt = max(life.TaughtAt, r.At)
			life.Group = r.Group
		}
	}
	if parent != nil {
		for agent, o := range words.Freeze { // of agents that do not call: their counts stay as well
			frozen := []string{agent}
			if agent == schema.EveryAgent {
				frozen = slices.Collect(maps.Keys(parent.Life))
			}
			for _, name := range frozen {
				if was, known := parent.Life[name]; known && chosen.Life[name] == nil {
					chosen.Life[name] = &baseline.Life{Group: was.Group, SeenAt: was.SeenAt, Version: was.Version, Order: &o}
				}
			}
		}
	}
	body.Life = make(map[string]baseline.Life, len(chosen.Life))
	for agent, life := range chosen.Life {
		frozenAt, order := words.FrozenAt(agent)
		reset := words.Reset[agent]
		if reset.At > body.Since && body.Pace != nil {
			delete(body.Pace.Agents, agent) // it was counted of runs before the reset, too
		}
		carry(body, parent, agent, life, frozenAt > 0, reset.At)
		f := baseline.Facts{Runs: life.Runs, TaughtAt: life.TaughtAt, SeenAt: life.SeenAt, Frozen: order != nil, Incident: frozenAt > 0 && order == nil,
			Reset: reset.At > body.Since, Version: life.Version}
		f.Versions, f.VersionRuns = versionsOf(body, agent, life.Version)
		life.State, life.Why = baseline.StateOf(f)
		if len(life.Left) == 0 {
			life.Left = nil
		}
		if life.Runs > 0 || body.Has(agent) || life.Order != nil || !invented(agent) {
			body.Life[agent] = *life
		}
	}
}

// invented names are those that a caller only asserts: what they are kept for must
// be more than that somebody said them.
func invented(agent string) bool { return agent == "" || agent[0] == '~' }

// carry takes an agent's counts over from the version before, while it is frozen or
// nothing has taught it for long, and bounds how far it moves while it is neither. A
// reset since then is stronger.
func carry(body, parent *baseline.Body, agent string, life *baseline.Life, frozen bool, resetAt int64) {
	if parent == nil || !parent.Has(agent) || resetAt > parent.MadeAt {
		return
	}
	was, known := parent.Life[agent]
	stale := known && was.Runs >= baseline.Enough && life.Runs < baseline.Enough && life.SeenAt-max(life.TaughtAt, was.TaughtAt) > int64(baseline.StaleAfter)
	if !frozen && !stale {
		if known && was.Runs >= baseline.Enough { // with less, its peers weigh more, and its own move quickly
			if let := body.Bound(parent, agent, life.Group, float64(body.MadeAt-parent.MadeAt)/float64(24*time.Hour)); let < 1 {
				life.Bounded = max(let, 1e-9)
			}
			for _, t := range body.Tasks[agent] {
				body.Bound(parent, baseline.TaskKey(agent, t.Type), life.Group, float64(body.MadeAt-parent.MadeAt)/float64(24*time.Hour))
			}
		}
		return
	}
	body.CarryAgent(parent, agent)
	life.Runs, life.Calls, life.TaughtAt, life.Carried = was.Runs, was.Calls, was.TaughtAt, was.Carried
	if life.Carried == "" {
		life.Carried = parent.Version
	}
}

// versionsOf an agent are how many are kept or run now, and the runs of that one.
func versionsOf(body *baseline.Body, agent, now string) (n int, runs uint64) {
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

// afterwards is what a version that is in force leads to. What goes wrong is said
// and tried again with the next one: scoring does not wait for it.
func (l *Learner) afterwards(ctx context.Context, body *baseline.Body, now time.Time) {
	for state, n := range body.States() {
		l.states.WithLabelValues(schema.BaselineState(state).String()).Set(float64(n))
	}
	for _, agent := range slices.Sorted(maps.Keys(body.Life)) {
		if life := body.Life[agent]; life.Why == baseline.WhyNewVersion {
			l.o.Logger.Info("an agent runs a new version: it is compared with its peers more than with its past until enough runs taught it", "agent", agent, "version", life.Version)
		}
	}
	if err := l.tell(ctx, body); err != nil {
		l.o.Logger.Warn("the view baselines lacks a version", "version", body.Version, "error", err)
	}
	if n, err := l.tidy(ctx, now); err != nil {
		l.o.Logger.Warn("old versions of baselines stay for now", "error", err)
	} else if n > 0 {
		l.o.Logger.Info("old versions of baselines given up", "versions", n)
	}
}
