package stitch

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// binder finds the actor and the run of a call, or makes them as far as the limits allow it.
type binder struct {
	part     *Partition // of new actors and runs
	limits   *Limits
	actors   map[string]*Actor
	counters *counters
	room     *room
	idle     *idleActors
}

// actor finds or makes the actor of a call, at an offset of flyball.calls. If a limit is reached, it takes the place of one
// without runs. If there is none, the call gets a shared actor: see sharedKey.
func (b *binder) actor(c *schema.Call, offset int64) *Actor {
	if a := b.actors[c.RoutingKey]; a != nil && !a.released {
		return a
	}
	s := c.Standing()
	room := func() bool { return b.counters.actorPools.room(s, b.limits.Actors, b.limits.claimedActors()) }
	if room() || b.idle.release(s, offset) && room() {
		return b.newActor(c.RoutingKey, s)
	}
	key := b.counters.sharedKey(c, s, func(key string) bool { return b.actors[key] != nil })
	a := b.actors[key]
	if a == nil {
		b.counters.countRefusal(s)
		return b.newActor(key, s)
	}
	if proven := a.callerStanding(c); proven == schema.StandingProven && b.counters.actorPools.room(proven, b.limits.Actors, 0) {
		own := b.newActor(c.RoutingKey, proven) // keeps the proof that was counted in the shared actor
		own.proofs = []proof{*a.findProof(xxhash.Sum64String(c.CredentialID))}
		return own
	}
	b.counters.countRefusal(s)
	return a
}

// newActor adds an actor of a standing to the partition, or an actor of the key that was released.
func (b *binder) newActor(key string, s schema.Standing) *Actor {
	a := b.actors[key]
	if a == nil {
		a = emptyActor(b.part)
		a.Included = -1
		a.setKey(strings.Clone(key))
		b.actors[a.Key] = a
	}
	a.standing, a.released = s, false
	b.counters.countActor(a, 1)
	return a
}

// run finds or opens the run of a call. The first rule that applies decides.
func (b *binder) run(a *Actor, c *schema.Call, offset int64) (*Run, schema.RunRule) {
	cred := c.CredentialID
	if c.RunKey != "" {
		k := bindKey{Rule: c.RunKeyRule(), Credential: cred, Key: c.RunKey}
		var parent *Run
		if c.ParentAgent != "" {
			parent, k.Key = a.subRun(c)
		}
		return b.runByKey(a, c, k, parent, offset), k.Rule
	}
	if c.TraceID != [16]byte{} && c.RunKeySource != schema.NoTraceKeySource {
		if r := a.runOfTrace(c.TraceID, cred); r != nil && !r.conflicts(c) {
			return r, schema.RunTrace
		}
		k := bindKey{Rule: schema.RunTrace, Credential: cred, Key: hex.EncodeToString(c.TraceID[:])}
		rule := schema.RunTrace
		if c.AgentSpan {
			rule = schema.RunAgentSpan
		}
		return b.runByKey(a, c, k, nil, offset), rule
	}
	if c.ConversationID != "" {
		k := bindKey{Rule: schema.RunConversation, Credential: cred, Key: c.ConversationID, Principal: verifiedPrincipal(c)}
		return b.runByIdleGap(a, c, k, offset), schema.RunConversation
	}
	k := bindKey{Rule: schema.RunSession, Credential: cred, Principal: verifiedPrincipal(c)}
	return b.runByIdleGap(a, c, k, offset), schema.RunSession
}

// subRun returns the parent run of a sub-agent's run (nil: not known) and the sub-agent's key. The
// parent is the sub-run of the parent agent if there is one, else the session's run.
func (a *Actor) subRun(c *schema.Call) (*Run, string) {
	for _, key := range c.ParentRunKeys() {
		if r := a.runs.first(bindKey{Rule: schema.RunExplicit, Credential: c.CredentialID, Key: key}); r != nil {
			return r, c.OwnRunKey()
		}
	}
	return nil, c.OwnRunKey()
}

func verifiedPrincipal(c *schema.Call) string {
	if c.PrincipalTrust == schema.TrustVerified {
		return c.PrincipalID
	}
	return ""
}

// conflicts reports whether a call has another verified principal than the run.
func (r *Run) conflicts(c *schema.Call) bool {
	v := verifiedPrincipal(c)
	return v != "" && r.PrincipalTrust == schema.TrustVerified && r.PrincipalID != v
}

