package stitch

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"flyball/schema"
	"flyball/schema/wire"
)

func claimed(c *schema.Call) { c.CredentialTrust = schema.TrustAsserted }
func from(ip string) option {
	return func(c *schema.Call) { c.ClientIP = netip.MustParseAddr(ip) }
}

// invented changes a call to one of a claimed caller with its own name, key and address.
func invented(i int) option {
	return func(c *schema.Call) {
		c.RoutingKey, c.RunKey = fmt.Sprint("c:x", i), fmt.Sprint("r", i)
		c.CredentialID, c.CredentialTrust = fmt.Sprint("x", i), schema.TrustAsserted
		c.ClientIP = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
}

func established(i int) option {
	return func(c *schema.Call) {
		c.RoutingKey, c.CredentialID, c.RunKey = fmt.Sprint("g:team/", i), fmt.Sprint("team/", i), fmt.Sprint("run-", i)
		c.AgentID, c.AgentTrust = fmt.Sprint("team/", i), schema.TrustInfrastructure
	}
}

// A flood of invented callers fills a partition; new runs of established agents still get a
// separate run, up to the limit.
func TestFloodOfInventedCallersPutsNoEstablishedRunIntoOverflow(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRuns, l.Actors = 100, 100 })
	for i := range 3000 {
		b.call(time.Duration(i)*time.Millisecond, invented(i))
	}
	if n := b.p.counters.openPools.total(); n > 50 {
		t.Errorf("invented callers hold %d open runs, want at most 50", n)
	}
	for i := range 100 {
		if c := b.call(4*time.Second, established(i)); c.RunRule != schema.RunExplicit {
			t.Fatalf("run %d of an established agent is bound by %v", i, c.RunRule)
		}
	}
	if c := b.call(4*time.Second, established(100)); c.RunRule != schema.RunOverflow {
		t.Errorf("an established run beyond the limit is bound by %v", c.RunRule)
	}
	if b.p.RefusalsByStanding(schema.StandingEstablished) == 0 || b.p.RefusalsByStanding(schema.StandingClaimed) < 2900 {
		t.Errorf("refusals %v", b.p.counters.refusalsByStanding)
	}
}

// Invented callers from invented addresses do not make more actors than the limit, and do not count
// as active agents, of which a share may be tripped.
func TestInventedAddressesDoNotDoubleTheActors(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.Actors = 400 })
	for i := range 20 {
		b.call(0, established(i))
	}
	for i := range 5000 {
		b.call(time.Duration(i)*time.Millisecond, invented(i))
		v6 := netip.MustParsePrefix("2001:db8::/32").Addr().As16()
		v6[4], v6[15] = byte(i>>8), byte(i)
		b.call(time.Duration(i)*time.Millisecond, invented(5000+i), func(c *schema.Call) { c.ClientIP = netip.AddrFrom16(v6) })
	}
	if n := b.p.Actors(); n > 20+200+1 {
		t.Errorf("%d actors, want at most the 20 established ones, half of 400 and the last that all share", n)
	}
	if n := b.p.ActiveAgents(); n != 20 {
		t.Errorf("%d active agents, want 20", n)
	}
	for i := range 380 {
		b.call(6*time.Second, established(20+i))
	}
	if n := b.p.ActiveAgents(); n != 400 {
		t.Errorf("%d active agents, want 400", n)
	}
}

// One subscriber of IPv6 has 2^64 addresses: they share one actor.
func TestAddressesOfOneSubscriberShareAnActor(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.Actors = 80 })
	for i := range 500 {
		b.call(0, invented(i), from(fmt.Sprintf("2001:db8:1:2::%x", i+1)))
	}
	if b.p.counters.sharedCount != 1 {
		t.Errorf("%d overflow actors", b.p.counters.sharedCount)
	}
}

func accept(b *bench, n int, every time.Duration, opts ...option) *schema.Call {
	var c *schema.Call
	for i := range n {
		c = b.call(time.Duration(i)*every, append([]option{key("r"), claimed, status(200), seenBy(schema.ObserverGateway, "")}, opts...)...)
	}
	return c
}

