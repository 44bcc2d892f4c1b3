package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// recentCoverage is the period in which start-here looks for calls that did not go through
// the check. It is short, so that calls from before a gate was added do not count.
const recentCoverage = 24 * time.Hour

// startingPoints are the rows of start-here, and the gateways whose calls never went
// through the check.
type startingPoints struct {
	rows []query.StartRow
	open []query.CoverageRow
	// owners is set if the registry is known.
	owners bool
}

func startHereCommand(o *options) *cobra.Command {
	var w window
	limit := 20
	var open []query.CoverageRow
	a := answer[[]query.StartRow]{window: &w, rows: itself[[]query.StartRow], newest: newestCall,
		isEmpty: isNone[query.StartRow], query: func(r *request) ([]query.StartRow, error) {
			s, err := readStartingPoints(r, limit)
			open = s.open
			return s.rows, err
		}, table: func(w io.Writer, rows []query.StartRow) error {
			if err := report.StartHere(w, rows); err != nil {
				return err
			}
			return report.Uncovered(w, open)
		}}
	cmd := &cobra.Command{Use: "start-here", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "List the agents with the most irreversible calls that nobody approves, and those that no baseline knows: where to begin"}
	w.listFlags(cmd, "Calls")
	cmd.Flags().IntVar(&limit, "limit", limit, limitHelp)
	return cmd
}

func readStartingPoints(r *request, limit int) (s startingPoints, err error) {
	db, err := r.database()
	if err != nil {
		return s, err
	}
	if s.rows, err = query.StartHere(r.ctx, db, r.since, r.until, limit); err != nil {
		return s, err
	}
	if err := s.addStrangers(r, db, limit); err != nil {
		return s, err
	}
	recent := r.now.Add(-recentCoverage)
	if recent.Before(r.since) {
		recent = r.since
	}
	covered, err := query.ReadCoverage(r.ctx, db, recent, r.until)
	if err != nil {
		return s, err
	}
	s.open = covered.NeverAskedRows()
	c, err := r.config()
	if err != nil {
		return s, err
	}
	control, err := r.control()
	if err != nil {
		return s, err
	}
	names := make([]caller, len(s.rows))
	for i := range s.rows {
		u := &s.rows[i]
		names[i] = callerByTrust(u.AgentID, u.Trust)
		names[i].claimed = names[i].claimed && u.HasRoute() // strangers without a route have established names
	}
	enforced, err := control.enforcement(r.ctx, names)
	if err != nil {
		r.unknown("what is armed", err)
	}
	manifests, err := control.manifests(r.ctx)
	if err != nil {
		r.unknown("manifests and gates", err)
	}
	s.owners = r.fileKnown(ownersOfAgents)
	for i := range s.rows {
		u := &s.rows[i]
		u.Owner = ownerOf(c, u.AgentID)
		if u.HasRoute() {
			s.addMissing(u, manifests, enforced)
		}
		if u.Learned == nil || !u.Learned.Acquaintance.IsStranger() {
			continue
		}
		var armed *api.ArmedAgent
		if e, ok := enforced[u.AgentID]; ok {
			armed = &e
		}
		guardStranger(u, c, manifests, armed)
	}
	return s, nil
}

// addStrangers adds to the rows what the newest baseline knows of their agents, and rows for strangers that have none.
func (s *startingPoints) addStrangers(r *request, db database, limit int) error {
	a := r.knownAgents()
	if a == nil {
		return nil
	}
	var agents []query.AgentRow
	if a.learned.Runs == 0 { // few calls are stored
		var err error
		if agents, err = query.Agents(r.ctx, db, r.since, r.until); err != nil {
			return err
		}
		agents = cut(r, "which agents with fewer calls no baseline knows", agents, query.MaxAgents)
	}
	calling := map[string]*schema.Learned{}
	for i := range agents {
		calling[agents[i].AgentID] = a.ofAgent(&agents[i])
	}
	for i := range s.rows {
		u := &s.rows[i]
		if u.Learned = calling[u.AgentID]; u.Learned == nil {
			u.Learned = a.of(&sighting{agent: u.AgentID, trust: u.Trust})
		}
	}
	s.rows = append(s.rows, a.strangers(s.rows, agents, limit)...)
	return nil
}

// ownerOf returns the owner of an agent in the configuration; empty: none.
func ownerOf(c config.Config, agent string) string {
	owner := ""
	for _, e := range c.Agents {
		if e.ID == agent && e.Owner != "" {
			owner = e.Owner
		}
	}
	return owner
}

// addMissing notes what an agent's use of an irreversible route lacks. Without manifests (nil) no point
// answered.
func (s *startingPoints) addMissing(u *query.StartRow, manifests *manifest.Store, enforced map[string]api.ArmedAgent) {
	named, gated := true, true
	if manifests != nil {
		named, gated = guards(manifests, u)
	}
	e, known := enforced[u.AgentID]
	for _, c := range s.open {
		if c.AgentID == u.AgentID {
			u.Unasked = append(u.Unasked, c.Gateway)
		}
	}
	for _, m := range []struct {
		what    string
		missing bool
	}{
		{"gate", !gated}, {"manifest", !named}, {"owner", u.Owner == "" && s.owners}, {"declaration", !u.Declared},
		{"gate, manifest, arming (unknown: no point answers)", manifests == nil},
		{"arming (unknown: no point answers)", !known && manifests != nil},
		{"arming", known && e.State != "armed"}, {"check", len(u.Unasked) > 0},
	} {
		if m.missing {
			u.Missing = append(u.Missing, m.what)
		}
	}
}
