package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

func agentsCommand(o *options) *cobra.Command {
	var w window
	var hygiene bool
	var only agentFilter
	all := answer[report.Inventory]{window: &w, table: report.Agents, rows: itself[report.Inventory], newest: newestCall,
		isEmpty: func(v report.Inventory) bool { return len(v.Agents) == 0 },
		query: func(r *request) (report.Inventory, error) {
			agents, err := readAgents(r)
			if err != nil {
				return report.Inventory{}, err
			}
			agents = only.of(agents)
			findings, err := readHygiene(r, agents)
			return report.Inventory{Agents: agents, Hygiene: findings}, err
		}}.run(o)
	problems := answer[[]query.Hygiene]{window: &w, table: report.Hygiene, rows: itself[[]query.Hygiene],
		query: func(r *request) ([]query.Hygiene, error) {
			agents, err := readAgents(r)
			if err != nil {
				return nil, err
			}
			return readHygiene(r, agents)
		}}.run(o)
	cmd := &cobra.Command{Use: "agents", Args: cobra.NoArgs,
		Short: "List the agents that called: owner, credentials, versions, baseline, enforcement; and problems with identities"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if hygiene {
			return problems(cmd, args)
		}
		return all(cmd, args)
	}
	w.listFlags(cmd, "Calls")
	cmd.Flags().StringVar(&only.agent, "agent", "", "list only this agent, or those that a pattern such as 'billing/*' matches")
	cmd.Flags().IntVar(&only.limit, "limit", 0, limitHelp+" (default: all)")
	cmd.Flags().BoolVar(&hygiene, "hygiene", false, "list only problems with identities")
	return cmd
}

// agentFilter says which agents are listed.
type agentFilter struct {
	agent string // name or pattern; empty: any
	limit int    // 0: all
}

func (f agentFilter) of(agents []query.AgentRow) []query.AgentRow {
	agents = slices.DeleteFunc(agents, func(a query.AgentRow) bool { return f.agent != "" && !matchesName(f.agent, a.AgentID) })
	return limited(agents, f.limit)
}

// readAgents reads the agents that called, with their entries in the configuration and
// their enforcement at the running points.
func readAgents(r *request) ([]query.AgentRow, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	agents, err := query.Agents(r.ctx, db, r.since, r.until)
	if err != nil {
		return nil, err
	}
	agents = cut(r, "agents with fewer calls", agents, query.MaxAgents)
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	control, err := r.control()
	if err != nil {
		return nil, err
	}
	names := make([]caller, len(agents))
	for i := range agents {
		names[i] = callerByTrust(agents[i].AgentID, agents[i].Trust)
	}
	enforced, err := control.enforcement(r.ctx, names)
	if err != nil {
		r.unknown("what is armed", err)
	}
	r.fileKnown(ownersOfAgents)
	known := r.knownAgents()
	for i := range agents {
		a := &agents[i]
		if known != nil {
			a.Learned = known.ofAgent(a)
		}
		if e, ok := enforced[a.AgentID]; ok {
			armed := e.State == "armed"
			a.Armed, a.Enforcement = &armed, e.State
		}
		for _, e := range c.Agents {
			if e.ID == a.AgentID {
				a.Owner, a.Tags, a.Criticality = e.Owner, e.Tags, e.Criticality
			}
		}
	}
	return agents, nil
}

// ownersOfAgents names what the registry says of agents.
const ownersOfAgents = "who owns agents, and their tags"

// maxUnguarded bounds the pairs of agent and irreversible route that are checked for a manifest.
const maxUnguarded = 1000

// readHygiene reads the problems with the identities of callers: those that the stored
// calls show, which of the agents have no owner, and irreversible routes that no manifest names.
func readHygiene(r *request, agents []query.AgentRow) ([]query.Hygiene, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	out, err := query.HygieneFindings(r.ctx, db, r.since, r.until)
	if err != nil {
		return nil, err
	}
	out = cutHygiene(r, out)
	for _, a := range agents {
		if a.Owner == "" && r.fileKnown(ownersOfAgents) && (a.Trust == "verified" || a.Trust == "infrastructure") {
			out = append(out, query.Hygiene{Kind: query.NoOwner, Subject: a.AgentID, Calls: a.Calls, LastAt: a.LastAt,
				Evidence: a.Credentials, Advice: "nobody to call when it runs away: name an owner under agents"})
		}
	}
	control, err := r.control()
	if err != nil {
		return nil, err
	}
	manifests, err := control.manifests(r.ctx)
	if err != nil {
		r.unknown("which routes no manifest names", err) // only points know the manifests
		return out, nil
	}
	rows, err := query.StartHere(r.ctx, db, r.since, r.until, maxUnguarded+1)
	rows = cut(r, "irreversible routes that agents call seldom, and whether a manifest names them", rows, maxUnguarded)
	for i := range rows {
		u := &rows[i]
		if names, _ := guards(manifests, u); names {
			continue
		}
		out = append(out, query.Hygiene{Kind: query.NoManifest, Subject: u.AgentID, Calls: u.Calls, LastAt: u.LastAt,
			Evidence: []string{strings.TrimSpace(u.Method + " " + u.Route + u.Tool)},
			Advice:   "an irreversible route that no manifest names: flyball manifest learn --agent " + shellWord(u.AgentID)})
	}
	return out, err
}

// cutHygiene returns at most MaxHygiene problems of a kind, and prints of which kinds there are more.
func cutHygiene(r *request, found []query.Hygiene) []query.Hygiene {
	n := map[string]int{}
	return slices.DeleteFunc(found, func(h query.Hygiene) bool {
		if n[h.Kind]++; n[h.Kind] <= query.MaxHygiene {
			return false
		}
		r.unknown("further problems of the kind "+h.Kind, fmt.Errorf("there are more than %d, and those of most calls are listed",
			query.MaxHygiene))
		return true
	})
}

// guards reports whether a manifest names an agent's use of an irreversible route, and
// whether a gate or a limit applies to it.
func guards(manifests *manifest.Store, u *query.StartRow) (named, gated bool) {
	m, _ := manifests.ForAgent("", u.AgentID, schema.TrustVerified)
	if m == nil {
		return false, false
	}
	a := m.EvaluateUsage(u.AgentID, &manifest.Usage{Method: u.Method, Route: u.Route, Tool: u.Tool, Reversibility: schema.Irreversible})
	if a.Why == manifest.WhyOutside {
		return false, true // a gate applies, but the manifest does not name this use
	}
	return true, a.Action >= schema.ActionGate || len(a.Spends) > 0
}
