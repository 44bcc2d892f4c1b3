package check

import (
	"math/rand/v2"
	"net/http"

	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
	"flyball/schema/route"
)

// evaluation is the work on one request.
type evaluation struct {
	q       *request
	call    *schema.Call
	req     *ledger.Request
	a       answer
	clock   int64           // the log's
	allowed schema.Exposure // earlier calls of the run that were allowed
	// decided is the call in the reading that led to the decision.
	decided *schema.Call
	query   approval.Query // what a grant of the call must match
	grant   *schema.Gate   // the question about such a call, if there is one
	usable  bool           // the grant allows the call
}

// check answers a request from memory. It waits only for claims.
func (c *Checker) check(q *request) answer {
	began := c.o.Now()
	defer func() { c.m.took.Observe(c.o.Now().Sub(began).Seconds()) }()
	e := evaluation{q: q}
	if problem := c.begin(&e); problem != nil {
		e.deny(schema.ActionDeny, problem.Error())
		c.denied.Add(1)
		c.count(&e.a)
		c.observe(&e)
		return e.a
	}
	if !c.identify(&e) {
		e.a.status, e.a.why = http.StatusServiceUnavailable, whyNotLoaded
		c.count(&e.a)
		return e.a
	}
	d := c.weigh(&e)
	c.enforce(&e, &d)
	c.finish(&e, &d)
	return e.a
}

// begin reads the request and signs the receipt of its answer. The error is the named
// reason for a refusal.
func (c *Checker) begin(e *evaluation) error {
	problem := c.reader.read(e)
	id := rand.Uint64()
	e.a = answer{status: http.StatusOK, decision: decisionID(id)}
	c.reader.sign(e, id)
	return problem
}

// identify looks up the caller, and reserves a place in the share of work for a claimed
// caller. It is false while the state is not loaded.
func (c *Checker) identify(e *evaluation) bool {
	var loaded bool
	loaded, e.clock, e.a.standing = lookUp(c.o.State, e.call)
	if !loaded {
		return false
	}
	if e.a.standing == schema.StandingClaimed && !c.work.enter() {
		e.a.overShare, e.req.ShareExceeded = true, true
		c.m.full.WithLabelValues(e.a.standing.String(), "work").Inc()
		return true
	}
	e.req.RunFirstSeen, e.allowed = c.o.Runs.FirstSeen(e.req.RunID, e.a.standing, e.clock, e.call)
	c.o.Names.Add(e.call, e.a.standing)
	return true
}

func lookUp(state State, call *schema.Call) (loaded bool, clock int64, standing schema.Standing) {
	v := state.Acquire()
	defer v.Release()
	return v.Loaded(), v.Position.Time, v.Standing(call)
}

// weigh makes a decision from all readings of the request, and looks for a grant of it. It releases
// a claimed caller's place in the share of work.
func (c *Checker) weigh(e *evaluation) ledger.Decision {
	if e.a.standing == schema.StandingClaimed && !e.a.overShare {
		defer c.work.leave()
	}
	v := c.o.State.Acquire()
	defer v.Release()
	e.req.LogStale = v.Stale()
	d := v.Decide(e.req)
	e.decided = e.req.Call
	if len(e.q.others) > 0 || !e.q.readable {
		e.decided = weighOthers(v, e, &d)
		e.req.Call = e.decided
	}
	if d.Action == schema.ActionGate || d.Would == schema.ActionGate || len(d.Spends) > 0 {
		e.query = c.reader.gateQuery(e)
	}
	if d.Action == schema.ActionGate {
		e.grant, e.usable = v.Approvals.Find(&e.query, e.clock)
	}
	return d
}

// enforce turns the decision into the answer: it claims probes and grants, spends quotas,
// throttles and requests approval.
func (c *Checker) enforce(e *evaluation, d *ledger.Decision) {
	a := &e.a
	a.clock, a.perSec = e.clock, c.o.ThrottlePerSecond
	a.action, a.why, a.breaker, a.stale, a.line, a.weighed = d.Action, d.Why, d.Breaker, e.req.LogStale, d.Line, *d
	if !e.req.RunID.IsZero() {
		a.run = e.req.RunID.String()
	}
	if d.Probe && d.Action == schema.ActionDeny {
		c.claims.probe(a)
	}
	if d.Action == schema.ActionThrottle && c.throttles.allow(d.Breaker, c.o.Now()) {
		a.action = schema.ActionAnnotate
	}
	if a.action < schema.ActionThrottle || e.usable {
		c.quotas.spendAll(e)
	}
	if a.action == schema.ActionGate {
		c.claims.gate(e)
	} else if d.Action < schema.ActionGate && d.Would == schema.ActionGate && !a.overShare {
		c.claims.recordQuestion(e, d.WouldWhy)
	}
}

// finish counts the answer and records the request.
func (c *Checker) finish(e *evaluation, d *ledger.Decision) {
	a := &e.a
	route.Worsen(e.call, e.q.others, e.q.readable)
	if d.Task != nil && d.Task.HasEnded(e.clock) {
		if f := c.late.note(e.call, d.Task, e.req.RunID, e.clock); f != nil {
			c.o.Log.PublishFinding(f)
		}
	}
	if d.Would > a.action {
		a.would = d.Would.String() + " " + d.WouldWhy
	}
	if a.action >= schema.ActionThrottle {
		e.deny(a.action, a.why)
		c.denied.Add(1)
		if a.breaker != nil {
			c.o.State.RecordDenial(a.breaker.Generation, c.o.Now().UnixNano())
		}
	} else {
		c.o.Runs.CountAllowed(e.req.RunID, a.standing, e.call.Reversibility == schema.Irreversible)
	}
	c.count(a)
	if !a.overShare {
		c.observe(e)
	}
}

// deny makes the answer a denial for a named reason.
func (e *evaluation) deny(action schema.Action, why string) {
	e.a.status, e.a.action, e.a.why = http.StatusForbidden, action, why
	e.call.Status, e.call.Outcome, e.call.DeniedBy = http.StatusForbidden, schema.OutcomeDenied, "flyball"
}
