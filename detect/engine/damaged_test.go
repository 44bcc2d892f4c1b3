package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// stateOfAgents applies calls of three agents with two runs each, and returns the deltas of each agent: a checkpoint after each round.
func stateOfAgents(t *testing.T, rounds int) map[string][]stitch.Delta {
	t.Helper()
	f, out := newFloor(t), map[string][]stitch.Delta{}
	for range rounds {
		for i := range 6 {
			f.call(night, func(c *schema.Call) { c.RoutingKey, c.RunKey = fmt.Sprint("g:", i%3), fmt.Sprint("run-", i/3) })
		}
		for _, a := range f.state.Dirty() {
			deltas, _, _ := f.state.EncodeChanges(a, 1)
			out[a.Key] = append(out[a.Key], deltas...)
		}
		f.state.Saved(len(f.state.Dirty()))
	}
	return out
}

// takeOverOf restores deltas, and returns the worker and what it has logged.
func takeOverOf(t *testing.T, state map[string][]stitch.Delta) (w *floor, log string, err error) {
	t.Helper()
	var lines bytes.Buffer
	f := newFloor(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&lines, nil)) })
	r := newRestored(f.cfg.Limits, f.state)
	for actor, deltas := range state {
		for _, d := range deltas {
			if err := r.add(deltaKey(1, d.Number, actor), d.Value); err != nil {
				return nil, "", err
			}
		}
	}
	err = f.takeOver(r, 2)
	f.offset = 1000 // after the calls that the state includes
	return f, lines.String(), err
}

// damage returns a copy of the state in which the bytes of an actor's delta are changed.
func damage(state map[string][]stitch.Delta, actor string, number int, change func([]byte) []byte) map[string][]stitch.Delta {
	out := map[string][]stitch.Delta{}
	for a, deltas := range state {
		out[a] = append([]stitch.Delta(nil), deltas...)
	}
	d := &out[actor][number]
	d.Value = change(bytes.Clone(d.Value))
	return out
}

// One damaged entry ended the restore of its partition, and with it the process: nobody was judged any more. The damage is
// named, and everything else goes on.
func TestDamagedEntryStopsItsPartition(t *testing.T) {
	state := stateOfAgents(t, 3)
	last := len(state["g:1"]) - 1
	for name, change := range map[string]func([]byte) []byte{
		"cut":              func(b []byte) []byte { return b[:len(b)*2/3] },
		"cut in its head":  func(b []byte) []byte { return b[:4] },
		"bytes at the end": func(b []byte) []byte { return append(b, 0) },
		"another kind":     func(b []byte) []byte { b[0] = 'X'; return b },
	} {
		t.Run(name, func(t *testing.T) {
			f, log, err := takeOverOf(t, damage(state, "g:1", last, change))
			if err != nil {
				t.Fatal(err)
			}
			if f.state.Actor("g:1") != nil || f.state.Actor("g:0") == nil || f.state.Actor("g:2") == nil || f.state.OpenRuns() != 4 {
				t.Errorf("%d open runs, want those of the two other actors", f.state.OpenRuns())
			}
			for _, want := range []string{"actor begins anew", "reason=unreadable_state", "actor=g:1", "malformed value"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log does not say %q:\n%s", want, log)
				}
			}
			if got := testutil.ToFloat64(f.m.unreadable); got != 1 {
				t.Errorf("counted %v times", got)
			}
			// The actor is judged again, and what is stored of it then is read.
			f.call(night, func(c *schema.Call) { c.RoutingKey, c.RunKey = "g:1", "run-0" })
			if err := f.checkpoint.save(context.Background(), len(f.state.Dirty()), f.offset); err != nil {
				t.Fatal(err)
			}
			g := newFloor(t)
			r := newRestored(g.cfg.Limits, g.state)
			for _, rec := range f.tape.records {
				if rec.Topic == wire.StateTopic {
					if err := r.add(rec.Key, rec.Value); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := g.takeOver(r, 3); err != nil || g.state.Actor("g:1") == nil {
				t.Errorf("after its next checkpoint: %v, %v", g.state.Actor("g:1"), err)
			}
		})
	}
}

// Damage in a delta that a later one has replaced is no damage.
func TestDamagedEntryThatNothingNeedsIsReported(t *testing.T) {
	state := stateOfAgents(t, 40) // the chain begins again in between
	f, log, err := takeOverOf(t, damage(state, "g:1", 0, func(b []byte) []byte { return b[:4] }))
	if err != nil || f.state.OpenRuns() != 6 || strings.Contains(log, "unreadable_state") {
		t.Errorf("%v, %d open runs\n%s", err, f.state.OpenRuns(), log)
	}
}

// What the detectors keep of a run is decoded at its next call, which can be hours after the restart. Damage of it is found at the
// restart, costs this run its score and no other, and never ends the process at that call.
func TestDamagedRunIsFoundAtItsNextCall(t *testing.T) {
	state := stateOfAgents(t, 1)
	tail := []byte{wire.KindState, stitch.StateVersion, 1} // the beginning of what is kept of a run
	at := bytes.Index(state["g:1"][0].Value[8:], tail) + 8
	if at < 8 {
		t.Fatal("no run keeps anything: the test shows nothing")
	}
	f, log, err := takeOverOf(t, damage(state, "g:1", 0, func(b []byte) []byte {
		for i := at + len(tail); i < at+len(tail)+60; i++ {
			b[i] = 0xff
		}
		return b
	}))
	if err != nil {
		t.Fatal(err)
	}
	if f.state.OpenRuns() != 6 || testutil.ToFloat64(f.m.unreadable) != 1 || !strings.Contains(log, "actor=g:1") ||
		!strings.Contains(log, "run goes on without what the detectors kept of it") {
		t.Fatalf("%d open runs, counted %v times\n%s", f.state.OpenRuns(), testutil.ToFloat64(f.m.unreadable), log)
	}
	for _, run := range []string{"run-0", "run-1"} {
		r := f.call(night, func(c *schema.Call) { c.RoutingKey, c.RunKey = "g:1", run })
		if r.Calls != 2 {
			t.Errorf("%s has %d calls, want 2", run, r.Calls)
		}
	}
}

// A newer version wrote what the detectors keep of a run: it is neither dropped nor found hours later.
func TestNextVersionOfARunsStateIsDamage(t *testing.T) {
	state := stateOfAgents(t, 1)
	at := bytes.Index(state["g:1"][0].Value[8:], []byte{wire.KindState, stitch.StateVersion, 1}) + 8
	_, _, err := takeOverOf(t, damage(state, "g:1", 0, func(b []byte) []byte { b[at+1]++; return b }))
	if !errors.Is(err, wire.ErrNewerVersion) {
		t.Errorf("got %v", err)
	}
}
