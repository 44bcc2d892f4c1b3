package plugin

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// Descriptions that several tables share.
const (
	aboutScore        = "−ln of rarity: 4.6 is 1 in 100 clean runs, 6.9 is 1 in 1,000"
	aboutIrreversible = "irreversible calls that were carried out; denied and failed ones are not in it"
	aboutDenied       = "calls that a gateway or Flyball refused: they changed nothing"
	aboutFailed       = "calls that ended with an error other than a denial"
)

func answerRuns(ctx context.Context, q *question) (data.Frames, error) {
	if q.Run != "" {
		return answerRun(ctx, q)
	}
	f := query.RunFilter{Agent: q.Agent, Agents: q.where.agents, Since: q.from, Until: q.to, MinLevel: q.MinLevel, Levels: q.where.levels,
		Limit: q.Limit}
	if q.Sort != "latest" {
		rows, more, err := query.WorstRuns(ctx, q.db, f)
		return data.Frames{runsFrame(rows, q.Limit, more)}, err
	}
	f.Limit = q.Limit + 1
	runs, err := query.Runs(ctx, q.db, f)
	if err != nil {
		return nil, err
	}
	more := len(runs) > q.Limit
	rows, err := query.RunsWithOutcomes(ctx, q.db, runs[:min(len(runs), q.Limit)])
	return data.Frames{runsFrame(rows, q.Limit, more)}, err
}

// around is the time before and after a run that a link to its own time shows: a chart of a run of seconds needs a width.
const around = 30 * time.Second

// millis returns a time as the address of a dashboard has it.
func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// answerRun returns the run that the query names, if the other members fit it.
func answerRun(ctx context.Context, q *question) (data.Frames, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	var runs []query.Run
	levels := q.levels()
	if (q.Agent == "" || run.AgentID == q.Agent) && q.where.agents.Fit(run.AgentID) && (levels == nil || slices.Contains(levels, run.Level)) {
		runs = append(runs, run)
	}
	rows, err := query.RunsWithOutcomes(ctx, q.db, runs)
	return data.Frames{runsFrame(rows, q.Limit, false)}, err
}

// runID returns the id of the run that the query names; empty: it names none.
func (q *question) runID(ctx context.Context) (string, error) {
	if q.Run == "" {
		return "", nil
	}
	run, err := newestRun(ctx, q)
	return run.RunID, err
}

func runsFrame(rows []query.RankedRun, limit int, more bool) *data.Frame {
	type row = query.RankedRun
	of := func(get func(*query.Outcomes) uint64) func(*row) *float64 {
		return func(r *row) *float64 {
			if r.Outcomes == nil {
				return nil
			}
			n := float64(get(r.Outcomes))
			return &n
		}
	}
	out := table("runs", rows, limit, "No run has calls in this time range.",
		text("agent", func(r *row) string { return r.AgentID }),
		optional("score", func(r *row) *float64 { return r.Score }).inUnit("", 1).describedAs(aboutScore),
		text("level", func(r *row) string { return r.Level }),
		number("calls", func(r *row) uint64 { return r.Calls }),
		optional("irreversible", of(func(n *query.Outcomes) uint64 { return n.Irreversible })).describedAs(aboutIrreversible),
		optional("denied", of(func(n *query.Outcomes) uint64 { return n.Denied })).describedAs(aboutDenied),
		optional("failed", of(func(n *query.Outcomes) uint64 { return n.Failed })).describedAs(aboutFailed),
		text("state", func(r *row) string { return r.State }),
		moment("started", func(r *row) time.Time { return r.StartedAt.Time }),
		moment("last", func(r *row) time.Time { return r.LastAt.Time }),
		text("run", func(r *row) string { return r.RunID }),
		text("run key", func(r *row) string { return r.RunKey }).describedAs("the name that the agent or the gateway gave to the run"),
		text("from", func(r *row) string { return millis(r.StartedAt.Add(-around)) }).forLinks(),
		text("to", func(r *row) string { return millis(r.LastAt.Add(around)) }).forLinks(),
	)
	if more {
		out.AppendNotices(leftOut(limit))
	}
	return out
}

func answerFindings(ctx context.Context, q *question) (data.Frames, error) {
	if err := oneOf("state", q.State, "open", "closed"); err != nil {
		return nil, err
	}
	f := q.findings()
	f.State, f.Limit = q.State, q.Limit+1
	var err error
	if f.RunID, err = q.runID(ctx); err != nil {
		return nil, err
	}
	if f.RunID != "" {
		f.Since, f.Until = time.Time{}, time.Time{}
	}
	rows, err := query.WorstFindings(ctx, q.db, f)
	if err != nil {
		return nil, err
	}
	runs := make([]string, 0, len(rows))
	for i := range rows[:min(len(rows), q.Limit)] {
		runs = append(runs, rows[i].RunID)
	}
	outcomes, err := query.OutcomesOfRuns(ctx, q.db, runs)
	return data.Frames{findingsFrame(rows, outcomes, q.Limit)}, err
}

