package api

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/detect/enforce/arming"
	"flyball/detect/enforce/exception"
	"flyball/detect/enforce/ledger"
	"flyball/detect/playbook"
	"flyball/detect/policy"
	"flyball/schema"
)

// ArmingState is what is armed.
type ArmingState struct {
	Points []PointArming `json:"points"` // what the configuration of each live point says
	Orders []ArmingLine  `json:"orders"` // what commands said, which comes before it
}

// PointArming is what a point's configuration says of enforcement.
type PointArming struct {
	Point string `json:"point"`
	// Mode is observe or armed; absent: a point of an older version, which does not say it.
	Mode string `json:"mode,omitempty"`
	// Armed are the patterns that are armed in mode observe.
	Armed      []string `json:"armed"`
	Generation uint64   `json:"generation"` // up to which it has applied the log
	LagMS      int64    `json:"lag_ms"`
}

// ArmingLine is what the newest command about a pattern says.
type ArmingLine struct {
	Pattern    string `json:"pattern"`
	State      string `json:"state"` // armed, disarmed
	Since      string `json:"since"`
	By         string `json:"by"`
	Role       string `json:"role,omitempty"`
	Reason     string `json:"reason"`
	Generation uint64 `json:"generation"`
}

func armingLine(o *arming.Order) ArmingLine {
	l := ArmingLine{Pattern: o.Pattern, State: string(enforce.Disarmed), Since: stamp(o.At), By: o.By, Role: o.Role, Reason: o.Reason,
		Generation: o.Generation}
	if o.Armed {
		l.State = string(enforce.Armed)
	}
	return l
}

// armingState of a tenant.
func (c *Control) armingState(tenant string) ArmingState {
	out := ArmingState{Points: c.pointArming(), Orders: []ArmingLine{}}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, o := range c.state.Arming.Orders(tenant) {
		out.Orders = append(out.Orders, armingLine(&o))
	}
	return out
}

func (c *Control) pointArming() []PointArming {
	points, applied := c.live(), c.applied()
	out := make([]PointArming, 0, len(points))
	for _, p := range points {
		line := PointArming{Point: p.Point, Mode: p.Mode, Armed: append([]string{}, p.Armed...)}
		for _, a := range applied {
			if a.Point == p.Point {
				line.Generation, line.LagMS = a.Generation, a.LagMS
			}
		}
		out = append(out, line)
	}
	slices.SortFunc(out, func(a, b PointArming) int { return strings.Compare(a.Point, b.Point) })
	return out
}

// ArmingResult is the answer to arm, disarm and clear.
type ArmingResult struct {
	ChangeResult
	Tenant string `json:"tenant"`
	// Configured is what the configuration of each point says beside it.
	Configured []PointArming `json:"configured"`
	Notes      []string      `json:"notes"`
}

func (c *Control) arm(in *call)    { c.setArming(in, schema.CommandArm, false, enforce.Armed) }
func (c *Control) disarm(in *call) { c.setArming(in, schema.CommandDisarm, false, enforce.Disarmed) }
func (c *Control) clearArming(in *call) {
	c.setArming(in, schema.CommandDisarm, true, enforce.ArmingCleared)
}

var armingStatus = map[enforce.ResultCode]int{enforce.NoSuchArming: http.StatusNotFound, enforce.Rejected: http.StatusUnprocessableEntity}

