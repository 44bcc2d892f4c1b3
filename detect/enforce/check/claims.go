package check

import (
	"errors"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// claims writes commands to the log before an answer and waits for their results: probes, uses of
// grants, and questions.
type claims struct {
	o      *Options
	m      *metrics
	limits *questionLimits
}

// gate holds a call until a person has granted it.
func (c *claims) gate(e *evaluation) {
	a := &e.a
	switch {
	case a.overShare && (e.usable || e.grant == nil):
		a.why = ledger.WhyShareExceeded
	case e.usable:
		c.useGrant(e)
	case e.grant != nil:
		a.gate = e.grant.ID
		switch e.grant.State {
		case schema.GateRefused:
			a.action, a.why = schema.ActionDeny, whyRefused
		case schema.GateTimedOut:
			a.action, a.why = schema.ActionDeny, whyTimedOut
		}
	default:
		c.ask(e)
	}
}

// useGrant claims one use of a grant.
func (c *claims) useGrant(e *evaluation) {
	a := &e.a
	a.gate = e.grant.ID
	r, err := c.claim(a.standing, &schema.Command{ID: point.NewCommandID("u_"), Kind: schema.CommandUse, Tenant: e.decided.Tenant,
		By: c.o.Name, Reason: e.decided.RequestID, Gate: &schema.Gate{ID: e.grant.ID}})
	switch {
	case err != nil:
		a.why = whyUnanswered(a.standing, err)
	case r.Code == enforce.GrantUsed:
		a.action, a.why = schema.ActionAnnotate, whyGranted
	default: // another call used the grant first; the next call creates a new question
		a.why = whyGatePending
	}
}

// ask writes the question about the call to the log and waits for its result.
func (c *claims) ask(e *evaluation) {
	a := &e.a
	why := a.why
	if e.query.BodyTruncated && c.hasGrant(&e.query) {
		why, a.why = whyBodyCut, whyBodyCut
	}
	place := e.query.Tenant + "\x00" + e.query.Holder + "\x00" + e.query.Route
	switch c.limits.allow(place, a.standing, c.o.Now(), time.Second) {
	case askedBefore:
		return
	case tooManyQuestions:
		c.m.full.WithLabelValues(a.standing.String(), "questions").Inc()
		if a.why = whyGateFull; a.standing == schema.StandingClaimed {
			a.why = ledger.WhyShareExceeded
		}
		return
	}
	r, err := c.claim(a.standing, c.question(e, why, schema.ModeArmed))
	switch {
	case errors.Is(err, point.ErrTooManyClaims):
		a.why = whyUnanswered(a.standing, err)
	case err != nil:
	case r.Code == enforce.TooManyQuestions:
		a.why = whyGateFull
	default:
		a.gate = r.Ref
	}
}

func (c *claims) hasGrant(q *approval.Query) bool {
	v := c.o.State.Acquire()
	defer v.Release()
	return v.Approvals.HasGrant(q)
}

// whyUnanswered returns the named reason of a claim without a result.
func whyUnanswered(standing schema.Standing, err error) string {
	switch {
	case !errors.Is(err, point.ErrTooManyClaims):
		return whyNoAnswer
	case standing == schema.StandingClaimed:
		return ledger.WhyShareExceeded
	}
	return whyBusy
}

// claim calls Log.Claim and counts the result.
func (c *claims) claim(standing schema.Standing, command *schema.Command) (enforce.Result, error) {
	r, err := c.o.Log.Claim(standing, command)
	outcome := string(r.Code)
	switch {
	case errors.Is(err, point.ErrTooManyClaims):
		outcome = "too_many"
		c.m.full.WithLabelValues(standing.String(), "claims").Inc()
	case errors.Is(err, point.ErrLogUnreachable):
		outcome = "log_away"
	case errors.Is(err, point.ErrNotOpen):
		return r, err
	case err != nil:
		outcome = "not_in_time"
	}
	c.m.claims.WithLabelValues(command.Kind.String(), outcome).Inc()
	return r, err
}

// probe claims the right to pass a half-open breaker.
func (c *claims) probe(a *answer) {
	b := a.breaker
	if a.overShare {
		a.why = ledger.WhyShareExceeded
		return
	}
	r, err := c.claim(a.standing, &schema.Command{ID: point.NewCommandID("p_"), Kind: schema.CommandProbe, Tenant: b.Tenant,
		Scope: b.Scope, IfMatch: b.Generation, By: c.o.Name})
	switch {
	case err != nil:
		a.why = whyUnanswered(a.standing, err)
	case r.Code == enforce.Applied:
		a.action, a.why = schema.ActionAnnotate, breaker.WhyProbe
	default:
		a.why = whyProbeLost
	}
}
