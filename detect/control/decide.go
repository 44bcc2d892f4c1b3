package control

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/detect/baseline"
	"flyball/detect/breaker"
	"flyball/detect/gate"
	"flyball/detect/ledger"
	"flyball/detect/manifest"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// request is what a gateway asks about, whatever way it asks.
type request struct {
	method, path string // path with the query
	host         string
	headers      identity.Headers
	client       netip.Addr
	body         []byte // what the gateway showed of it, at most one byte more than MaxBody
	// joined are all values of a header, comma-joined; nil: headers does that.
	joined identity.Headers

	// What read makes of it besides the call.
	query    string
	override string        // the other methods that its headers name, comma-joined
	others   []route.Other // the call as a server may also read it
	readable bool
	cut      bool // more of the body is there than was shown
}

// MaxBody is how much of a body is read for amounts and arguments.
const MaxBody = 8 << 10

// answer to it.
type answer struct {
	status   int // 200, 403, 503
	action   schema.Action
	why      string
	would    string // the reason that would have decided if it were armed; empty: none
	decision string
	run      string // set only when the request named its run
	receipt  string
	gate     string // the question that was asked
	stale    bool
	breaker  *schema.Breaker
	clock    int64   // the log's, when it was decided: breakers expire by it
	perSec   float64 // what a throttled scope may do at this point
	weighed  ledger.Decision
	line     string
	standing schema.Standing // of the caller
	crowded  bool            // see ledger.Request.Crowded
}

// Named reasons of this package.
const (
	whyNotLoaded   = "not_loaded"
	whyGranted     = "granted"
	whyGateFull    = "too_many_questions"
	whyNoAnswer    = "claim_not_in_time"
	whyBusy        = "too_many_claims"
	whyProbeLost   = "half_open_probe_lost"
	whyRefused     = "gate_refused"
	whyTimedOut    = "gate_timed_out"
	whyGatePending = "gate_pending"
	// The log does not answer, so that nobody knows what is left of a quota: the
	// failure mode decides. It belongs to the family of failure modes.
	whyQuotaAway  = "policy.failure:quota_log_away"
	whyQuotaLate  = "policy.quota:claim_not_in_time"
	whyQuotaCrowd = "policy.quota:too_many_claims"
	// whyBodyCut: somebody said yes to such a call, and whether it is this one cannot be
	// told, as the gateway shows only a part of its body.
	whyBodyCut = "gate_body_cut"
	// whyInternal: the check itself went wrong; see the log.
	whyInternal = "internal_error"
)

// guarded is what reading and checking a request came to. What goes wrong inside is a
// denial: a gateway takes silence for an outage, and a caller must not be able to bring
// one about.
func (c *Control) guarded(do func() answer) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = c.failed(p)
		}
	}()
	return do()
}

