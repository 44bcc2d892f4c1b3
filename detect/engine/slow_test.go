package engine

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
)

// pass lets the event time of other callers pass until a time, minute by minute, with a checkpoint in each.
func (f *floor) pass(from, until time.Time) {
	f.t.Helper()
	for at := from; at.Before(until); at = at.Add(time.Minute) {
		f.state.Advance(at.Add(-5*time.Minute).UnixNano(), f.offset)
		dirty := f.state.Dirty()
		for _, a := range dirty {
			f.state.EncodeChanges(a, 1)
		}
		f.state.Saved(len(dirty))
		f.state.Forget("g:g/3")
		f.state.Forget("c:k")
	}
}

// deletion is the deletion of an order nobody has seen before.
func deletion(n int) func(*schema.Call) {
	return func(c *schema.Call) {
		c.Method, c.Effect, c.Reversibility = "DELETE", schema.EffectDelete, schema.Irreversible
		c.Resources = []schema.Resource{{Type: "order", ID: fmt.Sprint(n)}}
		c.ArgsDigest, c.ResultDigest, c.ResultDigestBasis = uint64(n), uint64(n), schema.DigestLogged
	}
}

// An actor had no run any more 50 minutes after its last call, and its latest calls were forgotten with the run: one deletion
// an hour was never found, whatever its run id.
func TestSlowRunawayIsForgottenBetweenItsCalls(t *testing.T) {
	for name, change := range map[string]func(int, *schema.Call){
		"one run id":            func(_ int, c *schema.Call) { c.RunKey = "r" },
		"no run id":             func(_ int, c *schema.Call) { c.RunKey = "" },
		"a run id for each":     func(i int, c *schema.Call) { c.RunKey = fmt.Sprint("r", i) },
		"two names in turns":    func(i int, c *schema.Call) { c.RunKey = ""; claim(c, fmt.Sprint("g/", i%2)) },
		"a new name every time": func(i int, c *schema.Call) { c.RunKey = ""; claim(c, fmt.Sprint("g/", i)) },
	} {
		for _, every := range []time.Duration{20 * time.Minute, time.Hour, 4 * time.Hour} {
			f := newFloor(t)
			f.detectors.Activate(readers())
			at := night
			for i := range 20 {
				if i == 3 {
					f.restart()
				}
				f.cfg.Now = func() time.Time { return at }
				f.call(at, deletion(i), func(c *schema.Call) { change(i, c) })
				f.pass(at, at.Add(every))
				at = at.Add(every)
			}
			found, trips := f.splits()
			if name == "one run id" && every < 30*time.Minute {
				if len(trips) == 0 {
					t.Errorf("%s, every %s: the run is not tripped", name, every)
				}
				continue
			}
			if len(found) < 2 || found[0].Call.Offset > 7 || found[1].Level != schema.LevelTrip || found[1].Call.Offset > 15 {
				t.Errorf("%s, every %s: %d findings in 20 deletions", name, every, len(found))
				continue
			}
			if len(trips) == 0 || trips[0].Scope.Kind != schema.ScopeCredential {
				t.Errorf("%s, every %s: %d commands", name, every, len(trips))
			}
		}
	}
}

// claim makes a caller with a name of its own choice and a credential that the gateway established.
func claim(c *schema.Call, name string) {
	c.AgentID, c.AgentTrust, c.RoutingKey, c.CredentialTrust = name, schema.TrustAsserted, "c:k", schema.TrustInfrastructure
}

// What an actor did is forgotten a day after its last call: two deletions a week are no runaway.
func TestCallsOfAnActorAreRememberedForEver(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(readers())
	at := night
	for i := range 12 {
		f.cfg.Now = func() time.Time { return at }
		f.call(at, deletion(i))
		f.pass(at, at.Add(27*time.Hour))
		if n := f.state.Actors(); n != 0 {
			t.Fatalf("%d actors a day after their last call", n)
		}
		at = at.Add(27 * time.Hour)
	}
	if found, trips := f.splits(); len(found) != 0 || len(trips) != 0 {
		t.Fatalf("%d findings, %d commands", len(found), len(trips))
	}
}
