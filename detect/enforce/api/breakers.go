package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/bypass"
)

// breakers holds the operations on breakers and bypasses.
type breakers struct {
	*server
	targets *targets
}

func (b *breakers) operations() []operation {
	return []operation{
		list("/v1/breakers", "breakers", "Breakers that are not closed, the latest first", []BreakerLine{},
			func(*exchange) any { return b.lines(false) }),
		list("/v1/breakers/history", "breakerHistory", "What breakers did, the latest first", []BreakerLine{},
			func(*exchange) any { return b.lines(true) }),
		list("/v1/receipts", "receipts", "What openings of breakers did at every point, the latest first", []Receipt{},
			func(*exchange) any { return b.receipts() }),
		withBody(operation{path: "/v1/breakers/trip", id: "trip", role: Responder, answer: TripResult{}, problems: []int{404, 409, 422},
			summary: "Open a breaker by hand, for a time or until a reset; answers where it is applied and who else is held"}, b.trip),
		withBody(operation{path: "/v1/breakers/reset", id: "reset", role: Responder, answer: ResetResult{},
			problems: []int{404, 409, 412, 422},
			summary:  "Close a breaker, with If-Match only if it has this generation"}, b.reset),
		withBody(operation{path: "/v1/bypass", id: "bypass", role: Admin, answer: BypassResult{}, problems: []int{404, 409, 422},
			summary: "Set the tenant, or one established agent, to observe at every point, for a limited time"}, b.bypass),
		withBody(operation{path: "/v1/bypass/end", id: "endBypass", role: Admin, answer: ChangeResult{}, problems: []int{404, 409, 422},
			summary: "End a bypass before its time"}, b.endBypass),
	}
}

// BreakerLine is a line of /v1/breakers.
type BreakerLine struct {
	schema.Breaker
	Since   string    `json:"since"`
	Expires string    `json:"expires,omitempty"`
	Applied []Applied `json:"applied"`
}

// Applied is the generation of the log that a point has applied.
type Applied struct {
	Point      string `json:"point"`
	Generation uint64 `json:"generation"`
	LagMS      int64  `json:"lag_ms"`
}

// applied returns the generation that each live point has applied.
func (s *server) applied() []Applied {
	points := s.o.State.Live()
	v := s.o.State.Acquire()
	clock := v.Position.Time
	v.Release()
	return appliedBy(points, clock)
}

// appliedBy returns the generation and lag of each of the points, at a time of the log's clock in
// Unix ns.
func appliedBy(points []schema.PointState, clock int64) []Applied {
	out := make([]Applied, len(points))
	for i, p := range points {
		out[i] = Applied{p.Point, uint64(p.Applied) + 1, max(0, (clock-p.At)/1e6)}
	}
	return out
}

func (b *breakers) lines(history bool) []BreakerLine {
	points := b.o.State.Live()
	v := b.o.State.Acquire()
	list := v.Breakers.Breakers()
	if history {
		list = v.Breakers.History()
	}
	clock := v.Position.Time
	v.Release()
	applied := appliedBy(points, clock)
	out := make([]BreakerLine, 0, len(list))
	for _, x := range list {
		out = append(out, BreakerLine{Breaker: *x, Since: timestamp(x.Since), Expires: timestamp(x.Expires), Applied: applied})
	}
	return out
}

// Receipt describes one opening of a breaker and its effect.
type Receipt struct {
	Tenant     string          `json:"tenant"`
	Scope      schema.Scope    `json:"scope"`
	Generation uint64          `json:"generation"`
	Action     schema.Action   `json:"action"`
	FindingID  string          `json:"finding_id,omitempty"`
	DecisionID string          `json:"decision_id,omitempty"`
	RunID      schema.RunID    `json:"run_id,omitzero"`
	Call       string          `json:"call_at,omitempty"` // event time of the call that led to it
	Commanded  string          `json:"commanded_at"`      // when the command was written to the log
	Exposure   schema.Exposure `json:"exposure"`          // calls that had passed before the command
	Points     []ReceiptPoint  `json:"points"`
}