// A credential that the API has accepted for a while is proven. Rows of the caller itself, refused
// calls and calls that Flyball denied prove nothing.
func TestCredentialIsProvenByTheApiAlone(t *testing.T) {
	for name, v := range map[string]struct {
		calls  int
		every  time.Duration
		opt    option
		proven bool
	}{
		"accepted":           {21, 30 * time.Second, status(200), true},
		"not found":          {21, 30 * time.Second, status(404), true},
		"too few":            {19, time.Minute, status(200), false},
		"too soon":           {500, time.Second, status(200), false},
		"unauthorized":       {40, time.Minute, status(401), false},
		"forbidden":          {40, time.Minute, status(403), false},
		"failed":             {40, time.Minute, status(503), false},
		"limited":            {40, time.Minute, status(429), false},
		"no status":          {40, time.Minute, status(0), false},
		"its own spans":      {40, time.Minute, seenBy(schema.ObserverClient, "sdk"), false},
		"asked of the check": {40, time.Minute, seenBy(schema.ObserverGate, ""), false},
		"a denial of ours": {40, time.Minute, func(c *schema.Call) {
			c.Outcome, c.DeniedBy, c.Status = schema.OutcomeDenied, "flyball", 418
		}, false},
		"established all along": {40, time.Minute, func(c *schema.Call) { c.CredentialTrust = schema.TrustInfrastructure }, false},
	} {
		b := newBench(t)
		last := accept(b, v.calls, v.every, v.opt)
		a := b.p.actors["c:k1"]
		got := a.ProvenToday(last)
		if got != v.proven {
			t.Errorf("%s: reported proven: %v, want %v", name, got, v.proven)
		}
		if got && (a.standing != schema.StandingProven || b.run(last.RunID).Standing() != schema.StandingProven ||
			b.p.counters.actorPools != pools{0, 1, 0} || b.p.counters.openPools != pools{0, 1, 0}) {
			t.Errorf("%s: actor %v, run %v, %v actors, %v runs", name, a.standing, b.run(last.RunID).Standing(), b.p.counters.actorPools,
				b.p.counters.openPools)
		}
		if a.ProvenToday(last) {
			t.Errorf("%s: reported twice on one day", name)
		}
	}
}

// Proven callers have a separate share: a flood of invented callers does not use it.
func TestFloodOfInventedCallersPutsNoProvenRunIntoOverflow(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRuns, l.Actors = 100, 100 })
	last := accept(b, 21, 31*time.Second)
	at := time.Duration(last.Start - t0.UnixNano())
	for i := range 3000 {
		b.call(at, invented(i))
	}
	if c := b.call(at, key("another"), claimed); c.RunRule != schema.RunExplicit {
		t.Errorf("a proven credential's new run is bound by %v", c.RunRule)
	}
	// A credential that got a shared actor because the partition was full is proven there, and has
	// a separate actor from then on.
	late := accept(b, 22, 31*time.Second, actor("c:late"), cred("late"), from("192.0.2.7"))
	if late.RunRule != schema.RunExplicit || b.p.actors["c:late"] == nil {
		t.Errorf("bound by %v, own actor %v", late.RunRule, b.p.actors["c:late"] != nil)
	}
}

// A proven actor without runs is kept for a day, and not longer.
func TestProvenActorIsRememberedForADay(t *testing.T) {
	b := newBench(t)
	accept(b, 21, 31*time.Second)
	b.call(3*time.Hour, established(1))
	b.call(6*time.Hour, established(1))
	b.p.Saved(len(b.p.dirty))
	if done, later := b.p.Forget("c:k1"); done || !later || b.p.ActiveAgents() != 1 {
		t.Errorf("after hours: forgotten %v, later %v, %d active", done, later, b.p.ActiveAgents())
	}
	b.call(26*time.Hour, established(1))
	if done, _ := b.p.Forget("c:k1"); !done || b.p.counters.actorPools[schema.StandingProven] != 0 {
		t.Errorf("after a day: forgotten %v, %v", done, b.p.counters.actorPools)
	}
}

