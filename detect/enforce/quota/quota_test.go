package quota

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
)

func limits(limit, per int64) Limits {
	return func(_, agent, name string) (int64, int64, bool) { return limit, per, agent == "a" && name == "n" }
}

// apply applies a command at a time, and returns its result and the units leased.
func apply(s *State, time int64, c *schema.Command) (enforce.ResultCode, int64) {
	r, _ := s.Apply(enforce.LogPosition{Time: time}, c)
	return r.Code, r.Units
}

func lease(of string, units, window int64) *schema.Command {
	return &schema.Command{Kind: schema.CommandLease, Tenant: "t",
		Lease: &schema.Lease{Agent: "a", Quota: "n", Spender: of, Units: units, Window: window}}
}

// Eight points spend a quota as fast as they can. They crash at random, lose their leases, and
// restart without any. No window ever has more spent than the quota, and a fair share of it can be
// spent.
func TestPointsTogetherNeverPassAQuota(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		limit, per := int64(1+r.IntN(400)), int64(1000)
		s := New(limits(limit, per))
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
					late-- // a point with a slow clock requests units of a window that has ended
				}
				o, got := apply(s, clock, lease("a", max(units-left[p][window], limit/50, 1), late))
				if (o == enforce.Leased) != (got > 0) || late != window && o != enforce.NotInWindow {
					t.Fatalf("%s with %d units", o, got)
				}
				left[p][late] += got
			}
			if left[p][window] >= units {
				left[p][window] -= units
				spent[window] += units
			}
			if r.IntN(300) == 0 {
				s = Restore(s.limits, s.Snapshot())
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
				t.Fatalf("seed %d: window %d spent %d of %d, %d held and %d lost, although %d were asked for", seed, w, n, limit, held, lost[w],
					asked[w])
			}
		}
	}
}

func TestLeaseNamesItsOutcome(t *testing.T) {
	s := New(limits(10, 1000))
	for i, step := range []struct {
		c     *schema.Command
		now   int64
		want  enforce.ResultCode
		units int64
	}{
		{lease("a", 7, 0), 5, enforce.Leased, 7},
		{lease("a", 7, 0), 6, enforce.Leased, 3},
		{lease("a", 1, 0), 7, enforce.QuotaSpent, 0},
		{lease("b", 1, 0), 7, enforce.Leased, 1},
		{lease("a", 1, 1), 8, enforce.NotInWindow, 0},
		{lease("a", 1, 1), 1008, enforce.Leased, 1},
		{&schema.Command{Lease: &schema.Lease{Agent: "x", Quota: "n", Units: 1}}, 9, enforce.NoSuchQuota, 0},
		{&schema.Command{}, 9, enforce.NoSuchQuota, 0},
	} {
		if o, n := apply(s, step.now, step.c); o != step.want || n != step.units {
			t.Errorf("step %d: %s %d, want %s %d", i, o, n, step.want, step.units)
		}
	}
}

func TestInventedSpendersAreBounded(t *testing.T) {
	s := New(limits(10, 1000))
	full := 0
	for i := range maxPerAgent + 500 {
		if o, _ := apply(s, 1, lease(fmt.Sprint(i), 1, 0)); o == enforce.TooManySpenders {
			full++
		}
	}
	if full != 500 || len(s.counts) != maxPerAgent {
		t.Fatalf("%d refused, %d kept", full, len(s.counts))
	}
	if o, _ := apply(s, 2e9, lease("later", 1, 2e9/1000)); o != enforce.Leased || len(s.counts) != 1 {
		t.Fatalf("%s, %d kept after their windows", o, len(s.counts))
	}
}

// Invented credentials under a pattern's quotas fill the places of their own pool; established
// callers have separate places.
func TestInventedSpendersTakeNoPlaceOfOthers(t *testing.T) {
	s := New(limits(100, 1000))
	claimed, established := schema.StandingClaimed, schema.StandingEstablished
	of := func(name string, standing *schema.Standing) enforce.ResultCode {
		c := lease(name, 1, 0)
		c.Lease.Standing = standing
		o, _ := apply(s, 5, c)
		return o
	}
	leased := 0
	for i := range maxPerAgent {
		if of(fmt.Sprint("invented", i), &claimed) == enforce.Leased {
			leased++
		}
	}
	if leased != maxClaimedPerAgent {
		t.Errorf("%d claimed spenders, %d have a place", leased, maxClaimedPerAgent)
	}
	for i, standing := range []*schema.Standing{&established, nil} {
		for j := range maxPerAgent / 2 {
			if o := of(fmt.Sprint("real", i, "/", j), standing); o != enforce.Leased {
				t.Fatalf("spender %d: %s", j, o)
			}
		}
	}
	if o := of("one more", &established); o != enforce.TooManySpenders {
		t.Error(o)
	}
	if restored := Restore(s.limits, s.Snapshot()); !reflect.DeepEqual(restored.spenders, s.spenders) {
		t.Errorf("a restart counts %v, not %v", restored.spenders, s.spenders)
	}
	apply(s, 3e9, lease("later", 1, 3e6))
	if len(s.spenders) != 2 {
		t.Errorf("%v are left of windows that are over", s.spenders)
	}
}
