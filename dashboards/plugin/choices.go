package plugin

import (
	"context"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

// choiceOwners is the list that the tables do not have: the manifests in force name the owners of agents.
const choiceOwners = "owners"

func answerVariable(ctx context.Context, q *question) (data.Frames, error) {
	kinds := append([]string{choiceOwners}, query.ChoiceKinds...)
	if !slices.Contains(kinds, q.Of) {
		return nil, invalidf("of: %q is none of %s", q.Of, strings.Join(kinds, ", "))
	}
	if q.Of == choiceOwners {
		known, err := live[owners](ctx, q, "/v1/manifests")
		return data.Frames{choicesFrame(known.choices(q.Tenant, q.Prefix), q.Limit)}, err
	}
	f := query.ChoiceFilter{Prefix: q.Prefix, Agent: q.Agent, Since: q.from, Until: q.to, Limit: q.Limit + 1}
	if q.Owner == "" || q.Of != "agents" {
		rows, err := query.ChoicesOf(ctx, q.db, q.Of, f)
		return data.Frames{choicesFrame(rows, q.Limit)}, err
	}
	known, err := live[owners](ctx, q, "/v1/manifests")
	if err != nil {
		return nil, err
	}
	f.Limit = maxLimit // the owner is compared here, with every agent
	rows, err := query.ChoicesOf(ctx, q.db, q.Of, f)
	rows = slices.DeleteFunc(rows, func(c query.Choice) bool { return known.owner(q.Tenant, c.Value) != q.Owner })
	return data.Frames{choicesFrame(rows, q.Limit)}, err
}

func choicesFrame(rows []query.Choice, limit int) *data.Frame {
	return frame("variable", data.VisTypeTable, rows, limit,
		text("text", func(c *query.Choice) string { return c.Text }),
		text("value", func(c *query.Choice) string { return c.Value }))
}

// choices returns the owners whose names begin with a prefix, each once, in the order of the alphabet.
func (o owners) choices(tenant, prefix string) []query.Choice {
	names := []string{}
	for _, m := range o {
		if m.Owner != "" && strings.HasPrefix(m.Owner, prefix) && (tenant == "" || m.Tenant == tenant) {
			names = append(names, m.Owner)
		}
	}
	slices.Sort(names)
	out := []query.Choice{}
	for _, name := range slices.Compact(names) {
		out = append(out, query.Choice{Text: name, Value: name})
	}
	return out
}