func (c *Control) setArming(in *call, kind schema.CommandKind, clear bool, success enforce.ResultCode) {
	ask := in.ask.(*ArmingRequest)
	if LooksLikeSecret(ask.Pattern) {
		c.refuse(in.w, http.StatusUnprocessableEntity, whyRawSecret, errSecret)
		return
	}
	err := arming.ValidatePattern(ask.Pattern)
	if family, ok := strings.CutPrefix(ask.Pattern, "family:"); ok && err == nil && !knownFamily(family) {
		err = fmt.Errorf("pattern: no family is called so; one of %s, policy.*", strings.Join(playbook.Families(), ", "))
	}
	if err != nil {
		c.refuse(in.w, http.StatusUnprocessableEntity, "pattern", err)
		return
	}
	in.submit(c, schema.Command{Kind: kind, By: in.who.named(ask.By), Reason: ask.Reason,
		Arming: &schema.ArmingOrder{Pattern: ask.Pattern, Clear: clear}}, success, armingStatus,
		func(r enforce.Result) any {
			return ArmingResult{ChangeResult: ChangeResult{string(r.Code), r.Generation, r.Ref}, Tenant: in.who.tenant, Configured: c.pointArming(),
				Notes: c.notes(ask.Pattern, success)}
		})
}

func knownFamily(pattern string) bool {
	return strings.HasPrefix(pattern, "policy.") || slices.ContainsFunc(playbook.Families(), func(f string) bool {
		ok, _ := path.Match(pattern, f)
		return ok
	})
}

