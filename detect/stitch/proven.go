package stitch

import (
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
	"flyball/schema/wire"
)

// A credential is proven once the API has accepted provenCalls calls with it over
// provenSpan of event time, in ns.
const (
	provenCalls = 20
	provenSpan  = int64(10 * time.Minute)
	// provenLasts is how long it stays proven without an accepted call.
	provenLasts = int64(7 * 24 * time.Hour)
	// provenIdle is how long a proven actor without runs is kept.
	provenIdle = int64(24 * time.Hour)
	// proofsPerActor bounds the credentials of an actor that are counted. A further credential
	// replaces the unproven one whose last accepted call is the oldest, if there is an unproven
	// one.
	proofsPerActor = 4
	day            = int64(24 * time.Hour)
)

// proof counts how often the API has accepted a credential.
type proof struct {
	credential  uint64 // hash of its id
	first, last int64  // event time of accepted calls, Unix ns
	reportedDay uint32 // day since 1970 on which it was last reported, plus one; 0: never
	calls       uint8  // up to provenCalls
}

func (f *proof) proven(at int64) bool {
	return f.calls >= provenCalls && f.last-f.first >= provenSpan && at-f.last < provenLasts
}

func (a *Actor) findProof(credential uint64) *proof {
	for i := range a.proofs {
		if a.proofs[i].credential == credential {
			return &a.proofs[i]
		}
	}
	return nil
}

// callerStanding returns the standing of a call's caller, from the call and from the actor's
// proofs.
func (a *Actor) callerStanding(c *schema.Call) schema.Standing {
	s := c.Standing()
	if s == schema.StandingEstablished || len(a.proofs) == 0 || c.CredentialID == "" {
		return s
	}
	if f := a.findProof(xxhash.Sum64String(c.CredentialID)); f != nil && f.proven(c.Start) {
		return schema.StandingProven
	}
	return s
}

// StoppedByFlyball reports whether a row is about a call that did not reach the API: the row is
// from the check itself, or Flyball denied the call. Such a row is no evidence of what the caller
// does.
func StoppedByFlyball(c *schema.Call) bool {
	return c.ObserverKind == schema.ObserverGate || c.Outcome == schema.OutcomeDenied && (c.DeniedBy == "flyball" || c.DeniedBy == "ext_authz")
}

// accepted reports whether the API accepted the credential of a call, as logged by an observer
// other than the caller. The answer of a rate limit or a proxy is no evidence of that.
func accepted(c *schema.Call) bool {
	if c.Duplicate || StoppedByFlyball(c) || c.ObserverKind == schema.ObserverClient || c.ObserverKind == schema.ObserverAgentRuntime {
		return false
	}
	return c.Status >= 200 && c.Status < 500 && c.Status != 401 && c.Status != 403 && c.Status != 407 && c.Status != 429
}

// countAccepted counts an accepted call of a credential that is not established otherwise.
func (a *Actor) countAccepted(c *schema.Call) {
	if c.CredentialID == "" || c.CredentialTrust >= schema.TrustInfrastructure || !accepted(c) {
		return
	}
	id := xxhash.Sum64String(c.CredentialID)
	f := a.findProof(id)
	switch {
	case f == nil:
		if f = a.freeProof(c.Start); f == nil {
			return
		}
		*f = proof{credential: id, first: c.Start, last: c.Start}
	case c.Start-f.last >= provenLasts:
		*f = proof{credential: id, first: c.Start, last: c.Start, reportedDay: f.reportedDay}
	}
	f.first, f.last = min(f.first, c.Start), max(f.last, c.Start)
	f.calls = min(f.calls+1, provenCalls)
}

// freeProof returns a proof that another credential may use; nil: all counted credentials are
// proven.
func (a *Actor) freeProof(at int64) *proof {
	if len(a.proofs) < proofsPerActor {
		grown := make([]proof, len(a.proofs)+1) // nearly every actor has only one, so it grows by one
		copy(grown, a.proofs)
		a.proofs = grown
		return &grown[len(grown)-1]
	}
	var oldest *proof
	for i := range a.proofs {
		if f := &a.proofs[i]; !f.proven(at) && (oldest == nil || f.last < oldest.last) {
			oldest = f
		}
	}
	return oldest
}

// ProvenToday reports whether a call's credential is proven and was not yet reported on the day of
// the call, and records that it is reported now.
func (a *Actor) ProvenToday(c *schema.Call) bool {
	if len(a.proofs) == 0 || c.CredentialID == "" || c.CredentialTrust >= schema.TrustInfrastructure || !accepted(c) {
		return false
	}
	f, today := a.findProof(xxhash.Sum64String(c.CredentialID)), uint32(c.Start/day)+1
	if f == nil || f.reportedDay >= today || !f.proven(c.Start) {
		return false
	}
	f.reportedDay = today
	return true
}

// rememberedIdle reports whether an actor without runs is kept because it is proven.
func (a *Actor) rememberedIdle(watermark int64) bool {
	return a.standing == schema.StandingProven && slices.ContainsFunc(a.proofs, func(f proof) bool {
		return f.proven(watermark) && watermark-f.last < provenIdle
	})
}

func codeProofs(c *wire.Coder, a *Actor) {
	wire.Small(c, &a.standing)
	n := len(a.proofs)
	c.Len(&n, 12)
	if !c.Encoding && n > proofsPerActor || a.standing > schema.StandingEstablished {
		c.Refuse("a standing that does not exist or more credentials than are counted")
		return
	}
	if !c.Encoding && n > 0 {
		a.proofs = make([]proof, n)
	}
	for i := range a.proofs {
		f := &a.proofs[i]
		c.Fixed64(&f.credential)
		c.Int(&f.first)
		c.Int(&f.last)
		wire.Num(c, &f.reportedDay)
		wire.Small(c, &f.calls)
	}
}
