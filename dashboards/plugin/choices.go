package plugin

import (
	"context"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

func answerVariable(ctx context.Context, q *question) (data.Frames, error) {
	var rows []query.Choice
	var err error
	switch {
	case q.Of == "owners":
		var all owners
		all, err = ownersNow(ctx, q)
		rows = all.names(q.Tenant, q.Prefix)
	case q.Of == "agents" && q.Owner != "":
		rows, err = agentsOfOwner(ctx, q)
	case slices.Contains(query.ChoiceKinds, q.Of):
		rows, err = query.ChoicesOf(ctx, q.db, q.Of, q.choices(q.Limit+1))
	default:
		return nil, invalidf("of: %q is none of %s, owners", q.Of, strings.Join(query.ChoiceKinds, ", "))
	}
	return data.Frames{frame("variable", data.VisTypeTable, rows, q.Limit,
		text("text", func(c *query.Choice) string { return c.Text }),
		text("value", func(c *query.Choice) string { return c.Value }))}, err
}

func (q *question) choices(limit int) query.ChoiceFilter {
	return query.ChoiceFilter{Prefix: q.Prefix, Agent: q.Agent, Agents: q.where.agents, Since: q.from, Until: q.to, Limit: limit}
}

// agentsOfOwner returns the agents whose manifest names an owner. The tables do not have owners: each agent is compared here.
func agentsOfOwner(ctx context.Context, q *question) ([]query.Choice, error) {
	known, err := ownersNow(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := query.ChoicesOf(ctx, q.db, q.Of, q.choices(maxLimit))
	return slices.DeleteFunc(rows, func(c query.Choice) bool { return known.of(q.Tenant, c.Value) != q.Owner }), err
}
