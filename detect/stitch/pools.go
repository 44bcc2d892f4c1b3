package stitch

import (
	"net/netip"
	"strings"

	"flyball/schema"
)

// pools are counts by the standing of who is counted: what anybody can invent is
// counted apart, so that it takes no room from the others.
type pools [schema.StandingEstablished + 1]int

func (p *pools) total() int {
	return p[schema.StandingClaimed] + p[schema.StandingProven] + p[schema.StandingEstablished]
}

// room reports whether there is room for one more of a standing, of a limit:
//   - established: up to the limit, counted alone, whatever the others hold;
//   - proven: up to half of it, as long as all together hold less than the limit;
//   - claimed: up to a share of it (at most half), under the same condition.
//
// So what is claimed or proven never goes beyond the limit, and established callers
// beyond it only by what is there already when they come: at most twice the limit,
// until silence has closed the rest. Nothing is evicted to make room.
func (p *pools) room(s schema.Standing, limit, claimed int) bool {
	switch s {
	case schema.StandingEstablished:
		return p[s] < limit
	case schema.StandingProven:
		return p[s] < half(limit) && p.total() < limit
	}
	return p[s] < claimed && p.total() < limit
}

func half(n int) int { return (n + 1) / 2 }

// claimedActors are those that may have an actor of their own by their word alone;
// sharedActors is how many actors of an address the others share: together half.
func (l *Limits) claimedActors() int { return max(half(l.Actors)-l.sharedActors(), 1) }
func (l *Limits) sharedActors() int  { return l.Actors / 8 }

// overflowActor begins the keys of actors that several callers share: no routing key does.
const overflowActor = "overflow"

func (a *Actor) shared() bool { return strings.HasPrefix(a.Key, overflowActor) }

// sharedKey is the actor that callers without room for one of their own share: all
// established ones have one, the others one for each address (of IPv6 for each /64,
// which is what one subscriber has), as long as there is room for those.
func (p *Partition) sharedKey(c *schema.Call, s schema.Standing) string {
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
	if p.actors[key] == nil && p.sharedCount >= p.limits.sharedActors() {
		return overflowActor
	}
	return key
}

// newActor makes an actor of a standing.
func (p *Partition) newActor(key string, s schema.Standing) *Actor {
	a := &Actor{Key: strings.Clone(key), Included: -1, SavedThrough: -1, DirtyFrom: -1, standing: s}
	p.actors[a.Key] = a
	p.countActor(a, 1)
	return a
}

// countActor takes an actor in, or out.
func (p *Partition) countActor(a *Actor, n int) {
	if a.shared() {
		p.sharedCount += n
		return
	}
	p.actorPools[a.standing] += n
}

// promote moves an actor to the pool of a higher standing, as far as that has room.
func (p *Partition) promote(a *Actor, s schema.Standing) {
	if s <= a.standing || a.shared() || s == schema.StandingProven && p.actorPools[s] >= half(p.limits.Actors) {
		return
	}
	p.countActor(a, -1)
	if a.total > 0 {
		p.activePools[a.standing]--
		p.activePools[s]++
	}
	a.standing = s
	p.countActor(a, 1)
}

// countRun takes an open run into its pool, or out of it. The overflow runs are
// bounded by the actors and stand in no pool.
func (p *Partition) countRun(r *Run, n int) {
	p.openRuns += n
	if r.Rule != schema.RunOverflow {
		p.openPools[r.standing] += n
	}
}

// raiseStanding moves a run to the pool of a higher standing that one of its calls has.
func (p *Partition) raiseStanding(r *Run, s schema.Standing) {
	if s <= r.standing || r.Rule == schema.RunOverflow {
		return
	}
	if r.State == schema.RunOpen {
		p.countRun(r, -1)
		defer p.countRun(r, 1)
	}
	r.standing = s
}

// ActiveAgents is how many actors have runs in memory and are established or proven:
// what nobody vouches for does not count.
func (p *Partition) ActiveAgents() int {
	return p.activePools[schema.StandingEstablished] + p.activePools[schema.StandingProven]
}

// RefusalsByStanding is how many runs and actors of a standing found no room.
func (p *Partition) RefusalsByStanding(s schema.Standing) uint64 { return p.refusalsByStanding[s] }