// findings returns the findings that the query selects.
func (q *question) findings() query.FindingFilter {
	f := query.FindingFilter{Agent: q.Agent, Agents: q.where.agents, Since: q.from, Until: q.to, MinLevel: q.MinLevel, Levels: q.where.levels,
		FamilyNames: q.where.families}
	if q.Family != "" {
		f.Families = []string{q.Family}
	}
	return f
}

func findingsFrame(rows []query.Finding, outcomes map[string]*query.Outcomes, limit int) *data.Frame {
	type row = query.Finding
	of := func(get func(*query.Outcomes) uint64) func(*row) *float64 {
		return func(f *row) *float64 {
			n := outcomes[f.RunID]
			if n == nil {
				return nil
			}
			v := float64(get(n))
			return &v
		}
	}
	return table("findings", rows, limit, "Nothing was found in this time range.",
		text("level", func(f *row) string { return f.Level }),
		text("agent", func(f *row) string { return f.AgentID }),
		text("what happened", func(f *row) string { return without(f.AgentID, f.Summary) }),
		text("clean runs", func(f *row) string { return known(wording.ShortRate(f.ExpectedRate, cleanOf(f))) }).describedAs(
			"the share of clean runs that come this far, as far as clean runs can show it"),
		optional("done irreversible", of(func(n *query.Outcomes) uint64 { return n.Irreversible })).describedAs(
			"of the run: "+aboutIrreversible),
		optional("denied", of(func(n *query.Outcomes) uint64 { return n.Denied })).describedAs("of the run: "+aboutDenied),
		text("state", func(f *row) string { return f.State }),
		moment("updated", func(f *row) time.Time { return f.UpdatedAt }),
		text("finding", func(f *row) string { return f.ID }),
		text("run", func(f *row) string { return f.RunID }),
		text("family", func(f *row) string { return f.Family }),
		text("caller", func(f *row) string { return wording.AcquaintanceOf(f.Acquaintance) }).describedAs("how well the baseline knew it"),
		text("verdict", func(f *row) string { return f.Verdict }).describedAs("a person's label: true, benign or test"),
	)
}

// without returns a sentence without the agent that it begins with: the agent stands beside it, and its name can be long.
func without(agent, sentence string) string { return strings.TrimPrefix(sentence, agent+" ") }

// known returns a figure in words; empty: there is none.
func known(words string) string {
	if words == "-" {
		return ""
	}
	return words
}

func cleanOf(f *query.Finding) wording.Clean {
	return wording.Clean{Of: f.ExpectedOf, Runs: f.ExpectedRuns}
}