// check answers from memory. It waits only where it must claim something.
func (c *Control) check(q *request) answer {
	began := c.o.Now()
	defer func() { c.m.took.Observe(c.o.Now().Sub(began).Seconds()) }()
	call, shown, asserted, problem := c.read(q)
	req := ledger.Request{Call: &call, Credentials: shown.Credentials, Claimed: shown.Claimed, Armed: c.o.Armed, Tags: c.o.Tags,
		AskWithout: c.o.AskWithout || c.o.Learning != nil && c.o.Learning(baseline.AgentKey(call.AgentID, call.AgentTrust)), AssertedType: asserted}
	if c.o.Scopes != nil {
		req.Scopes = c.o.Scopes()
	}
	if call.RunKey != "" {
		run := schema.RunIdentity{Tenant: call.Tenant, RoutingActor: call.RoutingKey, Credential: call.CredentialID, Rule: schema.RunExplicit, Key: call.KeyOfRun()}
		req.RunID = run.ID()
		for _, run.Key = range call.KeysOfParents() {
			req.Parents = append(req.Parents, run.ID())
		}
	}
	id := rand.Uint64()
	a := answer{status: http.StatusOK, decision: decisionID(id)}
	c.sign(&a, &call, id, q)
	if problem != nil {
		a.status, a.action, a.why = http.StatusForbidden, schema.ActionDeny, problem.Error()
		call.Status, call.Outcome, call.DeniedBy = http.StatusForbidden, schema.OutcomeDenied, "flyball"
		c.m.refused.Add(1)
		c.count(&a)
		c.observe(&call, &a)
		return a
	}
	c.mu.RLock()
	loaded, clock := c.loaded, c.state.Clock
	a.standing = c.state.StandingOf(&call)
	c.mu.RUnlock()
	if !loaded {
		a.status, a.why = http.StatusServiceUnavailable, whyNotLoaded
		c.count(&a)
		return a
	}
	var sofar schema.Exposure
	if a.standing == schema.StandingClaimed && !c.work.enter() {
		a.crowded, req.Crowded = true, true
		c.m.full.WithLabelValues(a.standing.String(), "work").Inc()
	} else {
		req.RunFirstSeen, sofar = c.seen.meet(req.RunID, a.standing, clock, &call)
		c.identities.note(&call, a.standing)
	}

	d, weighed, asks, yes, usable := c.weigh(q, &req, clock, a.standing == schema.StandingClaimed && !a.crowded)
	a.clock, a.perSec = clock, c.o.ThrottleTo
	a.action, a.why, a.breaker, a.stale, a.line, a.weighed = d.Action, d.Why, d.Breaker, req.Away, d.Line, d
	if !req.RunID.IsZero() {
		a.run = req.RunID.String()
	}
	if d.Probe && d.Action == schema.ActionDeny {
		c.probe(&a)
	}
	if d.Action == schema.ActionThrottle && c.throttles.allow(d.Breaker, c.o.Now()) {
		a.action = schema.ActionAnnotate
	}
	if a.action < schema.ActionThrottle || usable {
		c.spendAll(&a, &req, weighed, &asks, &yes, &usable, clock)
	}
	if a.action == schema.ActionGate {
		c.gate(&a, weighed, req.RunID, sofar, asks, yes, usable)
	} else if d.Action < schema.ActionGate && d.Would == schema.ActionGate && !a.crowded {
		c.wouldAsk(weighed, req.RunID, a.standing, sofar, asks, &d)
	}
	route.Worsen(&call, q.others, q.readable)
	if d.Task != nil && d.Task.Over(clock) {
		c.tell(c.late.note(&call, d.Task, req.RunID, clock))
	}
	if d.Would > a.action {
		a.would = d.Would.String() + " " + d.WouldWhy
	}
	if a.action >= schema.ActionThrottle {
		a.status = http.StatusForbidden
		call.Status, call.Outcome, call.DeniedBy = http.StatusForbidden, schema.OutcomeDenied, "flyball"
		c.m.refused.Add(1)
		if a.breaker != nil {
			c.traces.denied(a.breaker.Generation, c.o.Now().UnixNano())
		}
	} else {
		c.seen.passed(req.RunID, a.standing, call.Reversibility == schema.Irreversible)
	}
	c.count(&a)
	if !a.crowded {
		c.observe(&call, &a)
	}
	return a
}

