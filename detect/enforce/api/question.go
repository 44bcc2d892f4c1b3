package api

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// gateQuery is what a yes to a call must be of: everything that is known of it.
func (c *Control) gateQuery(in *request, call *schema.Call, run schema.RunID) approval.Query {
	q := approval.Query{Tenant: call.Tenant, Route: ledger.RouteOf(call), Holder: "agent:" + call.AgentID, Resource: resourceOf(call)}
	if call.AgentTrust < schema.TrustInfrastructure { // whoever only claims the name is somebody else
		q.Holder = "claimed:" + call.ClientIP.String() + "/" + call.AgentID
	}
	switch {
	case !run.IsZero():
		q.Holder = "run:" + run.String()
	case call.CredentialID != "":
		q.Holder = "credential:" + call.CredentialID
	}
	q.Amount, q.Currency = manifest.AmountAsWritten(call)
	q.BodyTruncated = in.cut
	q.ArgsDigest = strconv.FormatUint(call.ArgsDigest, 16) + "-" + strconv.FormatUint(call.BytesIn, 10)
	if in.cut {
		q.ArgsDigest += "-cut"
	}
	if in.override != "" {
		q.ArgsDigest += "-" + strconv.FormatUint(c.o.Routes.Digest(in.override), 16)
	}
	if rest := queryWithout(in.query, call.Resources); rest != "" {
		q.QueryDigest = strconv.FormatUint(c.o.Routes.Digest(rest), 16)
	}
	return q
}

// queryWithout is a query without what names resources: a wider yes is of others.
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

// gate holds a call until a person has said yes to it.
func (c *Control) gate(a *answer, call *schema.Call, run schema.RunID, sofar schema.Exposure, asks approval.Query, have *schema.Gate, usable bool) {
	why := a.why
	switch {
	case a.crowded && (usable || have == nil):
		a.why = ledger.WhyShareExceeded
		return
	case usable:
		r, err := c.claim(a.standing, &schema.Command{ID: newID("u_"), Kind: schema.CommandUse, Tenant: call.Tenant, By: c.o.Name, Reason: call.RequestID, Gate: &schema.Gate{ID: have.ID}})
		a.gate = have.ID
		switch {
		case err != nil:
			a.why = unanswered(a.standing, err)
		case r.Code == enforce.GrantUsed:
			a.action, a.why = schema.ActionAnnotate, whyGranted
		default: // another call was first: the next one asks again
			a.why = whyGatePending
		}
		return
	case have != nil:
		a.gate = have.ID
		switch have.State {
		case schema.GateRefused:
			a.action, a.why = schema.ActionDeny, whyRefused
		case schema.GateTimedOut:
			a.action, a.why = schema.ActionDeny, whyTimedOut
		default:
			a.why = why
		}
		return
	}
	if asks.BodyTruncated {
		c.mu.RLock()
		if c.state.Approvals.HasGrant(&asks) {
			why, a.why = whyBodyCut, whyBodyCut
		}
		c.mu.RUnlock()
	}
	place := asks.Tenant + "\x00" + asks.Holder + "\x00" + asks.Route
	switch c.asks.first(place, a.standing, c.o.Now(), time.Second) {
	case askedBefore:
		return
	case askFull:
		c.m.full.WithLabelValues(a.standing.String(), "questions").Inc()
		if a.why = whyGateFull; a.standing == schema.StandingClaimed {
			a.why = ledger.WhyShareExceeded
		}
		return
	}
	r, err := c.claim(a.standing, c.question(call, run, a.standing, sofar, asks, why, schema.ModeArmed))
	switch {
	case errors.Is(err, errBusy):
		a.why = unanswered(a.standing, err)
	case err != nil:
	case r.Code == enforce.TooManyQuestions:
		a.why = whyGateFull
	default:
		a.gate = r.Ref
	}
}

// unanswered is the named reason of a claim that the log has not answered.
func unanswered(of schema.Standing, err error) string {
	switch {
	case !errors.Is(err, errBusy):
		return whyNoAnswer
	case of == schema.StandingClaimed:
		return ledger.WhyShareExceeded
	}
	return whyBusy
}

func (c *Control) question(call *schema.Call, run schema.RunID, of schema.Standing, sofar schema.Exposure, asks approval.Query, why string, mode schema.Mode) *schema.Command {
	return &schema.Command{ID: newID("a_"), Kind: schema.CommandAsk, Tenant: call.Tenant, By: c.o.Name, Reason: why, Gate: &schema.Gate{
		Holder: asks.Holder, RunID: run, RunKey: call.RunKey, AgentID: call.AgentID, CredentialID: call.CredentialID, PrincipalID: call.PrincipalID, Standing: &of,
		Route: asks.Route, Resource: asks.Resource, Binding: schema.BindingAll, ArgsDigest: asks.ArgsDigest, QueryDigest: asks.QueryDigest,
		Amount: asks.Amount, Currency: asks.Currency, Why: why, SoFar: sofar, Mode: mode}}
}

// observeAgain is how often what would have asked is written down for one holder and route.
const observeAgain = 15 * time.Minute

// wouldAsk writes down, without waiting, that a call would have been held.
func (c *Control) wouldAsk(call *schema.Call, run schema.RunID, of schema.Standing, sofar schema.Exposure, asks approval.Query, d *ledger.Decision) {
	if c.out == nil || c.asks.first("would\x00"+asks.Tenant+"\x00"+asks.Holder+"\x00"+asks.Route, of, c.o.Now(), observeAgain) != askNow {
		return
	}
	c.submitLater(c.question(call, run, of, sofar, asks, d.WouldWhy, schema.ModeObserve))
}
