package plugin

import (
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// Filter is an ad hoc filter of a dashboard.
type Filter struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"` // one of operators
	Value    string   `json:"value"`
	Values   []string `json:"values,omitempty"` // of an operator with a list
}

// operators are those of filters, with what Grafana calls them: equal, one of, and an expression of RE2 for the whole name.
var operators = []string{"=", "!=", "=|", "!=|", "=~", "!~"}

// filterKeys are what filters are on.
var filterKeys = []string{"agent", "owner", "family", "level", "state", "tenant"}

// conditions are what filters ask for and no member of the query says.
type conditions struct {
	agents, families query.Names
	owners           query.Names // of agents; ask puts the agents that they own into agents
	levels           []string    // any of these; nil: any
	nothing          string      // the filter that nothing can fit; empty: there is none
}

// filterable are the types of queries that a filter applies to, by its key; nil: all. A count of dead letters is of no agent.
var filterable = map[string][]string{
	"agent": {"runs", "findings", "held", "breakers", "gates", "agents", "calls", "count", "logs", "annotations", "variable"},
	"owner": {"runs", "findings", "held", "breakers", "gates", "agents", "calls", "count", "annotations"},
	"level": {"runs", "findings", "agents"}, "family": {"findings"}, "state": {"findings", "gates"}, "tenant": nil,
}

// applies reports whether the query has what a filter is on.
func (q *Query) applies(key string) bool {
	if q.Type == "count" && key != "tenant" {
		return q.Of == "findings" && key != "state" || (key == "agent" || key == "owner") && !ofNoAgent[q.Of]
	}
	types := filterable[key]
	return types == nil || slices.Contains(types, q.Type)
}

// applyFilters sets the members and conditions that ad hoc filters name. What has no effect on this query is kept in ignored.
func (q *Query) applyFilters() error {
	for i := range q.Filters {
		f := &q.Filters[i]
		if !slices.Contains(filterKeys, f.Key) {
			return invalidf("filters: the key %q is none of %s", f.Key, strings.Join(filterKeys, ", "))
		}
		if f.Value == "" && len(f.Values) == 0 { // none is chosen yet
			continue
		}
		if !slices.Contains(operators, f.Operator) {
			return f.refuse("the operator %s is none of %s", f.Operator, strings.Join(operators, ", "))
		}
		if !q.applies(f.Key) {
			q.ignored = append(q.ignored, f.String())
			continue
		}
		if err := q.applyFilter(f); err != nil {
			return err
		}
	}
	return nil
}

// String is the filter as a person wrote it.
func (f *Filter) String() string {
	if f.isList() {
		return fmt.Sprintf("%s %s %q", f.Key, f.Operator, f.list())
	}
	return fmt.Sprintf("%s %s %q", f.Key, f.Operator, f.Value)
}

func (f *Filter) isList() bool { return strings.HasSuffix(f.Operator, "|") }

func (f *Filter) list() []string {
	if f.isList() && len(f.Values) > 0 {
		return f.Values
	}
	return []string{f.Value}
}

func (f *Filter) refuse(why string, args ...any) error {
	return invalidf("filters: %s cannot be answered: %s; change or remove the filter", f, fmt.Sprintf(why, args...))
}

// condition returns the filter as a condition on a name, which may also be one as tables show it.
func (f *Filter) condition() (query.Names, error) {
	c := query.NameCondition{Not: strings.HasPrefix(f.Operator, "!")}
	if strings.HasSuffix(f.Operator, "~") {
		c.Pattern = f.Value
	} else {
		for _, name := range f.list() {
			c.Any = append(c.Any, name)
			if text := unescaped(name); text != name {
				c.Any = append(c.Any, text)
			}
		}
	}
	out := query.Names{c}
	if err := out.Check(); err != nil {
		return nil, f.refuse("%s", err)
	}
	return out, nil
}

func (q *Query) applyFilter(f *Filter) error {
	names, err := f.condition()
	if err != nil {
		return err
	}
	switch f.Key {
	case "agent":
		if f.Operator == "=" {
			return f.into(&q.Agent)
		}
		if q.Type == "logs" {
			return f.refuse("a log is of one agent: use =")
		}
		q.where.agents = append(q.where.agents, names...)
	case "owner":
		q.where.owners = append(q.where.owners, names...)
	case "family":
		if f.Operator == "=" {
			return f.into(&q.Family)
		}
		q.where.families = append(q.where.families, names...)
	case "level":
		q.where.levels = fitting(q.where.levels, schema.LevelWords, names)
		if len(q.where.levels) == 0 {
			q.where.nothing = f.String()
		}
	case "state":
		return q.applyState(f, names)
	case "tenant":
		if f.Operator != "=" {
			return f.refuse("a question is of one tenant, or of all: use =")
		}
		return f.into(&q.Tenant)
	}
	return nil
}

// fitting returns the words that fit, of those that fitted before; nil: any.
func fitting(before, words []string, names query.Names) []string {
	if before != nil {
		words = before
	}
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return !names.Fit(word) })
}

func (q *Query) applyState(f *Filter, names query.Names) error {
	if q.Type == "gates" {
		if f.Operator != "=" {
			return f.refuse("of questions, only state = waiting can be asked for")
		}
		return f.into(&q.State)
	}
	states := fitting(nil, []string{schema.FindingOpen.String(), schema.FindingClosed.String()}, names)
	switch {
	case len(states) == 2:
		return nil
	case f.Operator == "=" && len(states) == 1 || f.Operator != "=" && len(states) == 1 && q.State == "":
		f = &Filter{Key: f.Key, Operator: f.Operator, Value: states[0]}
		return f.into(&q.State)
	case len(states) == 0 || q.State != states[0]:
		q.where.nothing = f.String()
	}
	return nil
}

// into sets a member to the value of the filter.
func (f *Filter) into(member *string) error {
	if *member != "" && *member != f.Value {
		return invalidf("filters: %s contradicts the query, in which it is %q; remove the filter", f, *member)
	}
	*member = f.Value
	return nil
}

// some returns the agents that the query selects.
func (q *Query) some() query.SomeAgents {
	return query.SomeAgents{Agent: q.Agent, Agents: q.where.agents}
}
