package ledger

import (
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

func TestOrderWithoutMeaningIsTaken(t *testing.T) {
	order := func(agent, do string, off bool) *schema.BaselineOrder {
		return &schema.BaselineOrder{Agent: agent, Kind: do, Off: off, By: "eve", At: 1, Until: 99}
	}
	for name, tc := range map[string]struct {
		c       schema.Command
		outcome enforce.ResultCode
		until   int64
	}{
		"freeze": {schema.Command{Reason: "r", Baseline: order("a", "freeze", false)}, enforce.BaselineOrdered, 0},
		"freeze for a time": {schema.Command{Reason: "r", TTL: 5 * sec, Baseline: order("a", "freeze", false)}, enforce.BaselineOrdered,
			7 * sec},
		"freeze all":            {schema.Command{Reason: "r", Baseline: order("*", "freeze", false)}, enforce.BaselineOrdered, 0},
		"end it":                {schema.Command{Reason: "r", Baseline: order("a", "freeze", true)}, enforce.BaselineOrdered, 0},
		"reset":                 {schema.Command{Reason: "r", Baseline: order("a", "reset", false)}, enforce.BaselineOrdered, 0},
		"nothing":               {schema.Command{Reason: "r"}, enforce.Rejected, 0},
		"nobody":                {schema.Command{Reason: "r", Baseline: order("", "freeze", false)}, enforce.Rejected, 0},
		"without a reason":      {schema.Command{Baseline: order("a", "freeze", false)}, enforce.Rejected, 0},
		"another word":          {schema.Command{Reason: "r", Baseline: order("a", "melt", false)}, enforce.Rejected, 0},
		"forget everybody":      {schema.Command{Reason: "r", Baseline: order("*", "reset", false)}, enforce.Rejected, 0},
		"forget for a time":     {schema.Command{Reason: "r", TTL: sec, Baseline: order("a", "reset", false)}, enforce.Rejected, 0},
		"end it later":          {schema.Command{Reason: "r", TTL: sec, Baseline: order("a", "freeze", true)}, enforce.Rejected, 0},
		"longer than a year":    {schema.Command{Reason: "r", TTL: maxFreeze + 1, Baseline: order("a", "freeze", false)}, enforce.Rejected, 0},
		"until before it began": {schema.Command{Reason: "r", TTL: -1, Baseline: order("a", "freeze", false)}, enforce.Rejected, 0},
	} {
		s := New(breaker.DefaultBudget())
		c := tc.c
		c.ID, c.Kind, c.Tenant, c.By = "1", schema.CommandBaseline, "t", "ann"
		events := s.Apply(3, 2*sec, &c)
		r, _ := s.Result("1")
		if r.Code != tc.outcome {
			t.Errorf("%s: %+v", name, r)
		}
		var said *schema.BaselineOrder
		trail := 0
		for _, e := range events {
			if e.Baseline != nil {
				said = e.Baseline
			}
			if e.Audit != nil && e.Audit.Kind == "baseline" {
				trail++
			}
		}
		if trail != 1 {
			t.Errorf("%s: %d entries of the trail", name, trail)
		}
		if (said != nil) != (tc.outcome == enforce.BaselineOrdered) {
			t.Errorf("%s: event %+v", name, said)
		} else if said != nil && (said.Until != tc.until || said.By != "ann" || said.At != 2*sec || said.Generation != 4 || said.Tenant != "t") {
			t.Errorf("%s: %+v", name, said)
		}
	}
}
