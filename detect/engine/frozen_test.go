package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"flyball/detect/detector"
	"flyball/schema"
)

// A run that is frozen after each call, and while it waits to be closed, has the same findings and scores as a run that is
// never frozen.
func TestFrozenRunHasOtherFindings(t *testing.T) {
	results := func(freeze bool) (out []string, closed int) {
		body := readers()
		body.CallRates = paceOfDayWorkers()
		m := newMany(3, body)
		families := map[string]int{}
		note := func(found []*schema.Finding) {
			for _, f := range found {
				text, err := json.Marshal(f)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, string(text))
				families[f.Family]++
			}
		}
		m.judged = func(r detector.Result) {
			if note(r.Findings); r.Score != nil {
				out = append(out, fmt.Sprint(r.Score.Value, r.Score.Top))
			}
		}
		number := 0
		m.change = func(run int, c *schema.Call) {
			number++
			switch {
			case run < 3:
				c.ArgsDigest, c.ResultDigest = 7, 7
			case run < 6:
				c.Method, c.Effect, c.Reversibility = "DELETE", schema.EffectDelete, schema.Irreversible
			case run == 6:
				c.ArgsDigest, c.Status, c.Outcome = 3, 503, schema.OutcomeServerError
			case run == 7: // a claimed name, and then another that is established
				if c.AgentID = "claimed/x"; number < 100 {
					c.AgentTrust = schema.TrustAsserted
				} else {
					c.AgentID = "g/1"
				}
			case run >= 8 && run < 11:
				as := byMachine(number)
				c.AgentID, c.AgentTrust, c.CallerKind = "", schema.TrustNone, as.CallerKind
				c.PrincipalID, c.PrincipalKind = "ana", schema.PrincipalHuman
				c.Path, c.BytesIn, c.BytesOut = as.Path, as.BytesIn, as.BytesOut
			}
		}
		for i := range 1600 {
			m.calls(i%16, i/16, i/16+1)
			if m.store(); freeze {
				m.Freeze(0)
			}
		}
		m.Advance(night.Add(4*time.Hour).UnixNano(), m.offset)
		before := len(out)
		runs := m.TakeClosed(nil)
		for _, r := range runs {
			note(m.set.Close(r, schema.CallRef{Offset: m.offset}))
		}
		if len(families) < 4 || families[schema.FamilyIdentity] == 0 {
			t.Fatalf("findings of families %v: the test shows too little", families)
		}
		return out, len(out) - before
	}
	want, closed := results(false)
	got, _ := results(true)
	if closed < 5 || len(got) != len(want) {
		t.Fatalf("%d findings and scores, never frozen %d of which %d close", len(got), len(want), closed)
	}
	for i := range want[:len(want)-closed] {
		if got[i] != want[i] {
			t.Fatalf("number %d is\n%s\nnever frozen\n%s", i, got[i], want[i])
		}
	}
	for _, s := range [][]string{got, want} { // runs that close at the same time close in any order
		slices.Sort(s[len(want)-closed:])
	}
	for i := len(want) - closed; i < len(want); i++ {
		if got[i] != want[i] {
			t.Fatalf("closed number %d is\n%s\nnever frozen\n%s", i, got[i], want[i])
		}
	}
}
