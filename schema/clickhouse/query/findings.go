package query

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"flyball/schema"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Finding is a row of findings, as commands and the control API return it.
type Finding struct {
	ID           string                `json:"finding_id"`
	RunID        string                `json:"run_id"`
	Tenant       string                `json:"tenant,omitempty"`
	AgentID      string                `json:"agent_id,omitempty"`
	Family       string                `json:"family"`
	Level        string                `json:"level"`
	State        string                `json:"state"`
	OpenedAt     time.Time             `json:"opened_at"`
	UpdatedAt    time.Time             `json:"updated_at"`
	Score        float64               `json:"score"`
	ExpectedRate float64               `json:"expected_rate"`
	ExpectedOf   string                `json:"expected_of,omitempty"`   // as in schema.Finding; absent for families without a rate
	ExpectedRuns uint64                `json:"expected_runs,omitempty"` // clean runs that the score was compared with
	Acquaintance string                `json:"acquaintance,omitempty"`  // how well the baseline knew the caller; absent: of an earlier release
	Delay        uint32                `json:"delay_calls"`
	Exposure     schema.Exposure       `json:"exposure"`
	Summary      string                `json:"summary"`
	Evidence     []schema.Contribution `json:"evidence"`
	// Exception is the operator's exception that covers the finding, which is then only
	// recorded.
	Exception string `json:"exception,omitempty"`
	// Verdict is a person's label: true, benign, test; absent: not labelled yet.
	Verdict string `json:"verdict,omitempty"`
	Judge   string `json:"verdict_by,omitempty"`
	Because string `json:"verdict_why,omitempty"`
	// JudgedAt is when the verdict was recorded.
	JudgedAt *time.Time `json:"verdict_at,omitempty"`
}

// FindingFilter limits findings; zero values do not limit.
type FindingFilter struct {
	Tenants      []string
	Agent        string
	RunID        string
	Level        string // exactly this one: annotate, alert, trip
	MinLevel     string
	State        string    // open, closed
	Families     []string  // any of these
	Agents       Names     // beside Agent
	FamilyNames  Names     // beside Families
	Levels       []string  // any of these; nil: any
	Since, Until time.Time // limits of the time of the last change
	Limit        int
	After        string // cursor of the page before; empty: the first page
}

// Findings returns the latest findings, the last changed first.
func Findings(ctx context.Context, db DB, limit int) ([]Finding, error) {
	return FindingsMatching(ctx, db, FindingFilter{Limit: limit})
}

// FindingsMatching returns the latest findings that a filter selects, the last changed first.
func FindingsMatching(ctx context.Context, db DB, f FindingFilter) ([]Finding, error) {
	w, err := f.where(ctx)
	if err != nil {
		return nil, err
	}
	return findings(ctx, db, w.String(), f.limit(), w.params...)
}

func (f *FindingFilter) limit() int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// FindingsPage returns a page of the findings that a filter selects, the last changed first: those after the cursor of the page
// before.
func FindingsPage(ctx context.Context, db DB, f FindingFilter) (Page[Finding], error) {
	w, question, err := f.page(ctx)
	if err != nil {
		return Page[Finding]{}, err
	}
	rows, err := findings(ctx, db, w.String(), f.limit()+1, w.params...)
	if err != nil || len(rows) <= f.limit() {
		return Page[Finding]{Rows: rows}, err
	}
	rows = rows[:f.limit()]
	last := &rows[len(rows)-1]
	return Page[Finding]{rows, question.next(ctx, &place{last.UpdatedAt, last.ID})}, nil
}

// where returns the conditions of the filter.
func (f *FindingFilter) where(ctx context.Context) (*where, error) {
	w, _, err := f.page(ctx)
	return w, err
}

