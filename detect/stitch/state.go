package stitch

import (
	"slices"

	"flyball/schema"
	"flyball/schema/wire"
)

// StateVersion is the newest version of an actor's stored entry, and the version that is written.
// Version 2 added the state that a later stage attached to each run, version 3 the observers of the
// actor and the sightings, version 6 the state attached to the actor, version 8 the standing of
// actors and runs and the proofs of credentials. The versions between changed the attached state;
// since version 9 attached state has separate versions. Version 10 added the rows of the check that
// no line has answered. Since version 11 an actor is a chain of deltas. Version 12 added the day on
// which a run was opened and what is counted of an actor by hour.
const StateVersion = 12

// codeOwn encodes or decodes an actor's own part: what belongs to none of its runs.
func codeOwn(c *wire.Coder, a *Actor, attachTo func() Attachment) {
	if c.Version >= 3 {
		known := len(a.observers)
		c.Len(&known, 8)
		if !c.Encoding && known > 0 {
			a.observers = make([]uint64, known)
		}
		for i := range a.observers {
			c.Fixed64(&a.observers[i])
		}
	}
	if c.Version >= 6 {
		codeAttached(c, &a.Attached, attachTo, "an actor")
	}
	if c.Version >= 8 {
		codeProofs(c, a)
	}
	if c.Version >= 10 {
		c.Bool(&a.checked)
	}
	if c.Version >= 12 {
		a.hours.Code(c, wordTenant, wordAgent, a.part.words.of)
	}
}

// codeActor encodes or decodes an actor's entry as it was written up to version 10.
func codeActor(c *wire.Coder, a *Actor, generation *uint64, attach, attachTo func() Attachment) {
	c.Uint(generation)
	c.Text(&a.Key)
	c.Int(&a.Included)
	codeOwn(c, a, attachTo)
	var runs []*Run
	if c.Encoding {
		runs = slices.SortedFunc(a.runs.all, compareIDs)
	}
	n := len(runs)
	c.Len(&n, 60)
	for i := range n {
		var r *Run
		if c.Encoding {
			r = runs[i]
		} else {
			r = a.newRun()
		}
		codeRun(c, r)
		codeAttachment(c, r, attach)
		if c.Version >= 3 {
			codeSightings(c, r)
		}
		if c.Version >= 10 {
			codePending(c, r)
		}
		if c.Err != nil {
			return
		}
		if !c.Encoding {
			if c.Version < 8 && r.AgentTrust >= schema.TrustInfrastructure {
				r.standing = schema.StandingEstablished // its credential's trust was not stored
			}
			a.standing = max(a.standing, r.standing)
			r.Actor = a.Key
			a.addRun(r)
		}
	}
}

// Numbers of words in codeRun: see wire.Coder.Word.
const (
	wordTenant = 4
	wordAgent  = 5
)

func codeRun(c *wire.Coder, r *Run) {
	codeIdentity(c, r)
	codeTotals(c, r)
	if !c.Encoding {
		r.ownStrings()
	}
}

// codeIdentity encodes or decodes the run's id and its strings. Strings that are read alias the value.
func codeIdentity(c *wire.Coder, r *Run) {
	c.Array(r.RunID[:])
	c.Int(&r.Segment)
	for i, s := range [...]*string{
		&r.bind.Credential, &r.bind.Key, &r.bind.Principal, &r.RunKey, &r.Tenant,
		&r.AgentID, &r.AgentName, &r.AgentVersion, &r.AgentSource, &r.AgentAsserted, &r.CredentialID,
		&r.PrincipalID, &r.PrincipalSource, &r.TaskID, &r.ConversationID,
	} {
		c.Word(i, s)
	}
}

// codeTotals encodes or decodes the run's fields that are no strings. It reuses the memory of the run's lists.
func codeTotals(c *wire.Coder, r *Run) {
	wire.Small(c, &r.bind.Rule)
	wire.Small(c, &r.Rule)
	wire.Small(c, &r.Confidence)
	wire.Small(c, &r.State)
	wire.Small(c, &r.AgentTrust)
	wire.Small(c, &r.CredentialKind)
	wire.Small(c, &r.PrincipalKind)
	wire.Small(c, &r.PrincipalTrust)
	wire.Small(c, &r.CallerKind)
	wire.Small(c, &r.TaskTrust)
	c.SparseArray(r.ParentRunID[:])
	c.SparseArray(r.TraceID[:])
	c.Int(&r.StartedAt)
	c.Int(&r.LastAt)
	c.Int(&r.lastEnd)
	c.Int(&r.closedAt)
	for _, v := range [...]*uint64{
		&r.Calls, &r.Errors, &r.Denied, &r.Irreversible, &r.Unsafe, &r.BytesOut,
		&r.TokensIn, &r.TokensOut, &r.LateCalls, &r.SampledCalls, &r.Emitted,
	} {
		c.Uint(v)
	}
	codeDistinct(c, &r.routes)
	codeDistinct(c, &r.resources)
	var refused Distinct
	if r.refused != nil {
		refused = *r.refused
	}
	codeDistinct(c, &refused)
	if !c.Encoding && len(refused.min) > 0 {
		kept := refused
		r.refused = &kept
	}
	n := len(r.traces)
	c.Len(&n, 16)
	if !c.Encoding {
		r.traces = resized(r.traces, n)
	}
	for i := range r.traces {
		c.Array(r.traces[i][:])
	}
	if c.Version >= 8 {
		wire.Small(c, &r.standing)
		if r.standing > schema.StandingEstablished {
			c.Refuse("a standing that does not exist")
		}
	}
	if c.Version >= 12 {
		wire.Num(c, &r.OpenedDay)
	}
}

// ownStrings replaces the run's strings, which alias a stored entry.
func (r *Run) ownStrings() {
	w := &r.actor.part.words
	r.bind = w.key(r.bind)
	for _, s := range [...]*string{&r.Tenant, &r.AgentID, &r.AgentName, &r.AgentVersion, &r.AgentSource, &r.AgentAsserted, &r.CredentialID,
		&r.PrincipalID, &r.PrincipalSource} {
		*s = w.of(*s)
	}
	for _, s := range [...]*string{&r.RunKey, &r.TaskID, &r.ConversationID} {
		v := *s
		*s = ""
		r.setOwn(s, v)
	}
}

func codeAttachment(c *wire.Coder, r *Run, attach func() Attachment) {
	if c.Version < 2 {
		return
	}
	codeAlarm(c, r)
	codeAttached(c, &r.Attached, attach, "a run")
}

func codeAlarm(c *wire.Coder, r *Run) {
	c.Int(&r.TrippedAt)
	c.Float(&r.Score)
	wire.Small(c, &r.Level)
}

func codeAttached(c *wire.Coder, a *Attachment, attach func() Attachment, of string) {
	has := *a != nil
	c.Bool(&has)
	if !has {
		return
	}
	if !c.Encoding {
		if attach == nil {
			c.Refuse(of + " with the state of a stage that this partition does not have")
			return
		}
		*a = attach()
	}
	(*a).Code(c)
}

// resized returns a list of n elements, of any values, in the memory of a list if there is room.
func resized[T any](list []T, n int) []T {
	if n > cap(list) {
		return make([]T, n)
	}
	return list[:n]
}

func codeDistinct(c *wire.Coder, d *Distinct) {
	c.Bool(&d.full)
	n := len(d.min)
	c.Len(&n, 8)
	if !c.Encoding {
		d.min = resized(d.min, n)
	}
	for i := range d.min {
		c.Fixed64(&d.min[i])
	}
}
