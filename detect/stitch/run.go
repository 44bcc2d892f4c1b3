package stitch

import (
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// Run is an open run, or one that was closed a short time ago.
type Run struct {
	schema.RunSnapshot

	*slot
	bind      bindKey
	routes    Distinct
	resources Distinct
	refused   *Distinct // of an overflow run: the keys of runs that were above the limit; nil: none
	traces    [][16]byte
	sightings []sighting   // of calls that another observer may also log; a ring buffer when full
	pending   []pendingRow // rows of the check that no line has answered, oldest first
	frozen    string       // while the run is frozen: Attached and sightings, encoded
	lastEnd   int64        // latest end of a call: silence is measured from it
	closedAt  int64        // watermark at which it was closed

	storedRound    uint32          // freezer.round when it was stored last
	oldestSighting uint16          // index of the oldest sighting in the ring buffer
	waits          bool            // it is in checkRows.waiting
	unstored       bool            // it is in Actor.unstored
	changed        bool            // it is in Partition.changed
	standing       schema.Standing // the pool in which it is counted while it is open

	// TrippedAt is the event time of the run's last trip, Unix ns; 0 none. Trip sets it.
	TrippedAt int64
	// Attached is the state that a later stage keeps for the run. It is stored with it.
	Attached Attachment

	// Emitted is the Version of the snapshot that was written last.
	Emitted uint64
}

// Standing returns the standing of the run's caller: the highest that one of its calls had.
func (r *Run) Standing() schema.Standing { return r.standing }

func (r *Run) version() uint64 {
	v := 2 * r.Calls
	if r.State == schema.RunClosed {
		v++
	}
	return v
}

// markUnstored notes that the run differs from its stored version.
func (r *Run) markUnstored() {
	if !r.unstored && !r.evicted {
		r.unstored = true
		r.actor.unstored = append(r.actor.unstored, r)
	}
}

// OtherPrincipal reports whether the run is a second run of its key, because a call under the key
// had another verified principal.
func (r *Run) OtherPrincipal() bool {
	return r.bind.Principal != "" && r.Rule != schema.RunSession && r.Rule != schema.RunConversation
}

// Snapshot returns the current totals of the run.
func (r *Run) Snapshot() schema.RunSnapshot {
	s := r.RunSnapshot
	s.Version = r.version()
	s.DistinctRoutes = r.routes.Count()
	s.DistinctResources = r.resources.Count()
	if r.refused != nil {
		s.OverflowKeys = uint64(r.refused.Count())
	}
	return s
}

// Attachment is the state that a later stage keeps for a run or an actor.
type Attachment interface {
	// Code encodes or decodes the state.
	Code(c *wire.Coder)
}

// Reusable is an Attachment that can be read into again.
type Reusable interface {
	Attachment
	// Reset removes what the next Code does not overwrite.
	Reset()
}

// Noticer is an Attachment that may have a finding. A run with a finding is not frozen, and is not closed early.
type Noticer interface {
	// HasFinding reports whether the run has a finding, or had one.
	HasFinding() bool
}

// isNoticed reports whether the run has, or had, a trip, a finding or the level of an alert.
func (r *Run) isNoticed() bool {
	f, ok := r.Attached.(Noticer)
	r.slot.noticed = r.slot.noticed || r.TrippedAt > 0 || r.Level >= schema.LevelAlert || ok && f.HasFinding()
	return r.slot.noticed
}

// maxCallDuration bounds how far a logged duration can move the end of a run.
const maxCallDuration = int64(24 * time.Hour)

func (r *Run) gap(l *Limits) time.Duration { return l.gap(r.Rule) }

func (l *Limits) gap(rule schema.RunRule) time.Duration {
	switch rule {
	case schema.RunSession:
		return l.SessionGap
	case schema.RunConversation:
		return l.ConversationGap
	default:
		return l.RunGap
	}
}

// withinGap reports whether a call that starts at a time is within a gap of the
// run, on either side: late calls join the run that they were part of.
func (r *Run) withinGap(start int64, gap time.Duration) bool {
	return start >= r.StartedAt-int64(gap) && start <= r.lastEnd+int64(gap)
}

// extend moves the run's times to include a call.
func (r *Run) extend(c *schema.Call) {
	if r.StartedAt == 0 || c.Start < r.StartedAt {
		r.StartedAt = c.Start
	}
	if r.LastAt == 0 || c.Start > r.LastAt {
		r.LastAt = c.Start
	}
	if end := c.Start + min(max(c.DurationNs, 0), maxCallDuration); r.lastEnd == 0 || end > r.lastEnd {
		r.lastEnd = end
	}
}

// add applies a call to the run's totals.
func (r *Run) add(c *schema.Call) {
	r.extend(c)
	if c.ObserverKind == schema.ObserverGate {
		// The check's row shows what was requested, not what was done: the call is counted when the
		// gateway or the service logs it, or when nobody has logged it in time.
		r.identify(c)
		return
	}
	r.count(c)
	r.identify(c)
}

// count adds a call that counts to the run's totals.
func (r *Run) count(c *schema.Call) {
	r.Calls++
	r.addOutcome(c)
	if c.Reversibility == schema.Irreversible {
		r.Irreversible++
	}
	if c.Effect > schema.EffectRead {
		r.Unsafe++
	}
	if c.SampleWeight > 1 {
		r.SampledCalls++
	}
	if c.Late {
		r.LateCalls++
	}
	r.routes.Add(schema.HashStrings(c.Method, c.RouteKey), routeSketch)
	r.addResources(c)
}

// addOutcome adds how a call ended to the run's totals.
func (r *Run) addOutcome(c *schema.Call) {
	if c.Failed() {
		r.Errors++
	}
	if c.Outcome == schema.OutcomeDenied {
		r.Denied++
	}
	r.BytesOut += c.BytesOut
	r.TokensIn += uint64(c.TokensIn)
	r.TokensOut += uint64(c.TokensOut)
}

func (r *Run) addResources(c *schema.Call) {
	for i := range c.Resources {
		if id := c.Resources[i].ID; id != "?" && id != "*" {
			r.resources.Add(schema.HashStrings(c.Resources[i].Type, id), resourceSketch)
		}
	}
}

// identify keeps the most trusted value of each field of identity; among equally trusted values the
// first.
func (r *Run) identify(c *schema.Call) {
	words := &r.actor.part.words
	if c.AgentID != "" && (r.AgentID == "" || c.AgentTrust > r.AgentTrust) {
		if r.AgentID != c.AgentID {
			r.AgentID = words.of(c.AgentID)
		}
		r.AgentSource, r.AgentTrust = words.of(c.AgentSource), c.AgentTrust
	}
	words.setIfEmpty(&r.AgentName, c.AgentName)
	words.setIfEmpty(&r.AgentVersion, c.AgentVersion)
	words.setIfEmpty(&r.AgentAsserted, c.AgentAsserted)
	if r.CredentialID == "" && c.CredentialID != "" {
		r.CredentialID, r.CredentialKind = words.of(c.CredentialID), c.CredentialKind
	}
	if c.PrincipalID != "" && (r.PrincipalID == "" || c.PrincipalTrust > r.PrincipalTrust) {
		r.PrincipalID, r.PrincipalKind = words.of(c.PrincipalID), c.PrincipalKind
		r.PrincipalSource, r.PrincipalTrust = words.of(c.PrincipalSource), c.PrincipalTrust
	}
	if r.CallerKind == schema.CallerUnknown {
		r.CallerKind = c.CallerKind
	}
	if c.TaskID != "" && (r.TaskID == "" || c.TaskTrust > r.TaskTrust) {
		r.TaskID, r.TaskTrust = strings.Clone(c.TaskID), c.TaskTrust
	}
	r.setOwn(&r.ConversationID, c.ConversationID)
	r.setOwn(&r.RunKey, c.RunKey)
	if r.TraceID == [16]byte{} {
		r.TraceID = c.TraceID
	}
	if c.AgentSpan && r.Rule == schema.RunTrace {
		// The spans of a trace arrive children first: the run belongs to the trace from the start,
		// and only this span shows that its root is an agent span.
		r.Rule, r.Confidence = schema.RunAgentSpan, confidence[schema.RunAgentSpan]
	}
}

// setOwn sets an empty field to a value that no other run has; the run's key may be the same string.
func (r *Run) setOwn(field *string, v string) {
	switch {
	case *field != "" || v == "":
	case v == r.bind.Key:
		*field = r.bind.Key
	default:
		*field = strings.Clone(v)
	}
}

// confidence is a rating from 0 to 100 of how likely a call bound by a rule is in the right run.
var confidence = [...]uint8{
	schema.RunExplicit: 95, schema.RunAgentSpan: 95, schema.RunTrace: 85,
	schema.RunConversation: 75, schema.RunSession: 50, schema.RunOverflow: 5, schema.RunGate: 95,
}