// page returns the conditions of the filter, and the question that it is about.
func (f *FindingFilter) page(ctx context.Context) (*where, *pagedQuestion, error) {
	var w where
	question := &pagedQuestion{list: "findings", what: []string{"tenants", fmt.Sprintf("%q", f.Tenants), "agent", f.Agent, "run", f.RunID,
		"level", f.Level, "min_level", f.MinLevel, "state", f.State, "families", fmt.Sprintf("%q", f.Families)}, win: Window{f.Since, f.Until}}
	for _, names := range []struct {
		column, name string
		Names
	}{{"agent_id", "agents", f.Agents}, {"family", "family_names", f.FamilyNames}, {"level", "levels", levels(f.Levels)}} {
		question.what = append(question.what, names.asked(names.name)...)
		names.into(&w, names.column, names.name)
	}
	after, err := question.after(ctx, f.After)
	if err != nil {
		return nil, nil, err
	}
	if after != nil {
		w.add("(updated_at < fromUnixTimestamp64Nano({after:Int64}, 'UTC') OR updated_at = fromUnixTimestamp64Nano({after:Int64}, 'UTC') "+
			"AND finding_id > {after_id:String})", named("after", fmt.Sprint(after.at.UnixNano())), named("after_id", after.id))
	}
	w.between("updated_at", "updated_at", question.win.Since, question.win.Until)
	for _, c := range []struct{ condition, name, value string }{
		{"agent_id = {agent:String}", "agent", f.Agent}, {"run_id = {run:UUID}", "run", f.RunID}, {"level = {level:String}", "level", f.Level},
		{"level >= {min_level:String}", "min_level", f.MinLevel}, {"state = {state:String}", "state", f.State},
	} {
		if c.value != "" {
			w.add(c.condition, named(c.name, c.value))
		}
	}
	for column, list := range map[string][]string{"tenant": f.Tenants, "family": f.Families} {
		if len(list) == 0 {
			continue
		}
		text, err := json.Marshal(list)
		if err != nil {
			return nil, nil, err
		}
		w.add("has(JSONExtract({"+column+"_list:String}, 'Array(String)'), "+column+")", named(column+"_list", string(text)))
	}
	return &w, question, nil
}

// FindingsOfTenants returns the latest findings of the given tenants, the last changed
// first; without tenants it returns none.
func FindingsOfTenants(ctx context.Context, db DB, tenants []string, limit int) ([]Finding, error) {
	if len(tenants) == 0 {
		return []Finding{}, nil
	}
	return FindingsMatching(ctx, db, FindingFilter{Tenants: tenants, Limit: limit})
}

// maxFindingCandidates is how many findings an ambiguous term lists.
const maxFindingCandidates = 20

// AmbiguousFinding is the error for a term that several findings fit.
type AmbiguousFinding struct {
	Term       string
	Candidates []Finding // at most maxFindingCandidates
}

func (a *AmbiguousFinding) Error() string {
	return fmt.Sprintf("%q fits %d findings: use the id of one", a.Term, len(a.Candidates))
}

// ResolveFinding returns the finding of a tenant ("": of any) with an id, a unique prefix of at least
// six characters of an id, or the id or own key of a run that has one finding. The error wraps
// ErrNotFound or is an AmbiguousFinding.
func ResolveFinding(ctx context.Context, db DB, tenant, term string) (Finding, error) {
	var w where
	if tenant != "" {
		w.add("tenant = {tenant:String}", named("tenant", tenant))
	}
	w.add(`(finding_id = {term:String} OR length({term:String}) >= {min:UInt8} AND (startsWith(finding_id, {term:String})
OR startsWith(toString(run_id), lower({term:String}))) OR run_id IN (SELECT run_id FROM run_states WHERE run_key = {term:String}))`,
		named("term", term), named("min", strconv.Itoa(schema.MinIDPrefix)))
	list, err := findings(ctx, db, w.String(), maxFindingCandidates, w.params...)
	if err != nil {
		return Finding{}, err
	}
	for i := range list {
		if list[i].ID == term {
			return list[i], nil
		}
	}
	switch len(list) {
	case 0:
		return Finding{}, fmt.Errorf("finding %q: %w", term, ErrNotFound)
	case 1:
		return list[0], nil
	}
	return Finding{}, &AmbiguousFinding{term, list}
}

// Verdict is one verdict of a person on a finding.
type Verdict struct {
	Verdict string `json:"verdict"` // true, benign, test
	At      Time   `json:"at"`
	By      string `json:"by"`
	Why     string `json:"why"`
}

// Verdicts returns all verdicts on a finding of a tenant, the latest first. The first one applies.
func Verdicts(ctx context.Context, db DB, tenant, finding string) ([]Verdict, error) {
	out := []Verdict{}
	err := each(ctx, db, "verdicts of a finding", `SELECT toString(verdict), at, by, why FROM verdict_history
WHERE tenant = {tenant:String} AND finding_id = {id:String} ORDER BY generation DESC`,
		[]any{named("tenant", tenant), named("id", finding)}, func(r driver.Rows) error {
			var v Verdict
			err := r.Scan(&v.Verdict, &v.At.Time, &v.By, &v.Why)
			out = append(out, v)
			return err
		})
	return out, err
}

func findings(ctx context.Context, db DB, where string, limit int, params ...any) ([]Finding, error) {
	return findingsBy(ctx, db, where, "updated_at DESC, finding_id", limit, params...)
}

