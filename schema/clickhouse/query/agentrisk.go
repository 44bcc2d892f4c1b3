package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// AgentRisk is an agent with what it did and what was found about it in a time window.
type AgentRisk struct {
	AgentID      string
	Level        string // highest of its findings
	Open         uint64 // findings that are open
	Findings     uint64
	Runs         uint64 // estimated, within about 1 %
	Calls        uint64
	Denied       uint64
	Irreversible uint64    // carried out
	LastAt       time.Time // latest call of its runs
	Worst        *float64  // highest score of its findings; nil: it has none
}

// SomeAgents selects agents: one by its name, or by conditions; the zero value selects all.
type SomeAgents struct {
	Agent  string
	Agents Names
}

// all reports whether every agent is selected.
func (s *SomeAgents) all() bool { return s.Agent == "" && len(s.Agents) == 0 }

// Fit reports whether an agent is selected.
func (s *SomeAgents) Fit(agent string) bool {
	return (s.Agent == "" || s.Agent == agent) && s.Agents.Fit(agent)
}

// AgentsAtRisk returns the selected agents with calls or findings in a window, the most at risk first: by level, open findings, score and
// irreversible calls. levels are those of their findings; nil: any. It reads counts of hours, states of runs and findings, not calls.
func AgentsAtRisk(ctx context.Context, db DB, some SomeAgents, win Window, levels []string, limit int) ([]AgentRisk, error) {
	rows := map[string]*AgentRisk{}
	of := func(id string) *AgentRisk {
		if rows[id] == nil {
			rows[id] = &AgentRisk{AgentID: id}
		}
		return rows[id]
	}
	parts := []func(context.Context, DB, SomeAgents, Window, func(string) *AgentRisk) error{agentCounts, agentFindings, agentRuns}
	for _, read := range parts {
		if err := read(ctx, db, some, win, of); err != nil {
			return nil, err
		}
	}
	out := make([]AgentRisk, 0, len(rows))
	for _, r := range rows {
		if levels == nil || slices.Contains(levels, cmp.Or(r.Level, schema.LevelNone.String())) {
			out = append(out, *r)
		}
	}
	score := func(r *AgentRisk) float64 {
		if r.Worst == nil {
			return -1
		}
		return *r.Worst
	}
	slices.SortFunc(out, func(a, b AgentRisk) int {
		return cmp.Or(cmp.Compare(levelRank(b.Level), levelRank(a.Level)), cmp.Compare(b.Open, a.Open), cmp.Compare(score(&b), score(&a)),
			cmp.Compare(b.Irreversible, a.Irreversible), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.AgentID, b.AgentID))
	})
	return out[:min(len(out), limit)], nil
}

// maxAgents is the maximum number of agents that are read.
const maxAgents = 10_000

func agentCounts(ctx context.Context, db DB, some SomeAgents, win Window, of func(string) *AgentRisk) error {
	var w where
	w.ofAgents(&some)
	win.counted(&w, "hour", time.Hour)
	return each(ctx, db, "calls of agents", fmt.Sprintf(`SELECT agent_id, sum(calls), sum(outcome_denied), sum(done_irreversible) FROM hour_counts %s
GROUP BY agent_id ORDER BY sum(calls) DESC, agent_id LIMIT %d`, w.String(), maxAgents), w.params, func(r driver.Rows) error {
		var id string
		var calls, denied, irreversible uint64
		err := r.Scan(&id, &calls, &denied, &irreversible)
		v := of(id)
		v.Calls, v.Denied, v.Irreversible = calls, denied, irreversible
		return err
	})
}

func agentFindings(ctx context.Context, db DB, some SomeAgents, win Window, of func(string) *AgentRisk) error {
	var w where
	w.ofAgents(&some)
	w.between("updated_at", "updated_at", win.Since, win.Until)
	return each(ctx, db, "findings of agents", fmt.Sprintf(`SELECT agent_id, toString(max(level)), countIf(state = 'open'), count(), max(score)
FROM findings %s GROUP BY agent_id ORDER BY max(level) DESC, agent_id LIMIT %d`, w.String(), maxAgents), w.params, func(r driver.Rows) error {
		var id, level string
		var open, all uint64
		var score float64
		err := r.Scan(&id, &level, &open, &all, &score)
		v := of(id)
		v.Level, v.Open, v.Findings, v.Worst = level, open, all, &score
		return err
	})
}

func agentRuns(ctx context.Context, db DB, some SomeAgents, win Window, of func(string) *AgentRisk) error {
	var w where
	if some.Agent != "" {
		w.add(actorsPosted("posted_actor", "agent_id", "agent", Window{}))
	}
	w.ofAgents(&some)
	w.between("started_at", "last_at", win.Since, win.Until)
	return each(ctx, db, "runs of agents", fmt.Sprintf(`SELECT agent_id, uniq(run_id) AS n, max(last_at) FROM run_states %s
GROUP BY agent_id ORDER BY n DESC, agent_id LIMIT %d`, w.String(), maxAgents), w.params, func(r driver.Rows) error {
		var id string
		var n uint64
		var last time.Time
		err := r.Scan(&id, &n, &last)
		v := of(id)
		v.Runs, v.LastAt = n, last
		return err
	})
}

// ofAgents adds the condition for the rows of the selected agents, which have a name.
func (w *where) ofAgents(some *SomeAgents) {
	some.Agents.into(w, "agent_id", "agents")
	if some.Agent == "" {
		w.add("agent_id != ''")
		return
	}
	w.add("agent_id = {agent:String}", named("agent", some.Agent))
}
