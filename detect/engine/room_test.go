package engine

import (
	"strings"
	"testing"
	"time"

	"flyball/detect/stitch"
	"flyball/schema"
)

// A run that is closed to make room has no open finding: no page is resolved and sent again, and the reason "no call for longer than
// its gap" is true of each run that it is written for.
func TestPageIsResolvedToMakeRoom(t *testing.T) {
	t.Run("in one life", func(t *testing.T) { testPageToMakeRoom(t, false) })
	t.Run("after a restart", func(t *testing.T) { testPageToMakeRoom(t, true) })
}

func testPageToMakeRoom(t *testing.T, restart bool) {
	m := newMany(1, readers())
	l := stitch.DefaultLimits()
	l.OpenRunsPerActor = 20
	m.Partition = stitch.NewPartition(0, l)
	m.SetRunAttachment(m.set.NewRunState)
	m.SetActorAttachment(m.set.NewActorState)
	m.change = func(run int, c *schema.Call) {
		switch {
		case run < 3:
			c.ArgsDigest, c.ResultDigest = 7, 7
		case run < 6:
			c.Method, c.Effect, c.Reversibility = "DELETE", schema.EffectDelete, schema.Irreversible
		case run >= 20:
			c.Start = night.Add(20 * time.Minute).UnixNano()
		}
	}
	for i := range 1600 {
		if run, n := i%16, i/16; run < 6 || n < 8 {
			m.calls(run, n, n+1)
		}
	}
	m.store()
	m.Freeze(0)
	if restart {
		stored := stitch.EncodeActor(nil, m.Actor("g/0"), 1)
		m.Partition = stitch.NewPartition(0, l)
		m.SetRunAttachment(m.set.NewRunState)
		m.SetActorAttachment(m.set.NewActorState)
		a, _, err := m.Restore(stored)
		if err != nil {
			t.Fatal(err)
		}
		m.Adopt(a)
	}
	advance := func(to time.Duration) (closed, findings int) {
		watermark := night.Add(to).UnixNano()
		m.Advance(watermark, m.offset)
		for _, r := range m.TakeClosed(nil) {
			closed++
			for _, f := range m.set.Close(r, schema.CallRef{Offset: m.offset}) {
				if findings++; !strings.Contains(f.Reason, "no call for longer than its gap") || watermark-r.LastAt < int64(l.RunGap) {
					t.Errorf("run %s: %q after a silence of %v", r.RunKey, f.Reason, time.Duration(watermark-r.LastAt))
				}
			}
		}
		return closed, findings
	}
	advance(15 * time.Minute)
	for run := 20; run < 34; run++ {
		m.calls(run, 0, 1)
	}
	if m.ClosedEarly() < 5 {
		t.Fatalf("%d runs were closed early: the test shows nothing", m.ClosedEarly())
	}
	if closed, findings := advance(15*time.Minute + time.Second); closed != int(m.ClosedEarly()) || findings != 0 {
		t.Errorf("%d runs closed early, %d findings closed with them", closed, findings)
	}
	if _, findings := advance(2 * time.Hour); findings < 3 {
		t.Errorf("%d findings closed by silence", findings)
	}
}
