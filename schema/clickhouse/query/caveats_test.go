package query

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// keys returns the text before the colon of each caveat, which programs use.
func keys(caveats []string) string {
	var out []string
	for _, c := range caveats {
		key, _, _ := strings.Cut(c, ":")
		out = append(out, key)
	}
	return strings.Join(out, " ")
}

func TestEachReasonForDoubtIsACaveat(t *testing.T) {
	all := caveatCounts{unlogged: 1, askedOnly: 2, sampled: 3, overflow: 4, unsure: 9, late: 6, deadLetters: 7}
	const want = "resource_not_logged asked_only sampled_source overflow low_stitching_confidence late_data dead_letters"
	if got := keys(all.caveats()); got != want {
		t.Errorf("caveats %q, want %q", got, want)
	}
	if got := strings.Join(all.caveats(), "\n"); !strings.Contains(got, "low_stitching_confidence: 5 calls") {
		t.Errorf("calls of the overflow run are counted twice: %s", got)
	}
	if got := (&caveatCounts{unsure: 4, overflow: 4}).caveats(); keys(got) != "overflow" {
		t.Errorf("calls of the overflow run are counted twice: %q", got)
	}
	if got := (&caveatCounts{}).caveats(); got != nil {
		t.Errorf("caveats without a reason: %q", got)
	}
}

// A report is never complete while its sources have unprocessed data, whatever it contains.
func TestReportBehindItsSourcesIsNotComplete(t *testing.T) {
	for name, add := range map[string]func(*Touched){
		"ingest_lag":  func(t *Touched) { t.AddUnread([]Unread{{"detect", "flyball.calls", 3, 40}}) },
		"lag_unknown": func(t *Touched) { t.AddLagUnknownCaveat("no part answered") },
	} {
		report := &Touched{Complete: true, Caveats: []string{"late_data: 1"}}
		add(report)
		if report.Complete || keys(report.Caveats) != name+" late_data" {
			t.Errorf("%s: complete %t, caveats %q", name, report.Complete, report.Caveats)
		}
	}
}

func TestMostDangerousComesFirst(t *testing.T) {
	report := &Touched{Resources: []TouchedResource{
		{Resource: "a", Reversibility: "read_only", Calls: 99}, {Resource: "b", Reversibility: "unknown"}, {Resource: "c",
			Reversibility: "irreversible", Calls: 1},
		{Resource: "d", Reversibility: "irreversible", Calls: 2}, {Resource: "f", Reversibility: "reversible"}, {Resource: "e",
			Reversibility: "reversible"},
	}}
	sortByDanger(report.Resources, false)
	var got string
	for _, r := range report.Resources {
		got += r.Resource
	}
	if got != "dcefba" {
		t.Errorf("order %q", got)
	}
}

// A window with one end limits only at that end, and a window without ends does not limit.
func TestWindowLimitsWhatOverlapsIt(t *testing.T) {
	at := time.Unix(100, 5)
	for name, c := range map[string]struct {
		since, until time.Time
		want         string
		params       int
	}{
		"none":  {want: ""},
		"since": {since: at, want: "WHERE last_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')", params: 1},
		"until": {until: at, want: "WHERE first_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')", params: 1},
		"both": {since: at, until: at, params: 2,
			want: "WHERE last_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND first_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')"},
	} {
		var w where
		w.between("first_at", "last_at", c.since, c.until)
		if got := w.String(); got != c.want || len(w.params) != c.params {
			t.Errorf("%s: %q with %d parameters", name, got, len(w.params))
		}
	}
}

// refusing is a database that must not get a query.
type refusing struct{ asked string }

var errRefused = errors.New("refused")

func (r *refusing) Query(_ context.Context, sql string, _ ...any) (driver.Rows, error) {
	r.asked = sql
	return nil, errRefused
}

// A caller that may see no tenant gets no findings, without a query, and not those of all
// tenants.
func TestNobodysFindingsAreNotEverybodys(t *testing.T) {
	db := &refusing{}
	if list, err := FindingsOfTenants(t.Context(), db, nil, 10); err != nil || len(list) != 0 || list == nil || db.asked != "" {
		t.Errorf("%v, %v, asked %q", list, err, db.asked)
	}
	if _, err := FindingsOfTenants(t.Context(), db, []string{"acme"}, 10); !errors.Is(err, errRefused) || !strings.Contains(db.asked,
		"{tenant_list:String}") || strings.Contains(db.asked, "acme") {
		t.Errorf("%v, asked %q", err, db.asked)
	}
}

