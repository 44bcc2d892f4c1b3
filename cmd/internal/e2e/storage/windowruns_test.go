package storage

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Runs of a window are selected by few of their states: those with a level, and those that name the agent. Random runs have up to three
// segments, of which any has the level or the agent, states that a later one takes back, rows that are stored twice, and names that many
// runs of an actor have and others do not. What is listed must be what the view has.
func TestRunsOfAWindowDifferFromThoseOfTheView(t *testing.T) {
	c := migrated(t)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(9, seed))
	from := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	agents := []string{"", "team/a-1", "team/a-2", "team/b-1", "other"}
	runs := clickhouse.RunsTable.NewBlock()
	const stored = 700
	for n := range stored {
		s := schema.RunSnapshot{RunID: schema.RunID{byte(n), byte(n >> 8), 8: byte(r.IntN(256)), 9: byte(n)}, Tenant: "default",
			Actor: fmt.Sprint("g:actor-", n%3), AgentID: agents[r.IntN(len(agents))]}
		at := from.Add(time.Duration(r.IntN(56*24*60)) * time.Minute)
		for segment := range 1 + r.IntN(3) {
			s.Segment, s.Version, s.OpenedDay, s.StartedAt = int64(1000*n+segment), 0, schema.DayOf(at.UnixNano()), at.UnixNano()
			if r.IntN(3) == 0 {
				s.AgentID = agents[r.IntN(len(agents))]
			}
			for range 1 + r.IntN(3) {
				at = at.Add(time.Duration(r.IntN(10*60)) * time.Minute)
				s.Version += 2
				s.Calls++
				s.LastAt, s.Score, s.Level = at.UnixNano(), float64(r.IntN(4)), 0
				if r.IntN(4) == 0 {
					s.Level = schema.Level(r.IntN(len(schema.LevelWords)))
				}
				runs.Append(&s)
				if r.IntN(5) == 0 {
					runs.Append(&s)
				}
			}
			at = at.Add(time.Duration(r.IntN(6*24)) * time.Hour)
		}
	}
	insert(t, c, runs)
	names := map[string]struct {
		f    query.RunFilter
		want string
	}{
		"any":         {query.RunFilter{}, "true"},
		"one":         {query.RunFilter{Agent: "team/a-1"}, "agent_id = 'team/a-1'"},
		"expression":  {query.RunFilter{Agents: query.Names{{Pattern: ".*-1"}}}, "match(agent_id, '-1$')"},
		"all or none": {query.RunFilter{Agents: query.Names{{Pattern: "(team/a.*)?"}}}, "match(agent_id, '^(team/a|$)')"},
		"list": {query.RunFilter{Agents: query.Names{{Any: []string{"team/b-1", "other"}}, {Not: true, Pattern: "o.*"}}},
			"agent_id = 'team/b-1'"},
		"not": {query.RunFilter{Agents: query.Names{{Not: true, Any: []string{"other"}}}}, "agent_id != 'other'"},
	}
	windows := []query.Window{{}, {Since: from, Until: from.Add(100 * day)}, {Since: from.Add(20 * day), Until: from.Add(50 * day)},
		{Since: from.Add(30 * day), Until: from.Add(32 * day)}, {Since: from.Add(54 * day)}, {Since: from.Add(3 * day)},
		{Until: from.Add(6 * day)}}
	levels := []struct {
		least string
		any   []string
		want  string
	}{{want: "true"}, {least: "alert", want: "level >= 'alert'"}, {any: []string{"trip", "annotate"}, want: "level IN ('trip', 'annotate')"},
		{least: "alert", any: []string{"annotate", "trip"}, want: "level = 'trip'"}}
	const inWindow = `INNER JOIN (SELECT tenant, actor_hash, run_id, max(last_at) AS latest FROM {db}.run_states
WHERE last_at >= fromUnixTimestamp64Nano(%d, 'UTC') AND started_at <= fromUnixTimestamp64Nano(%d, 'UTC') GROUP BY ALL) AS w
USING (tenant, actor_hash, run_id)`
	for name, n := range names {
		for _, i := range r.Perm(len(windows))[:3] {
			win, level := windows[i], levels[r.IntN(len(levels))]
			until := win.Until
			if until.IsZero() {
				until = from.Add(1000 * day)
			}
			f := n.f
			f.Since, f.Until, f.MinLevel, f.Levels, f.Limit = win.Since, win.Until, level.least, level.any, stored
			head := "SELECT toString(run_id) FROM {db}.runs AS r " + fmt.Sprintf(inWindow, max(win.Since.UnixNano(), 0), until.UnixNano()) +
				" WHERE " + n.want + " AND " + level.want
			what := fmt.Sprintf("seed %d, agents %s, %v, level %+v", seed, name, win, level)
			same := func(kind string, got []string, order string) {
				if want := sql(t, c, head+" ORDER BY "+order); strings.Join(got, "\n") != want {
					t.Errorf("%s: %d %s, the view has %d", what, len(got), kind, strings.Count(want, "\n")+1)
				}
			}
			latest, err := query.Runs(t.Context(), c, f)
			if err != nil {
				t.Fatal(err)
			}
			same("latest", idsOfRuns(latest), "latest DESC, run_id")
			worst, _, err := query.WorstRuns(t.Context(), c, f)
			if err != nil {
				t.Fatal(err)
			}
			ranked := make([]query.Run, len(worst))
			for i := range worst {
				ranked[i] = worst[i].Run
			}
			same("worst", idsOfRuns(ranked), "level DESC, ifNull(score, -1) DESC, last_at DESC, toString(run_id)")
			if r.IntN(3) > 0 {
				continue
			}
			f.Limit = 1 + r.IntN(60)
			few, more, err := query.WorstRuns(t.Context(), c, f)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := wrongFew(few, ranked, more, f.Limit); wrong != "" {
				t.Errorf("%s, limit %d: %s", what, f.Limit, wrong)
			}
		}
	}
}

// wrongFew says what is wrong with some of the worst runs: those with a level are the worst of all, and of the others there are as many as
// are asked for, each once.
func wrongFew(few []query.RankedRun, all []query.Run, more bool, limit int) string {
	if len(few) != min(limit, len(all)) || more != (len(all) > limit) {
		return fmt.Sprintf("%d runs, more %t; there are %d", len(few), more, len(all))
	}
	seen := map[string]bool{}
	for i := range few {
		run := &few[i]
		if seen[run.RunID] || (run.Level == schema.LevelNone.String()) != (all[i].Level == schema.LevelNone.String()) {
			return fmt.Sprintf("run %d, %s with the level %s, is there twice or should have a level like %s", i, run.RunID, run.Level, all[i].Level)
		}
		if seen[run.RunID] = true; run.Level != schema.LevelNone.String() && run.RunID != all[i].RunID {
			return fmt.Sprintf("run %d is %s, want %s", i, run.RunID, all[i].RunID)
		}
	}
	return ""
}

func idsOfRuns(runs []query.Run) (ids []string) {
	for i := range runs {
		ids = append(ids, runs[i].RunID)
	}
	return ids
}
