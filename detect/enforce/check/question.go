package check

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// gateQuery returns what a grant of a call must match: all known properties of the call.
func (r reader) gateQuery(e *evaluation) approval.Query {
	call, run := e.decided, e.req.RunID
	q := approval.Query{Tenant: call.Tenant, Route: call.RouteName(), Holder: "agent:" + call.AgentID, Resource: lastResource(call)}
	if call.AgentTrust < schema.TrustInfrastructure { // a caller that only claims the name is a different holder
		q.Holder = "claimed:" + call.ClientIP.String() + "/" + call.AgentID
	}
	switch {
	case !run.IsZero():
		q.Holder = "run:" + run.String()
	case call.CredentialID != "":
		q.Holder = "credential:" + call.CredentialID
	}
	if e.req.Spellings != nil {
		q.Spellings = e.req.Spellings(call)
	}
	q.Amount, q.Currency = manifest.AmountAsWritten(call)
	q.BodyTruncated = e.q.truncated
	q.ArgsDigest = strconv.FormatUint(call.ArgsDigest, 16) + "-" + strconv.FormatUint(call.BytesIn, 10)
	if e.q.truncated {
		q.ArgsDigest += "-cut"
	}
	if call.Host != "" {
		q.ArgsDigest += "-" + strconv.FormatUint(r.o.Routes.Digest("host "+call.Host), 16)
	}
	if call.Method == schema.OtherMethod {
		q.ArgsDigest += "-" + strconv.FormatUint(r.o.Routes.Digest(e.q.method), 16)
	}
	if e.q.override != "" {
		q.ArgsDigest += "-" + strconv.FormatUint(r.o.Routes.Digest(e.q.override), 16)
	}
	if rest := queryWithout(e.q.query, call.Resources); rest != "" {
		q.QueryDigest = strconv.FormatUint(r.o.Routes.Digest(rest), 16)
	}
	return q
}

// queryWithout returns a query without the parameters that name resources: a grant that a person
// extends to other resources must still match the rest.
func queryWithout(query string, named []schema.Resource) string {
	var out strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		if !slices.ContainsFunc(named, func(r schema.Resource) bool { return r.Source == schema.ProvenanceQuery && r.ID == value }) {
			out.WriteString("&" + pair)
		}
	}
	return strings.Trim(out.String(), "&")
}

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

// question returns the command that asks a person for approval of the call.
func (c *claims) question(e *evaluation, why string, mode schema.Mode) *schema.Command {
	call, q, standing := e.decided, &e.query, e.a.standing
	return &schema.Command{ID: point.NewCommandID("a_"), Kind: schema.CommandAsk, Tenant: call.Tenant, By: c.o.Name, Reason: why,
		Gate: &schema.Gate{Holder: q.Holder, RunID: e.req.RunID, RunKey: call.RunKey, AgentID: call.AgentID,
			CredentialID: call.CredentialID, PrincipalID: call.PrincipalID, Standing: &standing,
			Route: q.Route, Resource: q.Resource, Host: c.shownHost(e), Path: c.shownPath(call), Resources: c.shownResources(call),
			BodyUnseen: e.q.bodyUnseen(),
			Binding:    schema.BindingAll, ArgsDigest: q.ArgsDigest, QueryDigest: q.QueryDigest,
			Amount: q.Amount, Currency: q.Currency, Why: why, SoFar: e.allowed, Mode: mode}}
}

const (
	maxShownPath      = 512 // bytes
	maxShownResources = 10
)

// shownHost returns the host of a call for the person who decides; empty: it is not known, or contains a secret.
func (c *claims) shownHost(e *evaluation) string {
	if c.o.KeptText != nil && c.o.KeptText(e.q.host) != e.q.host {
		return ""
	}
	return e.decided.Host
}

// shownPath returns the path of a call for the person who decides, without secrets.
func (c *claims) shownPath(call *schema.Call) string {
	path := c.withoutSecrets(call.Path)
	if len(path) > maxShownPath {
		path = strings.ToValidUTF8(path[:maxShownPath], "") + "…"
	}
	return path
}

// shownResources returns the resources that a call names, for the person who decides. "order:?" beside them shows that the call
// names more than is read.
func (c *claims) shownResources(call *schema.Call) (out []string) {
	if !slices.ContainsFunc(call.Resources, func(r schema.Resource) bool { return r.ID != "?" }) {
		return nil
	}
	for i, r := range call.Resources {
		if r.ID == "?" && r.Source == schema.ProvenanceNotLogged {
			continue
		}
		if len(out) == maxShownResources {
			out = append(out, fmt.Sprintf("and %d more", len(call.Resources)-i))
			break
		}
		r.ID = c.withoutSecrets(r.ID)
		out = append(out, r.String())
	}
	return out
}

func (c *claims) withoutSecrets(text string) string {
	if c.o.KeptPath == nil {
		return text
	}
	return c.o.KeptPath(text)
}

// recordEvery is the shortest interval between records of questions in mode observe for one holder
// and route.
const recordEvery = 15 * time.Minute

// recordQuestion records, without waiting, that a call would have been held.
func (c *claims) recordQuestion(e *evaluation, why string) {
	if !c.o.Log.IsOpen() {
		return
	}
	place := "would\x00" + e.query.Tenant + "\x00" + e.query.Holder + "\x00" + e.query.Route
	if c.limits.allow(place, e.a.standing, c.o.Now(), recordEvery) == mayAsk {
		c.o.Log.Send(c.question(e, why, schema.ModeObserve), nil)
	}
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
