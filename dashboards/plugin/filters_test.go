package plugin

import (
	"slices"
	"strings"
	"testing"
)

func filter(key, operator string, values ...string) Filter {
	if len(values) == 1 {
		return Filter{Key: key, Operator: operator, Value: values[0]}
	}
	return Filter{Key: key, Operator: operator, Values: values}
}

// A filter that cannot be answered is refused with what to do. One that a panel has nothing for is named in it: the panel does not
// look filtered.
func TestFilterIsIgnoredWithoutAWord(t *testing.T) {
	for _, q := range []Query{
		{Type: "runs", Filters: []Filter{filter("agent", ">", "a")}},
		{Type: "runs", Filters: []Filter{filter("agent", "", "a")}},
		{Type: "runs", Filters: []Filter{filter("agent", "=~", "a(")}},
		{Type: "runs", Filters: []Filter{filter("agent", "=~", strings.Repeat("a", 501))}},
		{Type: "runs", Filters: []Filter{filter("agent", "!~", "a\xff")}},
		{Type: "runs", Filters: []Filter{filter("agent", "=|", slices.Repeat([]string{"a"}, 1001)...)}},
		{Type: "logs", Filters: []Filter{filter("agent", "!=", "a")}},
		{Type: "runs", Filters: []Filter{filter("tenant", "!=", "a")}},
		{Type: "gates", Filters: []Filter{filter("state", "!=", "waiting")}},
	} {
		if err := q.validate(); err == nil || !strings.Contains(err.Error(), "cannot be answered") ||
			!strings.Contains(err.Error(), "change or remove the filter") {
			t.Errorf("%+v: %v", q, err)
		}
	}
	level, agent, none := filter("level", "=", "trip"), filter("agent", "=", "a"), filter("agent", "=", "")
	for _, tc := range []struct {
		q       Query
		ignored int
		agent   string
	}{
		{Query{Type: "runs", Filters: []Filter{level, agent}}, 0, "a"},
		{Query{Type: "held", Filters: []Filter{level, agent}}, 1, "a"},
		{Query{Type: "count", Of: "findings", Filters: []Filter{level, agent}}, 0, "a"},
		{Query{Type: "count", Of: "denied", Filters: []Filter{level, agent}}, 1, "a"},
		{Query{Type: "count", Of: "dead_letters", Filters: []Filter{level, agent}}, 2, ""},
		{Query{Type: "count", Of: "lag_seconds", Filters: []Filter{agent}}, 1, ""},
		{Query{Type: "quality", Filters: []Filter{level, agent}}, 2, ""},
		{Query{Type: "sql", Filters: []Filter{level, agent}}, 2, ""},
		{Query{Type: "held", Filters: []Filter{filter("tenant", "=", "t"), none}}, 0, ""},
		{Query{Type: "runs", Filters: []Filter{{Key: "agent", Operator: "=|"}}}, 0, ""},
	} {
		if err := tc.q.validate(); err != nil || len(tc.q.ignored) != tc.ignored || tc.q.Agent != tc.agent {
			t.Errorf("%+v: %v", tc.q, err)
		}
	}
	several := Query{Type: "runs", Agent: "{a,b}", Several: "agent"}
	if err := several.validate(); err == nil || !strings.Contains(err.Error(), "agent: several values are chosen") {
		t.Errorf("two agents are one: %v", err)
	}
}

// A filter on a word of a closed list is one on the words that fit.
func TestFilterOnALevelTakesAHigherOne(t *testing.T) {
	for _, tc := range []struct {
		filters []Filter
		levels  string
		state   string
		nothing bool
	}{
		{[]Filter{filter("level", "=", "alert")}, "alert", "", false},
		{[]Filter{filter("level", "!=", "none")}, "annotate alert trip", "", false},
		{[]Filter{filter("level", "=|", "alert", "trip")}, "alert trip", "", false},
		{[]Filter{filter("level", "=~", "a.*"), filter("level", "!=", "alert")}, "annotate", "", false},
		{[]Filter{filter("level", "=", "severe")}, "", "", true},
		{[]Filter{filter("state", "!=", "closed")}, "", "open", false},
		{[]Filter{filter("state", "=|", "open", "closed")}, "", "", false},
		{[]Filter{filter("state", "=", "open"), filter("state", "!=", "open")}, "", "open", true},
		{[]Filter{filter("state", "=", "waiting")}, "", "", true},
	} {
		q := Query{Type: "findings", Filters: tc.filters}
		if err := q.validate(); err != nil || strings.Join(q.where.levels, " ") != tc.levels || q.State != tc.state ||
			(q.where.nothing != "") != tc.nothing {
			t.Errorf("%+v: %v, %+v", tc.filters, err, q)
		}
	}
}