// The text of a query does not depend on the names in it: names are parameters.
func TestNamesAreNeverPartOfTheText(t *testing.T) {
	const name = "o'brien`); DROP"
	for what, ask := range map[string]func(context.Context, DB) error{
		"runs": func(ctx context.Context, db DB) error {
			_, err := Runs(ctx, db, RunFilter{Agent: name, State: name, MinLevel: name})
			return err
		},
		"resolve": func(ctx context.Context, db DB) error { _, err := ResolveRun(ctx, db, name); return err },
		"similar": func(ctx context.Context, db DB) error { _, err := RunsWithSimilarKey(ctx, db, name, 3); return err },
		"find":    func(ctx context.Context, db DB) error { _, err := Find(ctx, db, name, 3); return err },
		"touched": func(ctx context.Context, db DB) error {
			_, err := TouchedBy(ctx, db, Subject{"resource", name}, nil, Window{})
			return err
		},
		"of agent": func(ctx context.Context, db DB) error {
			_, err := TouchedBy(ctx, db, Subject{"agent", name}, nil, Window{})
			return err
		},
		"findings": func(ctx context.Context, db DB) error {
			_, err := FindingsMatching(ctx, db, FindingFilter{Agent: name, MinLevel: name})
			return err
		},
		"breakers": func(ctx context.Context, db DB) error {
			_, err := BreakerHistory(ctx, db, BreakerFilter{Agent: name})
			return err
		},
		"calls": func(ctx context.Context, db DB) error {
			_, err := CallsOverTime(ctx, db, name, time.Time{}, time.Time{}, 0, 3)
			return err
		},
		"spans": func(ctx context.Context, db DB) error {
			_, err := TraceOfRun(ctx, db, &Run{Tenant: name, RunID: name}, 3)
			return err
		},
		"worst runs": func(ctx context.Context, db DB) error {
			_, _, err := WorstRuns(ctx, db, RunFilter{Agent: name, Limit: 3})
			return err
		},
		"held": func(ctx context.Context, db DB) error {
			_, err := Held(ctx, db, HeldFilter{Agent: name, Limit: 3}, time.Unix(1, 0))
			return err
		},
		"agents at risk": func(ctx context.Context, db DB) error {
			_, err := AgentsAtRisk(ctx, db, SomeAgents{Agent: name, Agents: Names{{Any: []string{name}}}}, Window{}, nil, 3)
			return err
		},
		"calls by": func(ctx context.Context, db DB) error {
			_, _, err := CallsBy(ctx, db, CallSeries{SomeAgents: SomeAgents{Agent: name}, By: "outcome", Limit: 3})
			return err
		},
		"bypasses": func(ctx context.Context, db DB) error {
			_, err := Bypasses(ctx, db, SomeAgents{Agent: name}, Window{})
			return err
		},
		"deploys": func(ctx context.Context, db DB) error {
			_, _, err := Deploys(ctx, db, SomeAgents{Agent: name, Agents: Names{{Not: true, Pattern: name}}}, Window{}, 3)
			return err
		},
		"of a tenant": func(ctx context.Context, db DB) error {
			_, err := Findings(ctx, OfTenant(db, name), 3)
			return err
		},
		"resources": func(ctx context.Context, db DB) error {
			_, err := ChoicesOf(ctx, db, "resources", ChoiceFilter{Prefix: name, Limit: 3})
			return err
		},
		"usage": func(ctx context.Context, db DB) error {
			_, err := Usage(ctx, db, Caller{Agent: name, Run: name}, time.Time{}, time.Time{})
			return err
		},
		"gates": func(ctx context.Context, db DB) error {
			_, err := Gates(ctx, db, name, time.Time{}, time.Time{})
			return err
		},
		"a finding": func(ctx context.Context, db DB) error { _, err := ResolveFinding(ctx, db, "", name); return err },
		"after trip": func(ctx context.Context, db DB) error {
			_, err := CallsAfterTrip(ctx, db, name, time.Time{})
			return err
		},
	} {
		db := &refusing{}
		if err := ask(t.Context(), db); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", what, err)
		}
		if db.asked == "" || strings.Contains(db.asked, "brien") {
			t.Errorf("%s asks %q", what, db.asked)
		}
	}
	if _, err := TouchedBy(t.Context(), &refusing{}, Subject{"tenant", name}, nil, Window{}); err == nil || errors.Is(err, errRefused) {
		t.Errorf("a subject of no kind: %v", err)
	}
}

func TestGatewaysOfWhoseCallsNothingIsKnownAreNamed(t *testing.T) {
	c := &Coverage{Rows: []CoverageRow{
		{AgentID: "a", Gateway: "edge", Calls: 10, Asked: 10}, {AgentID: "b", Gateway: "edge", Calls: 5, NeverAsked: 5},
		{AgentID: "a", Gateway: "mesh", Calls: 4, Unknown: 3, Asked: 1}, {AgentID: "b", Gateway: "mesh", Calls: 6, Unknown: 2, NeverAsked: 4}}}
	c.addCaveats()
	if len(c.Caveats) != 1 || !strings.HasPrefix(c.Caveats[0], "cannot_be_told: 5 of 10 calls that mesh logged") {
		t.Errorf("%q", c.Caveats)
	}
	if rows := c.NeverAskedRows(); len(rows) != 2 || rows[0].Gateway != "edge" || rows[1].Gateway != "mesh" {
		t.Errorf("%+v", rows)
	}
}
