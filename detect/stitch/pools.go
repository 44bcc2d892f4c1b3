package stitch

import (
	"net/netip"
	"strings"

	"flyball/schema"
)

// pools are counts by standing: actors and runs that any caller can invent are counted separately,
// so that they take no room from the others.
type pools [schema.StandingEstablished + 1]int

func (p *pools) total() int {
	return p[schema.StandingClaimed] + p[schema.StandingProven] + p[schema.StandingEstablished]
}

// room reports whether one more actor of a standing, or one more open run of claimed or proven callers, may be added under a limit:
//   - established: up to the limit, counted alone, independent of the others;
//   - proven: up to half of it, as long as all together are below the limit;
//   - claimed: up to a share of it (runs a quarter, actors an eighth), under the same condition.
//
// So claimed and proven actors alone never exceed the limit. All together exceed it only by those that are there when established
// callers arrive: by at most five eighths.
func (p *pools) room(s schema.Standing, limit, claimed int) bool {
	switch s {
	case schema.StandingEstablished:
		return p[s] < limit
	case schema.StandingProven:
		return p[s] < half(limit) && p.total() < limit
	}
	return p[s] < claimed && p.total() < limit
}

// counters counts the runs and actors of a partition by standing, and how many of them found no room.
type counters struct {
	limits             *Limits
	openRuns           int   // all, the overflow runs included
	openPools          pools // open runs, without the overflow runs
	actorPools         pools // actors of one caller each
	activePools        pools // those of actorPools that have runs
	sharedCount        int   // overflow actors
	refusals           uint64
	refusalsByStanding [schema.StandingEstablished + 1]uint64
}

// roomForRun reports whether one more open run of a standing may be added. Established and proven runs together have the limit,
// so that all together exceed it by at most the share of claimed ones, a quarter, and by runs that late calls have opened again.
func (n *counters) roomForRun(s schema.Standing) bool {
	open := &n.openPools
	if s == schema.StandingEstablished {
		return open[s]+open[schema.StandingProven] < n.limits.OpenRuns
	}
	return open.room(s, n.limits.OpenRuns, n.limits.claimedRuns())
}

func half(n int) int { return (n + 1) / 2 }

// maxSharedActors bounds the shared actors of a partition: each has runs of all kinds of callers, and
// keeps 100 KB and more.
const maxSharedActors = 32

// claimedRuns returns how many open runs claimed callers may have: a quarter of the limit.
func (l *Limits) claimedRuns() int { return (l.OpenRuns + 3) / 4 }

// runsPerActor returns how many open runs an actor may have when a caller of a standing asks for one more.
func (l *Limits) runsPerActor(s schema.Standing) int {
	if s == schema.StandingClaimed {
		return min(l.ClaimedRunsPerActor, l.OpenRunsPerActor)
	}
	return l.OpenRunsPerActor
}

// closedRuns returns how many closed runs of a standing are kept: of claimed and of proven callers a quarter each, of established
// ones the rest.
func (l *Limits) closedRuns(s schema.Standing) int {
	quarter := l.ClosedRuns / 4
	if s == schema.StandingEstablished {
		return l.ClosedRuns - 2*quarter
	}
	return quarter
}

// claimedActors returns how many claimed callers may have a separate actor; sharedActors returns
// how many actors, one for each address, the others share. Together they are an eighth of the limit.
func (l *Limits) claimedActors() int { return max((l.Actors+7)/8-l.sharedActors(), 1) }
func (l *Limits) sharedActors() int  { return min(l.Actors/32, maxSharedActors) }

// overflowActor is the prefix of the keys of actors that several callers share. No routing key has
// this prefix.
const overflowActor = "overflow"

func (a *Actor) shared() bool { return strings.HasPrefix(a.Key, overflowActor) }

// sharedKey returns the key of the shared actor for callers above the limit: one for all
// established callers, and one for each address of the others (in IPv6 for each /64, which one
// subscriber has), up to the limit of shared actors. exists reports whether an actor has a key.
func (n *counters) sharedKey(c *schema.Call, s schema.Standing, exists func(key string) bool) string {
	if s == schema.StandingEstablished {
		return overflowActor + ":" + s.String()
	}
	if !c.ClientIP.IsValid() {
		return overflowActor
	}
	ip := c.ClientIP.Unmap().WithZone("")
	if ip.Is6() {
		ip = netip.PrefixFrom(ip, 64).Masked().Addr()
	}
	key := overflowActor + ":" + ip.String()
	if !exists(key) && n.sharedCount >= n.limits.sharedActors() {
		return overflowActor
	}
	return key
}

// emptyActor returns an actor that is not part of its partition yet.
func emptyActor(p *Partition) *Actor {
	return &Actor{part: p, SavedThrough: -1, DirtyFrom: -1, idle: slotHeap{ofActor: true}, closed: slotHeap{ofActor: true}}
}

// countActor adds by to the count of the actor's pool.
func (n *counters) countActor(a *Actor, by int) {
	if a.shared() {
		n.sharedCount += by
		return
	}
	n.actorPools[a.standing] += by
}

// countActive adds by to the count of actors with runs in the actor's pool. The canary is no agent: it would enlarge the share of agents
// that may be tripped.
func (n *counters) countActive(a *Actor, by int) {
	if !schema.IsCanaryActor(a.Key) {
		n.activePools[a.standing] += by
	}
}

// promote moves an actor to the pool of a higher standing, if that pool has room.
func (n *counters) promote(a *Actor, s schema.Standing) {
	if s <= a.standing || a.shared() || s == schema.StandingProven && n.actorPools[s] >= half(n.limits.Actors) {
		return
	}
	n.countActor(a, -1)
	if a.total > 0 {
		n.countActive(a, -1)
		defer n.countActive(a, 1) // in its new pool
	}
	a.standing = s
	n.countActor(a, 1)
}

// countRun adds by to the count of an open run's pool. Overflow runs are in no pool: the number of
// actors bounds them.
func (n *counters) countRun(r *Run, by int) {
	n.openRuns += by
	if r.Rule != schema.RunOverflow {
		n.openPools[r.standing] += by
	}
}

// countRefusal counts a run or an actor of a standing that was above a limit.
func (n *counters) countRefusal(s schema.Standing) {
	n.refusals++
	n.refusalsByStanding[s]++
}
