package api

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"runtime/debug"

	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/ledger"
	"flyball/detect/model/baseline"
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
	req := ledger.Request{Request: enforce.Request{Call: &call, Credentials: shown.Credentials, Claimed: shown.Claimed, ClaimedTaskType: asserted}, Armed: c.o.Armed, Tags: c.o.Tags,
		ApprovalWithoutManifest: c.o.AskWithout || c.o.Learning != nil && c.o.Learning(baseline.AgentKey(call.AgentID, call.AgentTrust))}
	if c.o.Scopes != nil {
		req.Scopes = c.o.Scopes()
	}
	if call.RunKey != "" {
		run := schema.RunIdentity{Tenant: call.Tenant, RoutingActor: call.RoutingKey, Credential: call.CredentialID, Rule: schema.RunExplicit, Key: call.OwnRunKey()}
		req.RunID = run.ID()
		for _, run.Key = range call.ParentRunKeys() {
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
	loaded, clock := c.loaded, c.state.Position.Time
	a.standing = c.state.Standing(&call)
	c.mu.RUnlock()
	if !loaded {
		a.status, a.why = http.StatusServiceUnavailable, whyNotLoaded
		c.count(&a)
		return a
	}
	var sofar schema.Exposure
	if a.standing == schema.StandingClaimed && !c.work.enter() {
		a.crowded, req.ShareExceeded = true, true
		c.m.full.WithLabelValues(a.standing.String(), "work").Inc()
	} else {
		req.RunFirstSeen, sofar = c.seen.meet(req.RunID, a.standing, clock, &call)
		c.identities.note(&call, a.standing)
	}

	d, weighed, asks, yes, usable := c.weigh(q, &req, clock, a.standing == schema.StandingClaimed && !a.crowded)
	a.clock, a.perSec = clock, c.o.ThrottleTo
	a.action, a.why, a.breaker, a.stale, a.line, a.weighed = d.Action, d.Why, d.Breaker, req.LogStale, d.Line, d
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
	if d.Task != nil && d.Task.HasEnded(clock) {
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
func (c *Control) weigh(q *request, req *ledger.Request, clock int64, working bool) (
	d ledger.Decision, weighed *schema.Call, asks approval.Query, yes *schema.Gate, usable bool,
) {
	if working {
		defer c.work.leave()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	req.LogStale = c.stale()
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
		yes, usable = c.state.Approvals.Find(&asks, clock)
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
			call.SetAttr(schema.AttrTaskType, t.Type)
		}
		if len(t.Targets) > 0 {
			call.SetAttr(schema.AttrTaskTargets, "declared")
		}
	}
	if a.action > schema.ActionNone || a.would != "" {
		call.SetAttr("flyball.action", a.action.String())
		call.SetAttr("flyball.why", a.why)
		if a.would != "" {
			call.SetAttr("flyball.would", a.would)
		}
		if a.gate != "" {
			call.SetAttr("flyball.gate", a.gate)
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
