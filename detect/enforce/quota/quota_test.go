package quota

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"flyball/schema"
)

func limits(limit, per int64) Limits {
	return func(agent, name string) (int64, int64, bool) { return limit, per, agent == "a" && name == "n" }
}

func lease(of string, units, window int64) *schema.Command {
	return &schema.Command{Kind: schema.CommandLease, Tenant: "t", Lease: &schema.Lease{Agent: "a", Quota: "n", Spender: of, Units: units, Window: window}}
}

// Eight points spend a quota as fast as they can; they crash at random, with
// what they had leased, and come back with nothing. Whatever happens, no window
// sees more spent than the quota, and a fair share of it can be spent.
func TestPointsTogetherNeverPassAQuota(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		limit, per := int64(1+r.IntN(400)), int64(1000)
		s, get := New(), limits(limit, per)
		var left [8]map[int64]int64
		for i := range left {
			left[i] = map[int64]int64{}
		}
		spent, asked := map[int64]int64{}, map[int64]int64{}
		clock := int64(0)
		lost := map[int64]int64{}
		for range 3000 {
			clock += int64(r.IntN(3))
			window := clock / per
			p := r.IntN(8)
			if r.IntN(200) == 0 { // crash
				for w, n := range left[p] {
					lost[w] += n
				}
				left[p] = map[int64]int64{}
				continue
			}
			units := int64(1 + r.IntN(4))
			asked[window] += units
			if left[p][window] < units {
				late := window
				if r.IntN(20) == 0 {
					late-- // a point whose clock lags asks for a window that is over
				}
				o, got := s.Apply(clock, lease("a", max(units-left[p][window], limit/50, 1), late), get)
				if (o == Leased) != (got > 0) || late != window && o != Window {
					t.Fatalf("%s with %d units", o, got)
				}
				left[p][late] += got
			}
			if left[p][window] >= units {
				left[p][window] -= units
				spent[window] += units
			}
			if r.IntN(300) == 0 {
				s = Restore(s.Snapshot())
			}
		}
		for w, n := range spent {
			if n > limit {
				t.Fatalf("seed %d: window %d spent %d of %d", seed, w, n, limit)
			}
			held := int64(0)
			for i := range left {
				held += left[i][w]
			}
			if w < clock/per && asked[w] > 2*limit && n+held+lost[w] < limit {
				t.Fatalf("seed %d: window %d spent %d of %d, %d held and %d lost, although %d were asked for", seed, w, n, limit, held, lost[w], asked[w])
			}
		}
	}
}

func TestLeaseNamesItsOutcome(t *testing.T) {
	s, get := New(), limits(10, 1000)
	for i, step := range []struct {
		c     *schema.Command
		now   int64
		want  Outcome
		units int64
	}{
		{lease("a", 7, 0), 5, Leased, 7},
		{lease("a", 7, 0), 6, Leased, 3},
		{lease("a", 1, 0), 7, Spent, 0},
		{lease("b", 1, 0), 7, Leased, 1},
		{lease("a", 1, 1), 8, Window, 0},
		{lease("a", 1, 1), 1008, Leased, 1},
		{&schema.Command{Lease: &schema.Lease{Agent: "x", Quota: "n", Units: 1}}, 9, None, 0},
		{&schema.Command{}, 9, None, 0},
	} {
		if o, n := s.Apply(step.now, step.c, get); o != step.want || n != step.units {
			t.Errorf("step %d: %s %d, want %s %d", i, o, n, step.want, step.units)
		}
	}
}

func TestInventedSpendersAreBounded(t *testing.T) {
	s, get := New(), limits(10, 1000)
	full := 0
	for i := range maxPerAgent + 500 {
		if o, _ := s.Apply(1, lease(fmt.Sprint(i), 1, 0), get); o == Full {
			full++
		}
	}
	if full != 500 || len(s.counts) != maxPerAgent {
		t.Fatalf("%d refused, %d kept", full, len(s.counts))
	}
	if o, _ := s.Apply(2e9, lease("later", 1, 2e9/1000), get); o != Leased || len(s.counts) != 1 {
		t.Fatalf("%s, %d kept after their windows", o, len(s.counts))
	}
}

// Invented credentials under a pattern's quotas fill the places of spenders: those of
// established callers are others.
func TestInventedSpendersTakeNoPlaceOfOthers(t *testing.T) {
	s, get := New(), limits(100, 1000)
	claimed, established := schema.StandingClaimed, schema.StandingEstablished
	of := func(name string, standing *schema.Standing) Outcome {
		c := lease(name, 1, 0)
		c.Lease.Standing = standing
		o, _ := s.Apply(5, c, get)
		return o
	}
	leased := 0
	for i := range maxPerAgent {
		if of(fmt.Sprint("invented", i), &claimed) == Leased {
			leased++
		}
	}
	if leased != maxClaimedPerAgent {
		t.Errorf("%d claimed spenders, %d have a place", leased, maxClaimedPerAgent)
	}
	for i, standing := range []*schema.Standing{&established, nil} {
		for j := range maxPerAgent / 2 {
			if o := of(fmt.Sprint("real", i, "/", j), standing); o != Leased {
				t.Fatalf("spender %d: %s", j, o)
			}
		}
	}
	if o := of("one more", &established); o != Full {
		t.Error(o)
	}
	if restored := Restore(s.Snapshot()); !reflect.DeepEqual(restored.spenders, s.spenders) {
		t.Errorf("a restart counts %v, not %v", restored.spenders, s.spenders)
	}
	s.Apply(3e9, lease("later", 1, 3e6), get)
	if len(s.spenders) != 2 {
		t.Errorf("%v are left of windows that are over", s.spenders)
	}
}
