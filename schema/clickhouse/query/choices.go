package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Choice is a value that a person can choose.
type Choice struct{ Text, Value string }

// ChoiceFilter limits choices; zero values do not limit.
type ChoiceFilter struct {
	Prefix, Agent string // Agent limits runs
	Agents        Names  // limits runs and agents
	Since, Until  time.Time
	Limit         int
}

// ChoiceKinds are the kinds of values that ChoicesOf knows.
var ChoiceKinds = []string{"agents", "runs", "resources", "families", "tenants"}

// ChoicesOf returns values of a kind that begin with a prefix, in the order of the alphabet; runs with the latest first.
func ChoicesOf(ctx context.Context, db DB, kind string, f ChoiceFilter) ([]Choice, error) {
	w := &where{}
	win := Window{f.Since, f.Until}
	column, table := "", ""
	switch kind {
	case "agents":
		column, table = "agent_id", "hour_counts"
		f.Agents.into(w, "agent_id", "agents")
		win.counted(w, "hour", time.Hour)
	case "tenants":
		column, table = "tenant", "hour_counts"
		win.counted(w, "hour", time.Hour)
	case "families":
		column, table = "family", "findings"
	case "resources":
		column, table = "resource", "touches"
		w.between("first_at", "last_at", f.Since, f.Until)
	case "runs":
		return runChoices(ctx, db, f)
	default:
		return nil, fmt.Errorf("of: %q is none of %s", kind, strings.Join(ChoiceKinds, ", "))
	}
	w.add(column + " != ''")
	if f.Prefix != "" {
		w.add("startsWith("+column+", {prefix:String})", named("prefix", f.Prefix))
	}
	out := []Choice{}
	sql := fmt.Sprintf("SELECT DISTINCT %[1]s FROM %[2]s %[3]s ORDER BY %[1]s LIMIT %[4]d", column, table, w.String(), f.Limit)
	return out, each(ctx, db, "choices of "+kind, sql, w.params, func(r driver.Rows) error {
		var v string
		err := r.Scan(&v)
		out = append(out, Choice{v, v})
		return err
	})
}

// runChoices returns runs whose id or key begins with the prefix.
func runChoices(ctx context.Context, db DB, f ChoiceFilter) ([]Choice, error) {
	s, _, err := selectionOf(ctx, db, RunFilter{Agent: f.Agent, Agents: f.Agents, Since: f.Since, Until: f.Until, Limit: f.Limit})
	if err != nil {
		return nil, err
	}
	if f.Prefix != "" {
		s.states.add("(startsWith(run_key, {prefix:String}) OR startsWith(toString(run_id), {prefix:String}))", named("prefix", f.Prefix))
	}
	runs, _, err := s.read(ctx, db)
	out := make([]Choice, len(runs))
	for i, r := range runs {
		name := r.RunKey
		if name == "" {
			name = r.RunID
		}
		if r.AgentID != "" && f.Agent == "" {
			name += " · " + r.AgentID
		}
		out[i] = Choice{name, r.RunID}
	}
	return out, err
}