// notes are what a person may not expect of an order.
func (c *Control) notes(pattern string, did enforce.ResultCode) []string {
	out := []string{}
	agents := !strings.HasPrefix(pattern, "family:") && pattern != arming.PatternAll
	if agents && !strings.HasPrefix(pattern, "tag:") && !strings.ContainsAny(pattern, `*?[\`) &&
		!c.known(schema.Scope{Kind: schema.ScopeAgent, Value: pattern}) {
		out = append(out, "this point has met no agent of that name yet")
	}
	if did == enforce.Armed && !strings.HasPrefix(pattern, "family:") {
		out = append(out, "what is outside learned scopes is armed by its own name alone: family:"+schema.FamilyScope)
	}
	if did == enforce.Armed {
		out = append(out, "it holds for what is found from now on: flyball breakers history lists what was only recorded before")
	}
	if did == enforce.Disarmed {
		out = append(out, "breakers that are open stay open until their time is over or somebody resets them")
	}
	if did == enforce.Disarmed && agents {
		out = append(out, "who only claims such a name stays as he was: anybody could claim it")
	}
	return out
}

// ArmedAgent says whether what is found about an agent is enforced.
type ArmedAgent struct {
	Agent string `json:"agent"`
	// State is armed, observe, or bypassed: armed, and not enforced for the time being.
	State string `json:"state"`
	// Why is configuration, or a command about the agent, a pattern, a tag or everything.
	Why     string `json:"why"`
	Pattern string `json:"pattern,omitempty"` // of the command
	Until   string `json:"until,omitempty"`   // of the bypass
}

func (c *Control) armedAgents(in *call) {
	ask := in.ask.(*ArmedAgentsRequest)
	out := make([]ArmedAgent, 0, len(ask.Agents))
	claimed := make(map[string]bool, len(ask.Claimed))
	for _, agent := range ask.Claimed {
		claimed[agent] = true
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, agent := range ask.Agents {
		trust := schema.TrustVerified
		if claimed[agent] {
			trust = schema.TrustAsserted
		}
		sub := arming.Subject{Tenant: in.who.tenant, Agent: agent, Trust: trust}
		if c.o.Tags != nil {
			sub.Tags = c.o.Tags(agent)
		}
		a := c.state.Arming.Decide(sub, c.o.Armed(agent, ""))
		line := ArmedAgent{Agent: agent, State: "observe", Why: a.Why}
		if a.Order != nil {
			line.Pattern = a.Order.Pattern
		}
		if a.Armed {
			line.State = "armed"
			if b, on := c.state.Breakers.BypassForAgent(in.who.tenant, agent, trust, c.state.Position.Time); on {
				line.State, line.Until = "bypassed", stamp(b.Until)
			}
		}
		out = append(out, line)
	}
	respond(in.w, http.StatusOK, out)
}

// armed reports whether what a family finds is enforced for the caller of a request.
func (c *Control) armed(r *ledger.Request, family string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state.Armed(r, family)
}

// ExceptionLine is a line of /v1/exceptions.
type ExceptionLine struct {
	ID      string   `json:"id"`
	Tenant  string   `json:"tenant"`
	Agent   string   `json:"agent"`
	Family  string   `json:"family"`
	Routes  []string `json:"routes"` // empty: any
	Since   string   `json:"since"`
	Expires string   `json:"expires"`
	By      string   `json:"by"`
	Role    string   `json:"role,omitempty"`
	Reason  string   `json:"reason"`
	Trips   uint64   `json:"trips"` // that it has covered
	Last    string   `json:"last_covered,omitempty"`
}

func (c *Control) exceptions(tenant string) []ExceptionLine {
	c.mu.RLock()
	list := c.state.Exceptions.List(tenant)
	c.mu.RUnlock()
	out := make([]ExceptionLine, 0, len(list))
	for _, e := range list {
		out = append(out, ExceptionLine{ID: e.ID, Tenant: tenant, Agent: e.Agent, Family: e.Family, Routes: append([]string{},
			e.Routes...), Since: stamp(e.At), Expires: stamp(e.Until),
			By: e.By, Role: e.Role, Reason: e.Reason, Trips: e.Covered, Last: stamp(e.CoveredAt)})
	}
	return out
}

// ExceptionResult is the answer to an exception.
type ExceptionResult struct {
	ChangeResult
	Tenant string   `json:"tenant"`
	Notes  []string `json:"notes"`
}

var exceptionStatus = map[enforce.ResultCode]int{enforce.NoSuchException: http.StatusNotFound,
	enforce.Rejected: http.StatusUnprocessableEntity}

func (c *Control) addException(in *call) {
	ask := in.ask.(*AddExceptionRequest)
	if LooksLikeSecret(ask.Agent) {
		c.refuse(in.w, http.StatusUnprocessableEntity, whyRawSecret, errSecret)
		return
	}
	order := schema.ExceptionOrder{Agent: ask.Agent, Family: ask.Family, Routes: ask.Routes}
	_, err := exception.Validate(&order)
	if covered := slices.DeleteFunc(playbook.Families(), func(f string) bool { return !policy.Exceptable(f) }); err == nil &&
		!slices.ContainsFunc(covered, func(f string) bool {
			ok, _ := path.Match(ask.Family, f)
			return ok
		}) {
		err = fmt.Errorf("family: matches none of %s", strings.Join(covered, ", "))
	}
	if err != nil {
		c.refuse(in.w, http.StatusUnprocessableEntity, "exception", err)
		return
	}
	notes := []string{}
	if !strings.ContainsAny(ask.Agent, `*?[\`) && !c.known(schema.Scope{Kind: schema.ScopeAgent, Value: ask.Agent}) {
		notes = append(notes, "this point has met no established agent of that name yet")
	}
	in.submit(c, schema.Command{Kind: schema.CommandException, TTL: ask.Seconds * 1e9, By: in.who.named(ask.By), Reason: ask.Reason,
		Exception: &order},
		enforce.ExceptionAdded, exceptionStatus, func(r enforce.Result) any {
			return ExceptionResult{ChangeResult: ChangeResult{string(r.Code), r.Generation, r.Ref}, Tenant: in.who.tenant, Notes: notes}
		})
}

func (c *Control) removeException(in *call) {
	ask := in.ask.(*RemoveExceptionRequest)
	if id := in.r.PathValue("id"); !slices.ContainsFunc(c.exceptions(in.who.tenant), func(l ExceptionLine) bool { return l.ID == id }) {
		c.refuse(in.w, http.StatusNotFound, string(enforce.NoSuchException), errors.New("no such exception, or it has ended; exceptions of "+
			"the configuration are changed there"))
		return
	}
	in.submit(c, schema.Command{Kind: schema.CommandExceptionRemove, By: in.who.named(ask.By), Reason: ask.Reason,
		Exception: &schema.ExceptionOrder{ID: in.r.PathValue("id")}},
		enforce.ExceptionRemoved, exceptionStatus, done)
}
