package stitch

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
)

// openRunsEvery opens runs of an actor, one each step, and returns their first calls.
func openRunsEvery(b *bench, from, n int, step time.Duration, opts ...option) (out []*schema.Call) {
	for i := from; i < from+n; i++ {
		out = append(out, b.call(time.Duration(i)*step, append([]option{key(fmt.Sprint("r", i))}, opts...)...))
	}
	return out
}

// At a limit, the quietest run is closed early; its next call opens it again, with what it has done before.
func TestNewRunIsRefusedWhileIdleOnesAreHeld(t *testing.T) {
	for name, limit := range map[string]func(*Limits){
		"of an actor":     func(l *Limits) { l.OpenRunsPerActor = 20 },
		"of a partition":  func(l *Limits) { l.OpenRuns = 20 },
		"of both at once": func(l *Limits) { l.OpenRuns, l.OpenRunsPerActor = 20, 20 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, limit)
			const step = time.Minute
			calls := openRunsEvery(b, 0, 28, step) // the gap of 30 minutes closes none
			for i, c := range calls {
				if c.RunRule == schema.RunOverflow {
					t.Fatalf("run %d of an ordinary caller was refused", i)
				}
			}
			if b.p.OpenRuns() != 20 || b.p.ClosedEarly() != 8 || b.p.counters.refusals != 0 {
				t.Fatalf("%d open, %d given up, %d refused", b.p.OpenRuns(), b.p.ClosedEarly(), b.p.counters.refusals)
			}
			for i, c := range calls {
				if closed := b.run(c.RunID).State == schema.RunClosed; closed != (i < 8) {
					t.Errorf("run %d: closed %v", i, closed)
				}
			}
			again := b.call(28*step, key("r0"))
			r := b.run(again.RunID)
			if again.RunID != calls[0].RunID || again.Segment != calls[0].Segment || r.Calls != 2 || r.State != schema.RunOpen {
				t.Errorf("the run begins again at its next call: segment %d, %d calls, %v", again.Segment, r.Calls, r.State)
			}
			if b.p.OpenRuns() != 20 {
				t.Errorf("%d open runs after it was opened again", b.p.OpenRuns())
			}
			checkPools(t, b)
		})
	}
}

// A flood of new runs closes no run that had a call within the last minutes, and no run of callers with a higher standing.
func TestFloodClosesRunsThatAreNotIdle(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRuns, l.OpenRunsPerActor = 40, 1000 })
	own := openRunsEvery(b, 0, 10, time.Second)
	quiet := openRunsEvery(b, 100, 10, time.Millisecond, claimed, actor("c:x"), cred("x")) // a quarter: the pool is full
	for i := range 200 {
		c := b.call(10*time.Second+time.Duration(i)*time.Second, key(fmt.Sprint("f", i)), claimed, actor("c:x"), cred("x"))
		if c.RunRule != schema.RunOverflow {
			t.Fatalf("call %d took the place of a run that is not idle", i)
		}
	}
	b.call(19*time.Minute, key("r0")) // moves the watermark
	c := b.call(20*time.Minute, key("late"), claimed, actor("c:x"), cred("x"))
	if c.RunRule == schema.RunOverflow || b.run(quiet[0].RunID).State != schema.RunClosed {
		t.Error("an idle run keeps its place")
	}
	for i, c := range own {
		if b.run(c.RunID).State != schema.RunOpen {
			t.Errorf("established run %d was closed by claimed ones", i)
		}
	}
}

// A source that is behind holds the watermark, and the runs that are called meanwhile are not idle: a new run above the limit goes to
// the overflow run, and none of them is closed.
func TestSourceThatIsBehindClosesRunsThatAreCalled(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRunsPerActor = 20 })
	b.w.Note(schema.Source{Topic: "behind"}, t0.UnixNano(), 0)
	own := openRunsEvery(b, 0, 20, time.Second)
	b.call(40*time.Minute, key("other"), actor("c:other"), cred("other"))
	if c := b.call(40*time.Minute, key("one more")); c.RunRule != schema.RunOverflow {
		t.Errorf("the new run is bound by %v", c.RunRule)
	}
	for i, c := range own {
		if b.run(c.RunID).State != schema.RunOpen {
			t.Errorf("run %d was closed", i)
		}
	}
}

// Closed runs that wait for late calls are bounded for the partition, also if no actor is at its limit.
func TestClosedRunsOfManyActorsFillTheMemory(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.ClosedRuns = 50 })
	for i := range 400 {
		b.call(time.Duration(i)*2*time.Second, key("r"), actor(fmt.Sprint("c:", i)), cred(fmt.Sprint("k", i)))
	}
	b.call(60*time.Minute, key("r"))
	if n := closedRuns(b); n < 20 || n > 50 {
		t.Errorf("%d closed runs are kept", n)
	}
}

// The run that is given up does not depend on a restart.
func TestRestartChangesWhichRunIsClosedEarly(t *testing.T) {
	given := func(restart bool) (out []string) {
		b := newBench(t, func(l *Limits) { l.OpenRunsPerActor = 30 })
		for i := range 90 {
			if i == 40 && restart {
				into := newBench(t, func(l *Limits) { l.OpenRunsPerActor = 30 })
				into.p.SetWatermark(b.p.watermark)
				for _, a := range b.p.actors {
					restored, _, err := into.p.Restore(EncodeActor(nil, a, 1))
					if err != nil {
						t.Fatal(err)
					}
					into.p.Adopt(restored)
				}
				into.w, into.offset = b.w, b.offset
				b = into
			}
			b.call(time.Duration(i/3)*time.Minute, key(fmt.Sprint("r", i*7%90)))
			for _, r := range b.p.TakeClosed(nil) {
				out = append(out, fmt.Sprint(i, r.RunID))
			}
		}
		return out
	}
	whole, cut := given(false), given(true)
	if len(whole) < 20 || fmt.Sprint(whole) != fmt.Sprint(cut) {
		t.Errorf("%d runs are given up, %d with a restart", len(whole), len(cut))
	}
}
