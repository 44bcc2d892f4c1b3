package query

import (
	"context"
	"fmt"
	"slices"
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

// storedTouches is the table behind the view touches, in the order of resources: the first thousand of them are read at once, while the
// view groups all rows before it answers (40 s for 92 million). It has no rows that schema version 4 wrote.
const storedTouches = "touches_v5"

// ChoicesOf returns values of a kind that begin with a prefix, in the order of the alphabet; runs with the latest first. Of more
// resources than the limit without a prefix, it returns any.
func ChoicesOf(ctx context.Context, db DB, kind string, f ChoiceFilter) ([]Choice, error) {
	w := &where{}
	win := Window{f.Since, f.Until}
	column, table, ordered := "", "", true
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
		if f.Prefix == "" {
			table, ordered = storedTouches, false
		}
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
	order := ""
	if ordered {
		order = "ORDER BY " + column
	}
	out := []Choice{}
	sql := fmt.Sprintf("SELECT DISTINCT %s FROM %s %s %s LIMIT %d", column, table, w.String(), order, f.Limit)
	err := each(ctx, db, "choices of "+kind, sql, w.params, func(r driver.Rows) error {
		var v string
		err := r.Scan(&v)
		out = append(out, Choice{v, v})
		return err
	})
	slices.SortFunc(out, func(a, b Choice) int { return strings.Compare(a.Value, b.Value) })
	return out, err
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
