package policy

import (
	"slices"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

// Exception covers findings of a family about an agent that are intended, such as a nightly purge.
// It prevents decisions on findings and nothing else: manifests, approvals and the kill switch do
// not use it.
type Exception struct {
	Name          string
	Agent, Family string // patterns: billing/*, runaway.*
	// Routes limits the exception to these routes; empty: all routes. A call of another route is
	// not covered, so that a purge that begins to do something else is tripped for that call.
	Routes []route.Pattern
	Hours  *schedule.Compiled // nil: at any hour
	// Expires is the event time, in Unix ns, from which the exception covers nothing.
	Expires       int64
	Approver, Why string
}

// ActiveAt reports whether the exception is in force at an event time, for any caller.
func (e *Exception) ActiveAt(at int64) bool {
	return at < e.Expires && (e.Hours == nil || e.Hours.Contains(at))
}

// matches reports whether the exception covers a finding at a call. It covers only an agent whose
// name the infrastructure established: any caller could use a name that the caller itself asserts. What is learned, ordered or
// declared about routes takes no exception away.
func (e *Exception) matches(f Subject, c *schema.Call) bool {
	return f.Trust >= schema.TrustInfrastructure && matchesPattern(e.Family, f.Family) && matchesPattern(e.Agent, f.Agent) &&
		e.ActiveAt(c.Start) && (len(e.Routes) == 0 || slices.ContainsFunc(e.Routes, func(p route.Pattern) bool { return p.MatchesAnyName(c) }))
}

// Subject is what exceptions are compared with: an agent and the family of a finding about it.
type Subject struct {
	Agent  string
	Trust  schema.Trust // of the agent's name
	Family string
}

// findingSubject returns the subject of a finding.
func findingSubject(f *schema.Finding) Subject { return Subject{f.AgentID, f.AgentTrust, f.Family} }

// exceptionFor returns the first exception that covers a finding at a call, or nil. Expiry and
// hours are compared with the call's event time.
func (r *Rules) exceptionFor(f Subject, c *schema.Call) *Exception {
	if !Exceptable(f.Family) {
		return nil
	}
	for i := range r.Exceptions {
		if e := &r.Exceptions[i]; e.matches(f, c) {
			return e
		}
	}
	return nil
}

// Exceptable reports whether an exception can cover findings of a family. It cannot cover what
// manifests decide, nor the suspicion that a machine uses a person's credential, because that
// finding is not about an established agent, nor the canary.
func Exceptable(family string) bool {
	return !strings.HasPrefix(family, "policy.") && family != schema.FamilyBorrowed && family != schema.FamilyCanary
}

// ExpiresAt returns the event time from which the exception covers nothing.
func (e *Exception) ExpiresAt() time.Time { return time.Unix(0, e.Expires).UTC() }