// weigh decides on a request, by all of its readings, and looks for a yes to it. working:
// the call has a place in the share of claimed callers, which it gives back.
func (c *Control) weigh(q *request, req *ledger.Request, clock int64, working bool) (d ledger.Decision, weighed *schema.Call, asks gate.Query, yes *schema.Gate, usable bool) {
	if working {
		defer c.work.leave()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	req.Away = c.stale()
	d = c.state.Decide(req)
	weighed = req.Call
	if len(q.others) > 0 || !q.readable {
		weighed = c.weighOthers(req, &d, q)
		req.Call = weighed
	}
	if d.Action == schema.ActionGate || d.Would == schema.ActionGate || len(d.Spends) > 0 {
		asks = c.gateQuery(q, weighed, req.RunID)
	}
	if d.Action == schema.ActionGate {
		yes, usable = c.state.Gates.Find(&asks, clock)
	}
	return d, weighed, asks, yes, usable
}

// failed is the answer where the check itself went wrong.
func (c *Control) failed(p any) answer {
	a := answer{status: http.StatusForbidden, action: schema.ActionDeny, why: whyInternal, decision: decisionID(rand.Uint64())}
	c.m.panics.Inc()
	c.m.refused.Add(1)
	c.count(&a)
	if c.panicked.due(c.o.Now()) {
		c.o.Logger.Error("a check went wrong; the request was denied", "decision", a.decision, "error", p, "stack", string(debug.Stack()))
	}
	return a
}

// sign gives the answer its receipt.
func (c *Control) sign(a *answer, call *schema.Call, id uint64, q *request) {
	var decision [8]byte
	binary.LittleEndian.PutUint64(decision[:], id)
	var err error
	if a.receipt, err = c.o.Resolver.Sign(call, decision, q.method, q.path); err != nil {
		c.m.unsigned.Inc()
	}
}

// read makes a call of a request by the rules of the log side. The error is a named
// reason to refuse the request.
func (c *Control) read(q *request) (call schema.Call, shown identity.Shown, assertedType string, problem error) {
	now := c.o.Now()
	call = schema.Call{ObserverKind: schema.ObserverGate, Observer: "flyball", Format: "check/1", Start: now.UnixNano(), KafkaTime: now.UnixNano(), DurationNs: -1,
		TSPrecision: schema.PrecisionNano, TSBasis: schema.BasisStart, OpKind: schema.OpHTTP, Method: strings.ToUpper(q.method), Host: strings.ToLower(q.host)}
	path, query, _ := strings.Cut(q.path, "?")
	call.Path, q.query = path, query
	if n, err := strconv.ParseUint(q.headers("content-length"), 10, 63); err == nil {
		call.BytesIn = n
	}
	for _, h := range c.o.Routes.MoneyHeaders() {
		if v := q.all(h); v != "" {
			call.Note("header."+h, v)
		}
	}
	shown, problem = c.o.Resolver.ResolveRequest(q.headers, query, q.client, &call)
	q.override = q.overrides()
	in := route.Input{RawQuery: query, MethodOverride: q.override}
	if q.cut = q.partial(); q.cut {
		in.Form = q.body[:min(len(q.body), MaxBody)] // no amount and no tool is read of a part
	} else if len(q.body) > 0 {
		in.ReadBody(call.Method, q.body)
	}
	q.others, q.readable = c.o.Routes.Readings(&call, &in)
	call.Path = path[:min(len(path), schema.MaxPath)]
	return call, shown, q.headers("x-task-type"), problem
}

// gateQuery is what a yes to a call must be of: everything that is known of it.
func (c *Control) gateQuery(in *request, call *schema.Call, run schema.RunID) gate.Query {
	q := gate.Query{Tenant: call.Tenant, Route: ledger.RouteOf(call), Holder: "agent:" + call.AgentID, Resource: resourceOf(call)}
	if call.AgentTrust < schema.TrustInfrastructure { // whoever only claims the name is somebody else
		q.Holder = "claimed:" + call.ClientIP.String() + "/" + call.AgentID
	}
	switch {
	case !run.IsZero():
		q.Holder = "run:" + run.String()
	case call.CredentialID != "":
		q.Holder = "credential:" + call.CredentialID
	}
	q.Amount, q.Currency = manifest.Money(call)
	q.Cut = in.cut
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

// probe claims the right to pass a half-open breaker.
func (c *Control) probe(a *answer) {
	b := a.breaker
	if a.crowded {
		a.why = ledger.WhyCrowded
		return
	}
	r, err := c.claim(a.standing, &schema.Command{ID: newID("p_"), Kind: schema.CommandProbe, Tenant: b.Tenant, Scope: b.Scope, IfMatch: b.Generation, By: c.o.Name})
	switch {
	case err != nil:
		a.why = unanswered(a.standing, err)
	case r.Outcome == string(breaker.Applied):
		a.action, a.why = schema.ActionAnnotate, breaker.WhyProbe
	default:
		a.why = whyProbeLost
	}
}

// spendAll takes what a call costs out of its quotas. What a quota refuses is
// denied, or asks.
func (c *Control) spendAll(a *answer, req *ledger.Request, call *schema.Call, asks *gate.Query, yes **schema.Gate, usable *bool, clock int64) {
	d := &a.weighed
	for i := range d.Spends {
		s := &d.Spends[i]
		over, why := s.Over, s.Why
		if a.crowded {
			why = ledger.WhyCrowded
		} else {
			switch c.spend(a.standing, call.Tenant, d.ManifestOf, s) {
			case spendDone:
				continue
			case spendLate:
				why = whyQuotaLate
			case spendCrowd:
				c.m.full.WithLabelValues(a.standing.String(), "leases").Inc()
				if why = whyQuotaCrowd; a.standing == schema.StandingClaimed {
					why = ledger.WhyCrowded
				}
			case spendAway:
				if over, why = c.whenAway(call), whyQuotaAway; over == schema.ActionNone {
					if a.action == schema.ActionNone {
						a.why, a.line = why, s.Key
					}
					continue
				}
			}
		}
		if over > d.Would {
			d.Would, d.WouldWhy = over, why
		}
		if d.Bypassed || !c.armed(req, ledger.Family(why)) || over < a.action {
			continue
		}
		a.action, a.why, a.line, a.breaker = over, why, s.Key, nil
		if over == schema.ActionDeny {
			return
		}
		c.mu.RLock()
		*yes, *usable = c.state.Gates.Find(asks, clock)
		c.mu.RUnlock()
	}
}

// whenAway is what the agent's failure mode wants of a call.
func (c *Control) whenAway(call *schema.Call) schema.Action {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m, _ := c.state.Manifests.Of(call.Tenant, call.AgentID, call.AgentTrust)
	return m.WhenAway(call.Reversibility)
}

// gate holds a call until a person has said yes to it.
func (c *Control) gate(a *answer, call *schema.Call, run schema.RunID, sofar schema.Exposure, asks gate.Query, have *schema.Gate, usable bool) {
	why := a.why
	switch {
	case a.crowded && (usable || have == nil):
		a.why = ledger.WhyCrowded
		return
	case usable:
		r, err := c.claim(a.standing, &schema.Command{ID: newID("u_"), Kind: schema.CommandUse, Tenant: call.Tenant, By: c.o.Name, Reason: call.RequestID, Gate: &schema.Gate{ID: have.ID}})
		a.gate = have.ID
		switch {
		case err != nil:
			a.why = unanswered(a.standing, err)
		case r.Outcome == string(gate.Used):
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
	if asks.Cut {
		c.mu.RLock()
		if c.state.Gates.Granted(&asks) {
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
			a.why = ledger.WhyCrowded
		}
		return
	}
	r, err := c.claim(a.standing, c.question(call, run, a.standing, sofar, asks, why, schema.ModeArmed))
	switch {
	case errors.Is(err, errBusy):
		a.why = unanswered(a.standing, err)
	case err != nil:
	case r.Outcome == string(gate.Full):
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
		return ledger.WhyCrowded
	}
	return whyBusy
}

func (c *Control) question(call *schema.Call, run schema.RunID, of schema.Standing, sofar schema.Exposure, asks gate.Query, why string, mode schema.Mode) *schema.Command {
	return &schema.Command{ID: newID("a_"), Kind: schema.CommandAsk, Tenant: call.Tenant, By: c.o.Name, Reason: why, Gate: &schema.Gate{
		Holder: asks.Holder, RunID: run, RunKey: call.RunKey, AgentID: call.AgentID, CredentialID: call.CredentialID, PrincipalID: call.PrincipalID, Standing: &of,
		Route: asks.Route, Resource: asks.Resource, Binding: schema.BindingAll, ArgsDigest: asks.ArgsDigest, QueryDigest: asks.QueryDigest,
		Amount: asks.Amount, Currency: asks.Currency, Why: why, SoFar: sofar, Mode: mode}}
}

// observeAgain is how often what would have asked is written down for one holder and route.
const observeAgain = 15 * time.Minute

// wouldAsk writes down, without waiting, that a call would have been held.
func (c *Control) wouldAsk(call *schema.Call, run schema.RunID, of schema.Standing, sofar schema.Exposure, asks gate.Query, d *ledger.Decision) {
	if c.out == nil || c.asks.first("would\x00"+asks.Tenant+"\x00"+asks.Holder+"\x00"+asks.Route, of, c.o.Now(), observeAgain) != askNow {
		return
	}
	c.submitLater(c.question(call, run, of, sofar, asks, d.WouldWhy, schema.ModeObserve))
}

func (c *Control) count(a *answer) {
	c.m.checked.Add(1)
	c.m.checks.WithLabelValues(a.why).Inc()
	if a.would != "" {
		c.m.would.WithLabelValues(a.weighed.WouldWhy).Inc()
	}
}

// observe puts what was asked into flyball.calls, with the answer.
func (c *Control) observe(call *schema.Call, a *answer) {
	if t := a.weighed.Task; t != nil {
		if t.Type != "" {
			call.Note(schema.AttrTaskType, t.Type)
		}
		if len(t.Targets) > 0 {
			call.Note(schema.AttrTaskTargets, "declared")
		}
	}
	if a.action > schema.ActionNone || a.would != "" {
		call.Note("flyball.action", a.action.String())
		call.Note("flyball.why", a.why)
		if a.would != "" {
			call.Note("flyball.would", a.would)
		}
		if a.gate != "" {
			call.Note("flyball.gate", a.gate)
		}
	}
	if c.o.KeptPath != nil {
		call.Path = c.o.KeptPath(call.Path)
		for i := range call.Resources {
			call.Resources[i].ID = c.o.KeptPath(call.Resources[i].ID)
		}
	}
	c.asked.note(call, a.standing)
}

func decisionID(v uint64) string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return "c_" + hex.EncodeToString(b[:])
}