// ReceiptPoint is the effect of an opening at one point.
type ReceiptPoint struct {
	Point       string `json:"point"`
	Applied     string `json:"applied_at"`
	FirstDenied string `json:"first_denied_at,omitempty"`
	Denied      uint64 `json:"denied"`
}

func (b *breakers) receipts() []Receipt {
	points := b.o.State.Live()
	v := b.o.State.Acquire()
	history := v.Breakers.History()
	v.Release()
	out := []Receipt{}
	for _, x := range history {
		if x.State != schema.BreakerOpen && x.State != schema.BreakerForcedOpen {
			continue
		}
		r := Receipt{Tenant: x.Tenant, Scope: x.Scope, Generation: x.Generation, Action: x.Action, FindingID: x.FindingID,
			DecisionID: x.DecisionID, RunID: x.RunID, Call: timestamp(x.Found), Commanded: timestamp(x.Since), Exposure: x.Exposure,
			Points: []ReceiptPoint{}}
		for _, p := range points {
			for _, t := range p.Traces {
				if t.Generation == x.Generation {
					r.Points = append(r.Points, ReceiptPoint{p.Point, timestamp(t.Applied), timestamp(t.FirstDenied), t.Denied})
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// TripResult is the response to a manual trip.
type TripResult struct {
	ChangeResult
	Scope  schema.Scope `json:"scope"` // in the form that requests are compared with
	RunKey string       `json:"run_key,omitempty"`
	// Expires is when the breaker closes by itself; absent: only a reset closes it.
	Expires string `json:"expires,omitempty"`
	// Holder of the run: later runs of the same holder are held, too.
	Holder *schema.Holder `json:"holder,omitempty"`
}

// breakerStatuses maps results of commands on breakers and bypasses to HTTP statuses.
var breakerStatuses = map[enforce.ResultCode]int{enforce.IfMatchFailed: http.StatusPreconditionFailed,
	enforce.NoBreaker: http.StatusNotFound, enforce.NoBypass: http.StatusNotFound}

func (b *breakers) trip(x *exchange, in *TripRequest) {
	if (in.TTL == 0) == !in.UntilReset { // the document also requires it
		x.refuse(&refusal{http.StatusBadRequest, "body", errors.New("ttl_seconds, until_reset: one of the two")})
		return
	}
	t, rejected := b.targets.resolve(in.Scope, in.Force)
	if rejected != nil {
		x.refuse(rejected)
		return
	}
	if run := t.scope.Kind == schema.ScopeRun || t.scope.Kind == schema.ScopeRunRoute; run && t.holder == nil {
		if t.holder, rejected = b.givenHolder(in); rejected != nil {
			x.refuse(rejected)
			return
		}
	}
	if t.holder != nil && b.o.Tags != nil {
		t.holder.Tags = b.o.Tags(t.holder.AgentID)
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandForceOpen, Scope: t.scope, TTL: in.TTL * 1e9, By: x.by(in.By),
		Reason: in.Reason, Holder: t.holder}, success: enforce.Applied, statuses: breakerStatuses,
		met:    append(b.metBreaker(x.caller.tenant, t.scope), b.metRuns(t.scope)...),
		answer: func(r ChangeResult) any { return b.tripResult(&t, r) }})
}

// givenHolder returns the holder that the request names for a run that this point has not seen;
// nil: the request names none.
func (b *breakers) givenHolder(in *TripRequest) (*schema.Holder, *refusal) {
	if in.Agent == "" && in.Credential == "" {
		return nil, nil
	}
	for _, sc := range []schema.Scope{{Kind: schema.ScopeAgent, Value: in.Agent}, {Kind: schema.ScopeCredential, Value: in.Credential}} {
		if sc.Value == "" {
			continue
		}
		if _, rejected := b.targets.resolveName(sc, true); rejected != nil {
			return nil, rejected
		}
	}
	h := &schema.Holder{AgentID: in.Agent, AgentTrust: in.AgentTrust, CredentialID: in.Credential}
	if in.Agent != "" && in.AgentTrust >= schema.TrustInfrastructure {
		h.Standing = schema.StandingEstablished
	}
	return h, nil
}

func (b *breakers) tripResult(t *target, r ChangeResult) TripResult {
	out := TripResult{ChangeResult: r, Scope: t.scope, RunKey: t.key, Holder: t.holder}
	v := b.o.State.Acquire()
	defer v.Release()
	for _, x := range v.Breakers.Breakers() {
		if x.Tenant == r.Tenant && x.Scope == t.scope {
			out.Expires = timestamp(x.Expires)
			out.Until = out.Expires
		}
	}
	return out
}

func (b *breakers) reset(x *exchange, in *ResetRequest) {
	command := schema.Command{Kind: schema.CommandReset, Scope: in.Scope, By: x.by(in.By), Reason: in.Reason, IfMatch: uint64(in.IfMatch)}
	if m := strings.Trim(x.r.Header.Get("If-Match"), `"`); m != "" && m != "*" {
		g, err := strconv.ParseUint(m, 10, 64)
		if err != nil {
			x.refuse(refused(http.StatusBadRequest, "if_match", "If-Match: %q is no generation", m))
			return
		}
		command.IfMatch = g
	}
	if !b.hasBreaker(x.caller.tenant, in.Scope) { // it may exist under another name of the same target
		t, rejected := b.targets.resolve(in.Scope, true)
		if rejected != nil {
			x.refuse(rejected)
			return
		}
		command.Scope = t.scope
	}
	x.submit(change{command: command, success: enforce.Applied, statuses: breakerStatuses,
		met: b.metBreaker(x.caller.tenant, command.Scope), answer: func(r ChangeResult) any { return ResetResult{r, command.Scope} }})
}

// ResetResult is the response to a reset.
type ResetResult struct {
	ChangeResult
	Scope schema.Scope `json:"scope"` // in the form that requests are compared with
}

// hasBreaker reports whether a scope has a breaker that is not closed.
func (b *breakers) hasBreaker(tenant string, sc schema.Scope) bool {
	v := b.o.State.Acquire()
	defer v.Release()
	for _, x := range v.Breakers.Breakers() {
		if x.Tenant == tenant && x.Scope == sc {
			return true
		}
	}
	return false
}

// BypassResult is the response to a bypass.
type BypassResult struct {
	ChangeResult
	Agent string `json:"agent,omitempty"`
}

func (b *breakers) bypass(x *exchange, in *BypassRequest) {
	length := time.Duration(in.Seconds) * time.Second
	command := schema.Command{Kind: schema.CommandBypass, TTL: int64(length), By: x.by(in.By), Reason: bypass.Reason(in.Reason, length)}
	if in.Agent != "" {
		t, rejected := b.targets.resolve(schema.Scope{Kind: schema.ScopeAgent, Value: in.Agent}, in.Force)
		if rejected != nil {
			x.refuse(rejected)
			return
		}
		command.Scope = t.scope
	}
	until := func(string) string {
		v := b.o.State.Acquire()
		defer v.Release()
		for _, y := range v.Breakers.Bypasses(x.caller.tenant, v.Position.Time) {
			if y.Agent == in.Agent {
				return timestamp(y.Until)
			}
		}
		return ""
	}
	x.submit(change{command: command, success: enforce.Applied, statuses: breakerStatuses, met: b.metBypass(x.caller.tenant, in.Agent),
		until: until, answer: func(r ChangeResult) any { return BypassResult{r, in.Agent} }})
}

func (b *breakers) endBypass(x *exchange, in *EndBypassRequest) {
	command := schema.Command{Kind: schema.CommandBypassEnd, By: x.by(in.By), Reason: in.Reason}
	if in.Agent != "" {
		t, rejected := b.targets.resolve(schema.Scope{Kind: schema.ScopeAgent, Value: in.Agent}, true)
		if rejected != nil {
			x.refuse(rejected)
			return
		}
		command.Scope = t.scope
	}
	x.submit(change{command: command, success: enforce.Applied, statuses: breakerStatuses, met: b.metBypass(x.caller.tenant, in.Agent)})
}
