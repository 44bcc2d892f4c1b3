package score

import (
	"strings"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wording"
)

func TestStatisticHasNoTextForPeople(t *testing.T) {
	var names []string
	for s := range numStatistics {
		names = append(names, s.String())
	}
	for s := range numActorStatistics {
		names = append(names, s.String())
	}
	for _, name := range names {
		if f := wording.FeatureOf(name); strings.Contains(name, "_") && f.Text == strings.ReplaceAll(name, "_", " ") || f.Unit == wording.Plain &&
			name != "changes_of_route" {
			t.Errorf("%s is %+v", name, f)
		}
	}
}

// The median of an agent without runs, and of one with few, is not its own.
func TestMedianOfItsPeersIsCalledItsOwn(t *testing.T) {
	b := frugal(true)
	wild := feature.Input{Tokens: 100_000, Money: 5000, Currency: "EUR"}
	usualOf := func(agent, group string) string {
		m, run := NewModel(b), new(RunScore)
		for n := range 4 {
			c := wild
			c.Route, c.Args, c.Write = feature.RouteHash("POST /pay"), uint64(1000+n), true
			c.Start = int64(10 + n)
			run.Add(m, Reference{Agent: agent, Group: group}, &c, int64(n), schema.Irreversible)
		}
		for f := range Family(NumFamilies) {
			for _, c := range run.Explain(f, 0) {
				if c.Feature == "money" {
					return c.UsualOf
				}
			}
		}
		return "no money in the evidence"
	}
	for _, tc := range []struct{ agent, group, want string }{
		{"g/a1", "g", baseline.UsualShrunk}, {"g/new", "g", baseline.UsualPeers}, {"h/new", "h", baseline.UsualEverybody},
	} {
		if got := usualOf(tc.agent, tc.group); got != tc.want {
			t.Errorf("%s of %s: %s, want %s", tc.agent, tc.group, got, tc.want)
		}
	}
	for range 3 {
		b.Money.Add("g/a1", "g", 49)
	}
	if got := usualOf("g/a1", "g"); got != baseline.UsualOwn {
		t.Errorf("with 23 runs of its own: %s", got)
	}
	for i, f := range b.UsualFigures("g/a1", "g") {
		if f.OwnOf == "" && !f.Own.IsZero() {
			t.Errorf("figure %d does not say whose it is: %+v", i, f)
		}
	}
}

// One is added to amounts before their logarithm is learned.
func TestUsualOfWhatNeverHappensIsOne(t *testing.T) {
	b := frugal(false)
	for range 60 {
		b.Money.Add("g/a1", "g", 0+1)
	}
	r := &RunScore{}
	c := feature.Input{Route: feature.RouteHash("POST /pay"), Write: true, Money: 5000, Currency: "EUR", Start: 10}
	r.Add(NewModel(b), Reference{Agent: "g/a1", Group: "g"}, &c, 0, schema.Irreversible)
	if got := (&explanation{run: r}).contribution(statMoney, decade); float64(got.Usual) != 0 || float64(got.Peers) != 0 {
		t.Errorf("an agent that never pays usually pays %v, its peers %v", got.Usual, got.Peers)
	}
}

func TestShareDoesNotSayHowManyCallsItIsOf(t *testing.T) {
	b, r := frugal(true), &RunScore{}
	m := NewModel(b)
	for n := range 25 {
		c := feature.Input{Route: feature.RouteHash("DELETE /orders/{}"), Args: uint64(n), Write: true, Delete: true, Start: int64(10 + n)}
		r.Add(m, Reference{Agent: "g/a1", Group: "g"}, &c, int64(n), schema.Irreversible)
	}
	got := (&explanation{run: r}).contribution(statDeletions, decade)
	if got.Hits != 25 || got.OfCalls != 25 || float64(got.Observed) != 1 {
		t.Errorf("25 deletions are %+v", got)
	}
}
