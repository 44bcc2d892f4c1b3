package policy

import (
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

// Exception says that what a family finds about an agent is meant: the nightly purge
// by agent X. It lifts decisions of the detector, and nothing else: manifests, their
// gates and the kill switch do not know of it.
type Exception struct {
	Name          string
	Agent, Family string // patterns: billing/*, runaway.*
	// Routes on which it is meant; empty: on any. A call elsewhere is not covered,
	// so that a purge that begins to do something else is tripped for that.
	Routes []route.Pattern
	Hours  *schedule.Compiled // nil: at any hour
	// Expires is the event time (Unix ns) from which it holds no more.
	Expires       int64
	Approver, Why string
}

// ActiveAt reports whether the exception holds at an event time, whoever calls.
func (e *Exception) ActiveAt(at int64) bool {
	return at < e.Expires && (e.Hours == nil || e.Hours.Contains(at))
}

// covers reports whether a finding is meant at a call. Only an agent whose name the
// infrastructure established is covered: whoever could take cover by saying that he
// is the purge would.
func (e *Exception) covers(f Subject, c *schema.Call) bool {
	return f.Trust >= schema.TrustInfrastructure && matchesPattern(e.Family, f.Family) && matchesPattern(e.Agent, f.Agent) &&
		e.ActiveAt(c.Start) && (len(e.Routes) == 0 || route.AnyMatches(e.Routes, c))
}

// Subject is what exceptions are about: a family's finding about an agent.
type Subject struct {
	Agent  string
	Trust  schema.Trust // of the agent's name
	Family string
}

// FindingSubject a finding.
func FindingSubject(f *schema.Finding) Subject { return Subject{f.AgentID, f.AgentTrust, f.Family} }

// ExceptionFor is the first exception that covers a finding at a call; nil: none does.
// Expiry and hours are judged by the call's event time.
func (r *Rules) ExceptionFor(f Subject, c *schema.Call) *Exception {
	if !Exceptable(f.Family) {
		return nil
	}
	for i := range r.Exceptions {
		if e := &r.Exceptions[i]; e.covers(f, c) {
			return e
		}
	}
	return nil
}

// Exceptable reports whether a family can be excepted: what manifests decide cannot,
// nor a suspicion that a person's credential is borrowed, which is of no established agent.
func Exceptable(family string) bool {
	return !strings.HasPrefix(family, "policy.") && family != schema.FamilyBorrowed
}

// ExpiresAt is when an exception holds no more.
func (e *Exception) ExpiresAt() time.Time { return time.Unix(0, e.Expires).UTC() }
