package main

import (
	"errors"
	"maps"
	"slices"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// acquaintances is how well the newest baseline knows agents, those that it has no runs of included.
type acquaintances struct {
	learned *query.LearnedAgents
	peers   map[string]*schema.Learned // any agent of each peer group
	now     time.Time                  // end of the period in which runs are counted
}

// knownAgents reads how well the newest baseline knows agents. If that is not known, it prints why and returns nil.
func (r *request) knownAgents() *acquaintances {
	out, err := readAcquaintances(r)
	if err == nil && !out.learned.Recorded {
		err = errors.New("the newest baseline is of an earlier release; the next one records it")
	}
	if err != nil {
		r.unknown("how well agents are known", err)
		return nil
	}
	return out
}

func readAcquaintances(r *request) (*acquaintances, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	out := &acquaintances{peers: map[string]*schema.Learned{}, now: r.now}
	if !r.until.IsZero() && r.until.Before(r.now) {
		out.now = r.until
	}
	if out.learned, err = query.ReadLearnedAgents(r.ctx, db, c.Tenant); err != nil {
		return nil, err
	}
	for _, l := range out.learned.Agents {
		out.peers[l.Group] = &l.Learned
	}
	if len(out.learned.Agents) == 0 {
		out.learned.Quarantine = time.Duration(c.Learn.Quarantine)
	}
	return out, nil
}

// sighting is an agent as the stored calls show it.
type sighting struct {
	agent, trust, kind string
	runs               uint64
	first              time.Time // zero: unknown
}

// of returns what the newest baseline knows of an agent. The runs of an agent that is not in the baseline count as in
// quarantine.
func (a *acquaintances) of(s *sighting) *schema.Learned {
	var trust schema.Trust
	_ = trust.UnmarshalText([]byte(s.trust)) // an unknown word is no established name
	if l := a.learned.Agents[baseline.AgentKey(s.agent, trust)]; l != nil {
		return &l.Learned
	}
	var kind schema.CallerKind
	_ = kind.UnmarshalText([]byte(s.kind))
	group := baseline.PeerGroup(s.agent, kind)
	rate := baseline.RunRate{Now: a.now.UnixNano(), Quarantine: a.learned.Quarantine}
	if !s.first.IsZero() {
		rate.Runs, rate.Pending, rate.First = s.runs, s.runs, s.first.UnixNano()
	}
	l := baseline.LearnedOfNewcomer(a.learned.Runs, group, a.peers[group], rate)
	l.Uncalibrated = a.learned.Uncalibrated[l.Acquaintance]
	if l.Acquaintance == schema.NothingLearned { // there is no version that could say it
		l.Uncalibrated = baseline.WhyNothingLearned
	}
	return &l
}

// strangers are rows of start-here for the strangers with an established name that have no other row: those of the
// newest baseline or, if nothing was learned, those of the agents that called; at most limit.
func (a *acquaintances) strangers(rows []query.StartRow, agents []query.AgentRow, limit int) (out []query.StartRow) {
	seen := map[string]bool{"": true}
	for i := range rows {
		seen[rows[i].AgentID] = true
	}
	add := func(row query.StartRow) {
		if !seen[row.AgentID] && row.Learned.Acquaintance.IsStranger() && len(out) < limit {
			row.Missing = []string{}
			out = append(out, row)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.learned.Agents)) {
		if l := a.learned.Agents[name]; !baseline.IsAsserted(name) {
			add(query.StartRow{AgentID: name, LastAt: query.Time{Time: l.SeenAt}, Learned: &l.Learned})
		}
	}
	for i := range agents {
		row := &agents[i]
		if !callerByTrust(row.AgentID, row.Trust).claimed {
			add(query.StartRow{AgentID: row.AgentID, Trust: row.Trust, LastAt: row.LastAt, Learned: a.ofAgent(row)})
		}
	}
	return out
}

// ofAgent is of for a row of the agents that called.
func (a *acquaintances) ofAgent(row *query.AgentRow) *schema.Learned {
	return a.of(&sighting{agent: row.AgentID, trust: row.Trust, kind: row.CallerKind, runs: row.Runs, first: row.FirstAt.Time})
}

// guardStranger sets what bounds a stranger already, and what would. Without manifests (nil) or enforcement (nil) no
// point answered, and what depends on one is left out.
func guardStranger(u *query.StartRow, c config.Config, manifests *manifest.Store, e *api.ArmedAgent) {
	note := func(guards bool, word string) {
		list := &u.WouldGuard
		if guards {
			list = &u.GuardedBy
		}
		*list = append(*list, word)
	}
	if u.Learned.Acquaintance != schema.NothingLearned { // without a baseline no score reaches a level
		list := &u.GuardedBy
		if baseline.NeverTrips(u.Learned) {
			list = &u.AlertsOnly
		}
		*list = append(*list, wording.GuardRepeats, wording.GuardRetries, wording.GuardIrreversible, wording.GuardResources)
	}
	if manifests != nil {
		m, _ := manifests.ForAgent("", u.AgentID, schema.TrustVerified)
		note(m != nil, wording.GuardManifest)
		switch {
		case m != nil:
			note(len(m.Document.Quotas) > 0, wording.GuardQuotas)
			note(slices.ContainsFunc(m.Document.Autonomy, func(a manifest.Autonomy) bool { return a.Ask != "never" }), wording.GuardGates)
		case c.Control.WithoutManifest == config.WithoutManifestAsk, c.Control.WithoutManifest == config.WithoutManifestAskWhileLearning:
			note(true, wording.GuardAsk)
		}
	}
	if e != nil {
		note(e.State == "armed", wording.GuardArming)
	}
	note(false, wording.GuardRuns)
}
