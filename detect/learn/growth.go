package learn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/detect/model/baseline"
	"flyball/schema"
)

// growths holds the growth of each agent in a version that is being made.
type growths map[string]*baseline.Growth

// heldBefore returns the growth of the agents that the previous version held, and holds them in the overrides.
func heldBefore(parent *baseline.Baseline, overrides *Overrides, now int64) {
	if parent == nil {
		return
	}
	for agent, s := range parent.Status {
		if g := s.Growth; g != nil && g.HeldSince > overrides.Reset[agent].At && now-g.HeldSince < int64(baseline.GrowthPeriod) {
			overrides.Grown[agent] = g.HeldSince
		}
	}
}

// measureGrowth compares what the runs of each agent do, by counts that nothing has limited, with what they did before. A reset
// begins anew. It returns the growth of each agent, and the agents that have grown too far since the previous version.
func measureGrowth(body, parent *baseline.Baseline, groupOf func(agent string) string, overrides *Overrides, now int64) (all growths,
	grown []string) {
	all = growths{}
	for agent := range body.Agents {
		var before *baseline.Growth
		taughtAt := int64(0)
		if parent != nil && parent.MadeAt > overrides.Reset[agent].At {
			before, taughtAt = parent.Status[agent].Growth, cmp.Or(parent.Status[agent].TaughtAt, parent.Until)
		}
		all.note(agent, before.Next(body.PerRun(agent), body.PerRunBefore(agent, groupOf(agent)), taughtAt, now))
		if g := all[agent]; g != nil && g.HeldSince > 0 && overrides.Grown[agent] == 0 {
			grown = append(grown, agent)
		}
	}
	if parent != nil {
		for agent, s := range parent.Status { // an agent without runs keeps what it is compared with
			if all[agent] == nil && s.Growth != nil && parent.MadeAt > overrides.Reset[agent].At {
				all.note(agent, s.Growth.Next(nil, nil, s.TaughtAt, now))
			}
		}
	}
	return all, grown
}

func (all growths) note(agent string, g *baseline.Growth) {
	if g != nil {
		all[agent] = g
	}
}

// withoutGrown holds agents that have grown too far, and returns the runs without those of them that the previous version did not
// learn from. They would move the figures of peers and of everybody, too.
func withoutGrown(runs []*baseline.TrainingRun, grown []string, all growths, chosen *Selection, overrides *Overrides) (
	rest []*baseline.TrainingRun) {
	for _, agent := range grown {
		overrides.Grown[agent] = all[agent].HeldSince
	}
	for _, r := range runs {
		if at := overrides.Grown[r.Agent]; at == 0 || r.LastAt <= at {
			rest = append(rest, r)
			continue
		}
		exclude(chosen.Status[r.Agent].Excluded, baseline.ExcludedFrozen, 1)
		exclude(chosen.Excluded, baseline.ExcludedFrozen, 1)
	}
	return rest
}

// logGrown logs the agents that have grown too far.
func (l *Learner) logGrown(grown []string, all growths) {
	for _, agent := range slices.Sorted(slices.Values(grown)) {
		g := all[agent]
		l.o.Logger.Warn("the runs of an agent do several times what they did: its later runs teach nothing", "agent", agent, "what", g.What,
			"was", g.Was, "is", g.Is, "since", time.Unix(0, g.Since).UTC(), "at_most", baseline.GrowthFactor,
			"next", "look at its runs; if they are meant, flyball baselines reset "+agent)
	}
}

// Warning names the agents of the last baseline of this process whose later runs teach nothing, because their runs have grown too far.
// Nobody else says so to a person who does not look at baselines.
func (l *Learner) Warning() error {
	if text := l.grown.Load(); text != nil && *text != "" {
		return errors.New(*text)
	}
	return nil
}

// namedGrown is how many of the agents that have grown too far are named in a warning.
const namedGrown = 3

// grownText describes the agents of a version that have grown too far; empty: there are none.
func grownText(body *baseline.Baseline) string {
	var names []string
	for agent, s := range body.Status {
		if s.Why == baseline.WhyGrown {
			names = append(names, schema.Visible(agent))
		}
	}
	n := len(names)
	if n == 0 {
		return ""
	}
	slices.Sort(names)
	if n > namedGrown {
		names = append(names[:namedGrown], "…")
	}
	return fmt.Sprintf("the runs of %d agents do more than %d times what they did, and teach nothing any more (%s): look at them by flyball "+
		"baselines show --agent AGENT; if it is meant, flyball baselines reset AGENT", n, baseline.GrowthFactor, strings.Join(names, ", "))
}

// groupOf returns the peer group of an agent; empty: not known.
func (s *Selection) groupOf(agent string) string {
	if status := s.Status[agent]; status != nil {
		return status.Group
	}
	return ""
}