func answerHeld(ctx context.Context, q *question) (data.Frames, error) {
	run, err := q.runID(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := query.Held(ctx, q.db, query.HeldFilter{Agent: q.Agent, Agents: q.where.agents, RunID: run, Limit: q.Limit + 1}, q.now)
	return data.Frames{heldFrame(rows, q.Limit)}, err
}

func heldFrame(rows []query.HeldScope, limit int) *data.Frame {
	type row = query.HeldScope
	return table("held", rows, limit, "Nobody is held now.",
		text("scope", scopeOf),
		text("agent", func(h *row) string { return h.AgentID }),
		moment("since", func(h *row) time.Time { return h.HeldSince }),
		moment("until", func(h *row) time.Time { return h.Expires }).describedAs("empty: until somebody resets it"),
		text("mode", func(h *row) string { return h.State }).describedAs("open, forced_open by a person, or half_open: single reads pass"),
		text("by", heldBy),
		text("reason", func(h *row) string { return without(h.AgentID, h.Reason) }),
		number("stopped calls", func(h *row) uint64 { return h.Stopped }).describedAs("calls of its run that were denied since then"),
		text("breaker", scopeOf).describedAs("the kind and the value of the scope, with which a reset names it"),
		text("run", func(h *row) string { return h.RunID }),
		number("generation", func(h *row) uint64 { return h.Generation }),
		text("tenant", func(h *row) string { return h.Tenant }),
	)
}

func scopeOf(h *query.HeldScope) string { return h.Kind + " " + h.Value }

// heldBy returns the person who opened a breaker, or what did.
func heldBy(h *query.HeldScope) string {
	if h.By != "" {
		return h.By
	}
	return h.Origin
}

func answerBreakers(ctx context.Context, q *question) (data.Frames, error) {
	if err := oneOf("state", q.State, "trips"); err != nil {
		return nil, err
	}
	rows, err := query.BreakerHistory(ctx, q.db, query.BreakerFilter{Agent: q.Agent, Agents: q.where.agents, Trips: q.State == "trips",
		Since: q.from, Until: q.to, Limit: q.Limit + 1})
	return data.Frames{breakersFrame(rows, q.Limit)}, err
}

func breakersFrame(rows []query.BreakerChange, limit int) *data.Frame {
	type row = query.BreakerChange
	return table("breakers", rows, limit, "No breaker changed in this time range.",
		moment("since", func(b *row) time.Time { return b.At }),
		text("scope", func(b *row) string { return b.Scope }),
		text("agent", func(b *row) string { return b.AgentID }),
		text("state", func(b *row) string { return b.State }),
		text("reason", func(b *row) string { return without(b.AgentID, b.Reason) }),
		text("by", func(b *row) string { return b.By }),
		text("mode", func(b *row) string { return b.Mode }).describedAs("armed: enforced; otherwise why it was only recorded"),
		number("irreversible before", func(b *row) uint64 { return b.Irreversible }).describedAs("irreversible calls between onset and trip"),
		number("generation", func(b *row) uint64 { return b.Generation }),
		text("run", func(b *row) string { return b.RunID }),
	)
}

func answerGates(ctx context.Context, q *question) (data.Frames, error) {
	if err := oneOf("state", q.State, "waiting"); err != nil {
		return nil, err
	}
	run, err := q.runID(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := query.AskedGates(ctx, q.db, query.GateFilter{Agent: q.Agent, Agents: q.where.agents, RunID: run,
		Waiting: q.State == "waiting", Since: q.from, Until: q.to, Limit: q.Limit + 1}, q.now)
	return data.Frames{gatesFrame(rows, q.Limit, q.now)}, err
}

func gatesFrame(rows []query.AskedGate, limit int, now time.Time) *data.Frame {
	type row = query.AskedGate
	return table("gates", rows, limit, "No question was asked.",
		moment("asked", func(g *row) time.Time { return g.AskedAt }),
		text("agent", func(g *row) string { return g.AgentID }),
		text("call", func(g *row) string { return g.Route }),
		text("resource", func(g *row) string { return g.Resource }),
		text("state", func(g *row) string { return g.State }).describedAs("pending: the call waits for a person"),
		optional("waits", func(g *row) *float64 { return waited(g, now) }).inUnit("s", 0).describedAs(
			"from the question to the answer or to its last time; empty: nobody was waited for, or the end is not known"),
		text("gate", func(g *row) string { return g.ID }),
		text("run", func(g *row) string { return g.RunID }),
		text("amount", func(g *row) string { return joined(g.Amount, g.Currency) }),
		text("by", func(g *row) string { return g.By }),
		text("reason", func(g *row) string { return g.Reason }),
		text("why", func(g *row) string { return wording.Reason(g.Why) }),
	)
}

// waited returns how many seconds a question waited for its answer, or has waited; nil: it held no call, or its end is not known.
func waited(g *query.AskedGate, now time.Time) *float64 {
	end := now
	switch {
	case g.Mode != schema.ModeArmed.String():
		return nil
	case !g.DecidedAt.IsZero():
		end = g.DecidedAt
	case !g.Expires.IsZero() && g.Expires.Before(now):
		end = g.Expires
	case g.State != schema.GatePending.String():
		return nil
	}
	return figure(max(end.Sub(g.AskedAt), 0).Round(time.Second).Seconds())
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

func answerAgents(ctx context.Context, q *question) (data.Frames, error) {
	rows, err := query.AgentsAtRisk(ctx, q.db, q.some(), q.window(), q.levels(), q.Limit+1)
	known, unknown := ownersNow(ctx, q)
	frame := agentsFrame(rows, known, q.Tenant, q.Limit)
	return notKnown(data.Frames{frame}, "The owners are not known", unknown), err
}

// levels returns the words of the levels that the query selects; nil: any.
func (q *question) levels() []string {
	if q.MinLevel == "" {
		return q.where.levels
	}
	all := schema.LevelWords[slices.Index(schema.LevelWords, q.MinLevel):]
	if q.where.levels == nil {
		return all
	}
	return fitting(all, nil, query.Names{{Any: q.where.levels}})
}

func agentsFrame(rows []query.AgentRisk, known owners, tenant string, limit int) *data.Frame {
	type row = query.AgentRisk
	return table("agents", rows, limit, "No agent called in this time range.",
		text("agent", func(a *row) string { return a.AgentID }),
		text("level", func(a *row) string { return a.Level }).describedAs("the highest of its findings"),
		number("open findings", func(a *row) uint64 { return a.Open }),
		number("runs", func(a *row) uint64 { return a.Runs }),
		number("calls", func(a *row) uint64 { return a.Calls }),
		number("irreversible", func(a *row) uint64 { return a.Irreversible }).describedAs(aboutIrreversible),
		number("denied", func(a *row) uint64 { return a.Denied }).describedAs(aboutDenied),
		moment("last", func(a *row) time.Time { return a.LastAt }),
		optional("worst score", func(a *row) *float64 { return a.Worst }).inUnit("", 1).describedAs(aboutScore),
		text("owner", func(a *row) string { return known.of(tenant, a.AgentID) }).describedAs(
			"by the manifest in force, as the control API knows it"),
		text("manifest", func(a *row) string { return known.named(tenant, a.AgentID) }).
			describedAs("the manifest in force; empty: none is known"),
	)
}