// runByKey finds or opens the run of a key that names one run. If the call has another verified
// principal than that run, it gets a separate run.
func (b *binder) runByKey(a *Actor, c *schema.Call, k bindKey, parent *Run, offset int64) *Run {
	r := a.runs.first(k)
	if r != nil && r.conflicts(c) {
		k.Principal = c.PrincipalID
		r = a.runs.first(k)
	}
	if r != nil {
		return r
	}
	id := schema.RunIdentity{Tenant: c.Tenant, RoutingActor: a.Key, Credential: k.Credential, Rule: k.Rule, Key: k.Key, Principal: k.Principal}
	return b.openRun(a, c, k, id, parent, offset)
}

// runByIdleGap finds or opens the run of a key whose calls are divided into runs by silence: the
// run nearest in time among those within a gap of the call.
func (b *binder) runByIdleGap(a *Actor, c *schema.Call, k bindKey, offset int64) *Run {
	gap := b.limits.SessionGap
	if k.Rule == schema.RunConversation {
		gap = b.limits.ConversationGap
	}
	var best *Run
	for r := range a.runs.of(k) {
		if r.withinGap(c.Start, gap) && (best == nil || r.nearer(best, c.Start)) {
			best = r
		}
	}
	if best != nil {
		return best
	}
	// The key of such a run is the position of its first call in the log.
	first := c.Source.TopicID.String() + "/" + strconv.Itoa(int(c.Source.Partition)) + "/" +
		strconv.FormatInt(c.Pos.Offset, 10) + "/" + strconv.Itoa(int(c.Pos.Item))
	id := schema.RunIdentity{Tenant: c.Tenant, RoutingActor: a.Key, Credential: k.Credential, Rule: k.Rule,
		Key: k.Key + "@" + first, Principal: k.Principal}
	return b.openRun(a, c, k, id, nil, offset)
}

// nearer reports whether a run is nearer to a time than another run; of two that are equally near, the one that was opened first.
func (r *Run) nearer(other *Run, start int64) bool {
	return cmp.Or(cmp.Compare(r.distance(start), other.distance(start)), cmp.Compare(r.Segment, other.Segment),
		bytes.Compare(r.RunID[:], other.RunID[:])) < 0
}

func (r *Run) distance(start int64) int64 {
	switch {
	case start < r.StartedAt:
		return r.StartedAt - start
	case start > r.lastEnd:
		return start - r.lastEnd
	}
	return 0
}

// openRun opens a run. If a limit is reached, it finds or opens the actor's overflow run.
func (b *binder) openRun(a *Actor, c *schema.Call, k bindKey, id schema.RunIdentity, parent *Run, offset int64) *Run {
	s := a.callerStanding(c)
	if k.Rule != schema.RunOverflow && !b.room.make(a, s, offset) {
		return b.refuse(a, c, k, offset)
	}
	r := a.newRun()
	r.bind, r.standing = b.part.words.key(k), s
	r.RunID, r.Segment, r.CallsPart = id.ID(), offset, b.part.part
	if offset > b.part.hours.legacyTo {
		r.OpenedDay = max(schema.FiledDay(c.Start, c.KafkaTime), 1)
	}
	r.Tenant, r.Actor = b.part.words.of(c.Tenant), a.Key
	r.Rule, r.Confidence, r.State = k.Rule, confidence[k.Rule], schema.RunOpen
	if k.Rule == schema.RunOverflow {
		r.RunKey = "overflow"
	}
	if parent != nil {
		r.ParentRunID = parent.RunID
	}
	a.addRun(r)
	if a.total == 1 {
		b.counters.countActive(a, 1)
		a.woken++
	}
	b.counters.countRun(r, 1)
	b.room.limitClosedOf(a)
	return r
}

// refuse counts that the run of a key found no room, and finds or opens the overflow run of the call: one for each actor and standing,
// because a caller can also invent credentials.
func (b *binder) refuse(a *Actor, c *schema.Call, k bindKey, offset int64) *Run {
	s := a.callerStanding(c)
	b.counters.countRefusal(s)
	ok := bindKey{Rule: schema.RunOverflow}
	if s > schema.StandingClaimed {
		ok.Key = s.String()
	}
	r := b.runByKey(a, c, ok, nil, offset)
	if r.refused == nil {
		r.refused = &Distinct{}
	}
	r.refused.Add(schema.HashStrings(k.Key, k.Principal), overflowSketch)
	return r
}