// A restart keeps the proofs and the pool of each caller; for an entry of the previous version the
// trust of its runs' agents decides.
func TestPoolsSurviveARestart(t *testing.T) {
	b := newBench(t)
	last := accept(b, 21, 31*time.Second)
	at := time.Duration(last.Start - t0.UnixNano())
	b.call(at, established(1))
	b.call(at, invented(1))
	for version, want := range map[uint8]pools{StateVersion: {1, 1, 1}, 10: {1, 1, 1}, 7: {2, 0, 1}} {
		again := newBench(t)
		for _, a := range b.p.actors {
			value := EncodeActor(nil, a, 1)
			if version < StateVersion {
				w, generation := wire.NewWriter(nil, wire.KindState, version), uint64(1)
				codeActor(w, a, &generation, nil, nil)
				value = w.Bytes()
			}
			read, _, err := again.p.Restore(value)
			if err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			again.p.Adopt(read)
		}
		n := &again.p.counters
		if n.openPools != want || n.actorPools != want || again.p.ActiveAgents() != want[1]+want[2] {
			t.Errorf("version %d: runs %v, actors %v, %d active; want %v", version, n.openPools, n.actorPools, again.p.ActiveAgents(), want)
		}
	}
}

// After random calls of all standings the counts are correct.
func TestPoolsCountWhatIsThere(t *testing.T) {
	b := newBench(t, func(l *Limits) { l.OpenRuns, l.Actors, l.OpenRunsPerActor = 60, 40, 5 })
	for i := range 6000 {
		n := i * 7919 % 97
		opt := invented(n)
		if n%3 == 0 {
			opt = established(n % 31)
		}
		b.call(time.Duration(i)*2*time.Second, opt, key(fmt.Sprint(i*31%17)), status(200), seenBy(schema.ObserverGateway, ""))
		if i%50 == 0 {
			b.p.Saved(len(b.p.dirty))
			for k := range b.p.actors {
				b.p.Forget(k)
			}
		}
	}
	checkPools(t, b)
}

// checkPools checks the counts and the heaps of a partition against its runs.
func checkPools(t *testing.T, b *bench) {
	t.Helper()
	var open, actors, active pools
	all := 0
	for _, a := range b.p.actors {
		if !a.shared() && !a.released {
			actors[a.standing]++
		}
		if a.total > 0 {
			active[a.standing]++
		}
		for r := range a.runs.all {
			if r.State == schema.RunOpen {
				all++
				if r.Rule != schema.RunOverflow {
					open[r.standing]++
				}
			}
			if int(r.inPartition) >= len(b.p.queues.due[r.pool].slots) || b.p.queues.due[r.pool].slots[r.inPartition] != r.slot ||
				(r.State == schema.RunClosed) != r.pool.closed() || r.slot.dueAt > r.nextDue(&b.p.limits) {
				t.Errorf("run %s is not where it is due", r.RunID)
			}
		}
	}
	n := &b.p.counters
	if open != n.openPools || actors != n.actorPools || active != n.activePools || all != n.openRuns {
		t.Errorf("runs %v counted %v, actors %v counted %v, active %v counted %v, open %d counted %d", open, n.openPools, actors,
			n.actorPools, active, n.activePools, all, n.openRuns)
	}
}

// The state of a credential is a few bytes, and an actor counts at most four.
func TestProofsAreSmallAndBounded(t *testing.T) {
	if size := unsafe.Sizeof(proof{}); size > 32 {
		t.Errorf("%d bytes a credential", size)
	}
	b := newBench(t)
	for i := range 100 {
		b.call(time.Duration(i)*time.Second, key("r"), cred(fmt.Sprint("k", i)), claimed, status(200), seenBy(schema.ObserverGateway, ""))
	}
	a := b.p.actors["c:k1"]
	if len(a.proofs) != proofsPerActor || cap(a.proofs) != proofsPerActor {
		t.Errorf("%d credentials of one actor are counted, room for %d", len(a.proofs), cap(a.proofs))
	}
}