// findingsBy reads findings in an order, which is the text of an ORDER BY.
func findingsBy(ctx context.Context, db DB, where, order string, limit int, params ...any) ([]Finding, error) {
	out := []Finding{}
	sql := fmt.Sprintf(`SELECT finding_id, toString(run_id), agent_id, family, toString(level), state, opened_at,
updated_at, score, expected_rate,
delay_calls, exposure_calls, exposure_irreversible, summary, evidence, exception, expected_of, toString(v.verdict), v.by, v.why,
expected_runs, tenant, v.at, acquaintance
FROM findings LEFT JOIN verdicts AS v USING (tenant, finding_id) %s ORDER BY %s LIMIT %d`, where, order, limit)
	return out, each(ctx, db, "findings", sql, params, func(r driver.Rows) error {
		var f Finding
		var evidence string
		var judgedAt time.Time
		if err := r.Scan(&f.ID, &f.RunID, &f.AgentID, &f.Family, &f.Level, &f.State, &f.OpenedAt, &f.UpdatedAt, &f.Score, &f.ExpectedRate,
			&f.Delay, &f.Exposure.Calls, &f.Exposure.Irreversible, &f.Summary, &evidence, &f.Exception, &f.ExpectedOf, &f.Verdict, &f.Judge,
			&f.Because, &f.ExpectedRuns, &f.Tenant, &judgedAt, &f.Acquaintance); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(evidence), &f.Evidence); err != nil {
			return fmt.Errorf("evidence of %s: %w", f.ID, err)
		}
		if f.Judge == "" { // no verdict: the join returns the first value of the enum
			f.Verdict = ""
		} else {
			f.JudgedAt = &judgedAt
		}
		out = append(out, f)
		return nil
	})
}

// Judged counts the findings of a level by people's verdicts.
type Judged struct {
	Level    string `json:"level"`          // alert, trip; hold: a learned scope held a call, or would have held it
	Rule     string `json:"rule,omitempty"` // rule of a hold: task, targets
	Findings uint64 `json:"findings"`
	True     uint64 `json:"true"`
	Benign   uint64 `json:"benign"`
	Test     uint64 `json:"test"`
	Unjudged uint64 `json:"unjudged"`
	// Runs is the number of runs that ended in the window. FalsePer1000 is the number per
	// 1,000 of them that reached the level and were labelled benign; High also counts those
	// without a label.
	Runs         uint64  `json:"runs"`
	FalsePer1000 float64 `json:"false_per_1000"`
	High         float64 `json:"false_per_1000_if_unjudged_are"`
	// HeldPer1000 is the number of held runs per 1,000, for a hold.
	HeldPer1000 float64 `json:"held_per_1000,omitempty"`
}

// AchievedRates returns the measured rates of findings, to compare with the operator's
// budget, by level; each run counts once.
func AchievedRates(ctx context.Context, db DB, since, until time.Time) ([]Judged, error) {
	var w where
	w.between("updated_at", "updated_at", since, until)
	// Findings under an exception cause no trip; holds have their own budget, and identity conflicts none.
	w.add("level >= 'alert' AND family NOT LIKE 'policy.%' AND family NOT IN ('scope', 'identity_conflict') AND exception = ''")
	out := []Judged{}
	err := each(ctx, db, "verdicts", `SELECT toString(l) AS level, count(), countIf(is_true), countIf(is_benign AND NOT is_true),
countIf(is_test AND NOT is_true AND NOT is_benign), countIf(NOT is_true AND NOT is_benign AND NOT is_test),
(`+endedRuns(since, until)+`)
FROM (SELECT f.run_id, max(f.level) AS l, max(v.by != '' AND v.verdict = 'true') AS is_true, max(v.by != ''
AND v.verdict = 'benign') AS is_benign, max(v.by != '' AND v.verdict = 'test') AS is_test
	FROM (SELECT * FROM findings `+w.String()+`) AS f LEFT JOIN verdicts AS v ON v.finding_id = f.finding_id AND v.tenant = f.tenant
GROUP BY f.run_id)
GROUP BY l ORDER BY l DESC`, w.params, func(row driver.Rows) error {
		var j Judged
		err := row.Scan(&j.Level, &j.Findings, &j.True, &j.Benign, &j.Test, &j.Unjudged, &j.Runs)
		if j.Runs > 0 {
			j.FalsePer1000, j.High = 1000*float64(j.Benign)/float64(j.Runs), 1000*float64(j.Benign+j.Unjudged)/float64(j.Runs)
		}
		out = append(out, j)
		return err
	})
	return out, err
}

// endedRuns counts the runs whose last call is in a window. The window's bounds are the parameters that where.between names.
func endedRuns(since, until time.Time) string {
	sql := "SELECT count() FROM (SELECT max(last_at) AS last FROM run_states"
	if !since.IsZero() {
		sql += " WHERE last_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')"
	}
	sql += " GROUP BY tenant, actor_hash, run_id"
	if !until.IsZero() {
		sql += " HAVING last <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')"
	}
	return sql + ")"
}
