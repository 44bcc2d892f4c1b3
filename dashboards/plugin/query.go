package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// Query is the query of a panel. All members but Type are optional.
type Query struct {
	Type     string `json:"queryType"` // one of Types
	Run      string `json:"run"`       // for trace and touched: a run id, or the key of a run
	Agent    string `json:"agent"`     // exact name; empty: all
	Tenant   string `json:"tenant"`    // empty: all
	MinLevel string `json:"minLevel"`  // for runs and findings: annotate, alert, trip
	Limit    int    `json:"limit"`     // maximum number of rows; 0: 200
}

// Types of queries, in the order in which the editor shows them.
var Types = []string{"runs", "findings", "breakers", "touched", "trace", "calls"}

const (
	defaultLimit = 200
	maxLimit     = 5000
	// maxPoints is the maximum number of points of the calls over time. The time range and the
	// interval of the panel determine the number of points.
	maxPoints = 20_000
)

// validate checks the query and sets the default limit. An error contains the member, its
// value and the rule.
func (q *Query) validate() error {
	switch q.MinLevel {
	case "", schema.LevelAnnotate.String(), schema.LevelAlert.String(), schema.LevelTrip.String():
	default:
		return fmt.Errorf("minLevel: %q is none of annotate, alert, trip", q.MinLevel)
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		return fmt.Errorf("limit: %d is not between 1 and %d", q.Limit, maxLimit)
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Run == "" && (q.Type == "trace" || q.Type == "touched") {
		return fmt.Errorf("run: empty; a %s is of one run", q.Type)
	}
	return nil
}

// answer executes one query. It reads one row more than the limit, so that the frame can show
// that there are more.
func answer(ctx context.Context, db query.DB, q Query, from, to time.Time, interval time.Duration) (*data.Frame, error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	db = query.OfTenant(db, q.Tenant)
	switch q.Type {
	case "runs":
		rows, err := query.Runs(ctx, db, query.RunFilter{Agent: q.Agent, Since: from, Until: to, MinLevel: q.MinLevel, Limit: q.Limit + 1})
		return runsFrame(rows, q.Limit), err
	case "findings":
		rows, err := query.FindingsMatching(ctx, db, query.FindingFilter{Agent: q.Agent, Since: from, Until: to, MinLevel: q.MinLevel,
			Limit: q.Limit + 1})
		return findingsFrame(rows, q.Limit), err
	case "breakers":
		rows, err := query.BreakerHistory(ctx, db, query.BreakerFilter{Agent: q.Agent, Since: from, Until: to, Limit: q.Limit + 1})
		return breakersFrame(rows, q.Limit), err
	case "calls":
		rows, err := query.CallsOverTime(ctx, db, q.Agent, from, to, interval, maxPoints+1)
		return callsFrame(rows, maxPoints), err
	case "trace", "touched":
		run, err := newestRun(ctx, db, q.Run)
		if err != nil {
			return nil, fmt.Errorf("run: %w", err)
		}
		if q.Type == "trace" {
			spans, err := query.RunSpans(ctx, db, &run, q.Limit+1)
			return traceFrame(run.RunID, spans, q.Limit), err
		}
		report, err := query.TouchedBy(ctx, db, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
		if err != nil {
			return nil, err
		}
		return touchedFrame(report, q.Limit), nil
	}
	return nil, fmt.Errorf("queryType: %q is none of %s", q.Type, strings.Join(Types, ", "))
}

// newestRun returns the run with an id or a key. Of several runs with the same key it returns
// the newest.
func newestRun(ctx context.Context, db query.DB, name string) (query.Run, error) {
	run, err := query.ResolveRun(ctx, db, name)
	var several *query.Ambiguous
	if errors.As(err, &several) {
		return several.Candidates[0], nil
	}
	if errors.Is(err, query.ErrNotFound) {
		return run, fmt.Errorf("no run has the id or key %q", name)
	}
	return run, err
}
