package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// Outcomes counts the calls of a run by what became of them, each call once whoever observed it.
type Outcomes struct {
	Done         uint64 // carried out, or not known to have failed
	Failed       uint64
	Denied       uint64
	Irreversible uint64 // irreversible calls of Done
}

// RankedRun is a run with what became of its calls; nil: that could not be counted within the bounds of a question.
type RankedRun struct {
	Run
	Outcomes *Outcomes
}

// maxRanked is the maximum number of runs with a level that are compared to find the worst.
const maxRanked = 5000

// WorstRuns returns runs, the worst first: by level, then by score. Runs without a level follow, the latest of them. more reports that
// there are more than the limit.
func WorstRuns(ctx context.Context, db DB, f RunFilter) (out []RankedRun, more bool, err error) {
	limit, all := f.Limit, f.MinLevel == ""
	if all {
		f.MinLevel = schema.LevelAnnotate.String()
	}
	f.Limit = maxRanked
	s, _, err := selectionOf(ctx, db, f)
	if err != nil {
		return nil, false, err
	}
	// Without an end of the window, an agent or a state leaves out single states of it.
	if !f.Until.IsZero() || f.Agent == "" && f.State == "" {
		if s.rare, err = isMostOfStored(ctx, db, f.Since, f.Until); err != nil {
			return nil, false, err
		}
	}
	sql, params := s.statementBy("max(level) DESC, at DESC", maxRanked)
	refs, err := readRefs(ctx, db, "runs", sql, params)
	if err != nil {
		return nil, false, err
	}
	if refs, err = worstOf(ctx, db, refs, s, limit+1); err != nil {
		return nil, false, err
	}
	runs, err := readRuns(ctx, db, refs, s.run, s.states.params)
	if err != nil {
		return nil, false, err
	}
	if all && len(runs) <= limit {
		f.MinLevel, f.Limit = "", limit+1
		latest, err := Runs(ctx, db, f)
		if err != nil {
			return nil, false, err
		}
		runs = withoutRepeats(append(runs, latest...))
	}
	slices.SortFunc(runs, worse)
	if more = len(runs) > limit; more {
		runs = runs[:limit]
	}
	out, err = RunsWithOutcomes(ctx, db, runs)
	return out, more, err
}

// worstOf returns the n worst of many runs that a selection selected, or all of few: to read by what runs are compared, and then the worst
// in full, costs less than to read all in full only if these are many times as many.
func worstOf(ctx context.Context, db DB, refs []runRef, s *selection, n int) ([]runRef, error) {
	if len(refs) <= 10*n {
		return refs, nil
	}
	condition := ""
	if s.run != "" {
		condition = " AND " + s.run
	}
	var runs []Run
	for list := range listed(refs) {
		sql := "SELECT tenant, actor_hash, toString(run_id), score, toString(level), last_at FROM (SELECT * FROM runs WHERE " + runsOf(list) +
			condition + ")"
		if err := each(ctx, db, "ranks of runs", sql, s.states.params, func(r driver.Rows) error {
			var v Run
			err := r.Scan(&v.Tenant, &v.actorHash, &v.RunID, &v.Score, &v.Level, &v.LastAt.Time)
			runs = append(runs, v)
			return err
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(runs, worse)
	runs = runs[:min(len(runs), n)]
	worst := make([]runRef, len(runs))
	for i := range runs {
		worst[i] = runRef{tenant: runs[i].Tenant, actor: runs[i].actorHash, id: runs[i].RunID}
	}
	return worst, nil
}

// statementBy selects the places of at most n runs of the whole time window in an order.
func (s *selection) statementBy(order string, n int) (sql string, params []any) {
	by := *s
	by.order = order
	return by.statement(n, nil, s.since)
}

func withoutRepeats(runs []Run) []Run {
	seen := make(map[[2]string]bool, len(runs))
	return slices.DeleteFunc(runs, func(r Run) bool {
		k := [2]string{r.Tenant, r.RunID}
		if seen[k] {
			return true
		}
		seen[k] = true
		return false
	})
}

// worse orders runs: by level, score, time of the last call, id.
func worse(a, b Run) int {
	score := func(r *Run) float64 {
		if r.Score == nil {
			return -1
		}
		return *r.Score
	}
	return cmp.Or(cmp.Compare(levelRank(b.Level), levelRank(a.Level)), cmp.Compare(score(&b), score(&a)), b.LastAt.Compare(a.LastAt.Time),
		cmp.Compare(a.RunID, b.RunID))
}

// levelRank is the place of a level among the words of levels, the mildest first.
func levelRank(level string) int { return slices.Index(schema.LevelWords, level) }

// RunsWithOutcomes counts the calls of runs by outcome. Without an answer within the bounds, the counts are not known.
func RunsWithOutcomes(ctx context.Context, db DB, runs []Run) ([]RankedRun, error) {
	refs := make([]runRef, len(runs))
	for i := range runs {
		refs[i] = runRef{tenant: runs[i].Tenant, actor: runs[i].actorHash, id: runs[i].RunID, times: runs[i].times()}
	}
	counts, err := outcomesOf(ctx, db, refs)
	if err != nil {
		return nil, err
	}
	out := make([]RankedRun, len(runs))
	for i := range runs {
		out[i] = RankedRun{runs[i], counts[runs[i].RunID]}
	}
	return out, nil
}

// OutcomesOfRuns counts the calls of the runs with some ids by outcome. A run that is not in the answer has no stored calls.
func OutcomesOfRuns(ctx context.Context, db DB, ids []string) (map[string]*Outcomes, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == noRun || id == "" })
	refs, err := timedRefsOf(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	return outcomesOf(ctx, db, refs)
}

// outcomesOf counts calls of runs by outcome.
func outcomesOf(ctx context.Context, db DB, refs []runRef) (map[string]*Outcomes, error) {
	out := map[string]*Outcomes{}
	for list := range listed(refs) {
		err := each(ctx, db, "outcomes of runs", `SELECT toString(run_id), countIf(outcome IN ('ok', 'unknown')), countIf(outcome = 'denied'),
count(), countIf(reversibility = 'irreversible' AND outcome IN ('ok', 'unknown')) FROM calls WHERE counted AND `+callsOf(list)+
			" GROUP BY run_id", nil, func(r driver.Rows) error {
			var id string
			var n Outcomes
			var all uint64
			if err := r.Scan(&id, &n.Done, &n.Denied, &all, &n.Irreversible); err != nil {
				return err
			}
			n.Failed = all - n.Done - n.Denied
			out[id] = &n
			return nil
		})
		if err = exceptExceeded(err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// WorstFindings returns the findings that a filter selects, the worst first: open ones before closed ones, by level, and then by how
// rarely clean runs come that far. Those without a rate, of rules, come before those with one.
func WorstFindings(ctx context.Context, db DB, f FindingFilter) ([]Finding, error) {
	w, err := f.where(ctx)
	if err != nil {
		return nil, err
	}
	const worst = "state = 'open' DESC, level DESC, expected_rate, updated_at DESC, finding_id"
	return findingsBy(ctx, db, w.String(), worst, f.limit(), w.params...)
}
