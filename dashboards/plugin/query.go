package plugin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"flyball/schema"
)

// Query is the query of a panel. All members but Type are optional.
type Query struct {
	Type     string   `json:"queryType"` // one of Types
	Run      string   `json:"run"`       // a run id, or the key of a run; its rows are shown whatever the time range is
	Agent    string   `json:"agent"`     // exact name; empty: all
	Tenant   string   `json:"tenant"`    // empty: all that the data source may see
	Resource string   `json:"resource"`  // type:id
	MinLevel string   `json:"minLevel"`  // for runs and findings: annotate, alert, trip
	Sort     string   `json:"sort"`      // of runs: worst (default), latest
	Family   string   `json:"family"`    // of findings
	State    string   `json:"state"`     // of findings: open, closed; of gates: waiting; of breakers: trips
	By       string   `json:"by"`        // of calls: outcome, reversibility; of count: agent, level, family, reader, point; of distribution: time, quantile
	Of       string   `json:"of"`        // what count counts, whose distribution is shown, or of what a variable has the values
	Prefix   string   `json:"prefix"`    // of the values of a variable
	Owner    string   `json:"owner"`     // of the agents that a variable lists
	Part     string   `json:"part"`      // of Flyball's health: one of healthParts
	Kinds    string   `json:"kinds"`     // of annotations, separated by commas: trips, bypass, baseline, version
	SQL      string   `json:"sql"`
	Limit    int      `json:"limit"` // maximum number of rows; 0: 200
	Filters  []Filter `json:"filters"`
	// Live asks for a channel with the rows that come: runs with the latest call first, or of breakers the trips.
	Live bool `json:"live"`
	// OneRun says that the answer is about one run: without one it has no rows.
	OneRun bool `json:"oneRun"`
	// Several is the member for which the dashboard has several values; empty: there is none.
	Several string `json:"several"`

	ignored []string   // filters that do not apply to the query
	where   conditions // of filters, beside the members
}

const (
	defaultLimit = 200
	maxLimit     = 5000
	// maxPoints is the maximum number of intervals of a series over time.
	maxPoints = 5000
)

// invalid is the error for a query that cannot be answered as it is. Its text contains the member, its value and the rule.
type invalid struct{ text string }

func (e *invalid) Error() string { return e.text }

func invalidf(format string, args ...any) error { return &invalid{fmt.Sprintf(format, args...)} }

// member is a member of a query with its words; nil: any text.
type member struct {
	name  string
	value *string
	words []string
}

func (q *Query) members() []member {
	return []member{
		{"run", &q.Run, nil}, {"agent", &q.Agent, nil}, {"tenant", &q.Tenant, nil}, {"resource", &q.Resource, nil},
		{"family", &q.Family, nil}, {"prefix", &q.Prefix, nil}, {"owner", &q.Owner, nil}, {"of", &q.Of, nil}, {"by", &q.By, nil},
		{"state", &q.State, nil},
		{"part", &q.Part, nil}, {"kinds", &q.Kinds, nil},
		{"minLevel", &q.MinLevel, []string{schema.LevelAnnotate.String(), schema.LevelAlert.String(), schema.LevelTrip.String()}},
		{"sort", &q.Sort, []string{"worst", "latest"}},
	}
}

// variable is a reference to a dashboard's variable that Grafana has not replaced by a value.
var variable = regexp.MustCompile(`\$(\{[^}]*\}|[A-Za-z_]\w*)|\[\[\w+\]\]`)

// isVariable reports whether a text is such a reference and nothing else. Names of agents can contain one.
func isVariable(text string) bool { return text != "" && variable.FindString(text) == text }

// allValues is what Grafana sends for a variable with all of its values.
const allValues = "$__all"

// unresolved returns the first member whose text may be a variable without a value; empty: there is none. Only of a member with words
// that is certain: an agent can be named ${agent}. A member with all values of a variable becomes empty.
func (q *Query) unresolved() (name string, certain bool) {
	for _, m := range q.members() {
		if *m.value == allValues {
			*m.value = ""
		}
		if isVariable(*m.value) && (name == "" || m.words != nil) {
			name, certain = m.name, m.words != nil
		}
	}
	for _, f := range q.Filters {
		if name == "" && slices.ContainsFunc(append(f.Values, f.Value), isVariable) {
			name = "filters"
		}
	}
	return name, certain
}

// validate checks the query and sets the defaults.
func (q *Query) validate() error {
	if q.Several != "" {
		return invalidf("%s: several values are chosen, and this is about one: choose one, or all", q.Several)
	}
	if err := q.applyFilters(); err != nil {
		return err
	}
	for _, m := range q.members() {
		if *m.value != "" && m.words != nil && !slices.Contains(m.words, *m.value) {
			return invalidf("%s: %q is none of %s", m.name, *m.value, strings.Join(m.words, ", "))
		}
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		return invalidf("limit: %d is not between 1 and %d", q.Limit, maxLimit)
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	return nil
}

// oneOf returns an error unless a member has one of some words, or is empty.
func oneOf(name, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return invalidf("%s: %q is none of %s", name, value, strings.Join(words, ", "))
}
