package api

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"flyball/detect/enforce"
	"flyball/detect/enforce/arming"
	"flyball/detect/playbook"
	"flyball/schema"
)

// armings holds the operations that change which findings are enforced and which are only recorded.
type armings struct {
	*server
	targets *targets
}

func (a *armings) operations() []operation {
	change := func(path, id, summary string) operation {
		return operation{path: path, id: id, summary: summary, role: Admin, answer: ArmingResult{}, problems: []int{404, 409, 422}}
	}
	return []operation{
		list("/v1/arming", "arming", "What is armed: by the configuration of each point, and by commands, which come before it",
			ArmingState{}, func(x *exchange) any { return a.armingState(x.caller.tenant) }),
		withBody(change("/v1/arming/arm", "arm",
			"Enforce what is found about the agents, tags or families of a pattern, at every point"), a.arm),
		withBody(change("/v1/arming/disarm", "disarm",
			"Only record what is found about the agents, tags or families of a pattern"), a.disarm),
		withBody(change("/v1/arming/clear", "clearArming",
			"Take back what commands said about a pattern: the configuration's value holds again"), a.clear),
		withBody(operation{path: "/v1/arming/agents", id: "armedAgents", role: Viewer, answer: []ArmedAgent{},
			summary: "Whether findings about agents are enforced at this point, and why"}, a.armedAgents),
	}
}

// ArmingState lists what is armed.
type ArmingState struct {
	Points []PointArming `json:"points"` // the configuration of each live point
	Orders []ArmingLine  `json:"orders"` // commands, which have priority over it
}

// PointArming is the enforcement that a point's configuration sets.
type PointArming struct {
	Point string `json:"point"`
	// Mode is observe or armed; absent: the point has an older version, which does not report it.
	Mode string `json:"mode,omitempty"`
	// Armed are the patterns that are armed in mode observe.
	Armed      []string `json:"armed"`
	Generation uint64   `json:"generation"` // generation up to which the point has applied the log
	LagMS      int64    `json:"lag_ms"`
}

// ArmingLine is the newest command about a pattern.
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
	l := ArmingLine{Pattern: o.Pattern, State: string(enforce.Disarmed), Since: timestamp(o.At), By: o.By, Role: o.Role, Reason: o.Reason,
		Generation: o.Generation}
	if o.Armed {
		l.State = string(enforce.Armed)
	}
	return l
}

// armingState returns what is armed in a tenant.
func (s *server) armingState(tenant string) ArmingState {
	out := ArmingState{Points: s.pointArming(), Orders: []ArmingLine{}}
	v := s.o.State.Acquire()
	defer v.Release()
	for _, o := range v.Arming.Orders(tenant) {
		out.Orders = append(out.Orders, armingLine(&o))
	}
	return out
}

func (s *server) pointArming() []PointArming {
	points, applied := s.o.State.Live(), s.applied()
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

// ArmingResult is the response to arm, disarm and clear.
type ArmingResult struct {
	ChangeResult
	// Configured is the configuration of each point, which applies where no command does.
	Configured []PointArming `json:"configured"`
	Notes      []string      `json:"notes"`
}

func (a *armings) arm(x *exchange, in *ArmingRequest) {
	a.set(x, in, schema.CommandArm, enforce.Armed)
}

func (a *armings) disarm(x *exchange, in *ArmingRequest) {
	a.set(x, in, schema.CommandDisarm, enforce.Disarmed)
}

func (a *armings) clear(x *exchange, in *ArmingRequest) {
	a.set(x, in, schema.CommandDisarm, enforce.ArmingCleared)
}

// armingStatuses maps results of commands on arming to HTTP statuses.
var armingStatuses = map[enforce.ResultCode]int{enforce.NoSuchArming: http.StatusNotFound, enforce.Rejected: http.StatusUnprocessableEntity}

func (a *armings) set(x *exchange, in *ArmingRequest, kind schema.CommandKind, success enforce.ResultCode) {
	if LooksLikeSecret(in.Pattern) {
		x.refuse(refuseSecret())
		return
	}
	if err := checkPattern(in.Pattern); err != nil {
		x.refuse(&refusal{http.StatusUnprocessableEntity, "pattern", err})
		return
	}
	x.submit(change{command: schema.Command{Kind: kind, By: x.by(in.By), Reason: in.Reason,
		Arming: &schema.ArmingOrder{Pattern: in.Pattern, Clear: success == enforce.ArmingCleared}}, success: success,
		statuses: armingStatuses, met: a.metOrders(x.caller.tenant, in.Pattern), answer: func(r ChangeResult) any {
			return ArmingResult{ChangeResult: r, Configured: a.pointArming(), Notes: a.notes(in.Pattern, success)}
		}})
}

// checkPattern returns an error unless the pattern is one of agents, of a tag, or of a family that
// exists.
func checkPattern(pattern string) error {
	if err := arming.ValidatePattern(pattern); err != nil {
		return err
	}
	if family, ok := strings.CutPrefix(pattern, "family:"); ok && !isKnownFamily(family) {
		return fmt.Errorf("pattern: no family has this name; one of %s, policy.*", strings.Join(playbook.Families(), ", "))
	}
	return nil
}

func isKnownFamily(pattern string) bool {
	return strings.HasPrefix(pattern, "policy.") || matchesAny(pattern, playbook.Families())
}

// matchesAny reports whether a pattern in the syntax of path.Match matches one of the names.
func matchesAny(pattern string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// isName reports whether a pattern of agents is one agent's name.
func isName(pattern string) bool { return !strings.ContainsAny(pattern, `*?[\`) }

// notes returns the effects of a command on a pattern that a person may not expect.
func (a *armings) notes(pattern string, did enforce.ResultCode) []string {
	out := []string{}
	ofFamily := strings.HasPrefix(pattern, "family:")
	agents := !ofFamily && pattern != arming.PatternAll
	if agents && !strings.HasPrefix(pattern, "tag:") && isName(pattern) &&
		!a.targets.isKnown(schema.Scope{Kind: schema.ScopeAgent, Value: pattern}) {
		out = append(out, "this point has met no agent of that name yet")
	}
	if did == enforce.Armed && !ofFamily {
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

// ArmedAgent reports whether findings about an agent are enforced.
type ArmedAgent struct {
	Agent string `json:"agent"`
	// State is armed, observe, or bypassed: armed, but not enforced until the bypass ends.
	State string `json:"state"`
	// Why is "configuration", or names a command about the agent, a pattern, a tag or everything.
	Why     string `json:"why"`
	Pattern string `json:"pattern,omitempty"` // of the command
	Until   string `json:"until,omitempty"`   // of the bypass
}

func (a *armings) armedAgents(x *exchange, in *ArmedAgentsRequest) {
	out := make([]ArmedAgent, 0, len(in.Agents))
	claimed := make(map[string]bool, len(in.Claimed))
	for _, agent := range in.Claimed {
		claimed[agent] = true
	}
	for _, agent := range in.Agents {
		trust := schema.TrustVerified
		if claimed[agent] {
			trust = schema.TrustAsserted
		}
		out = append(out, a.armedAgent(x.caller.tenant, agent, trust))
	}
	x.respond(out)
}

func (a *armings) armedAgent(tenant, agent string, trust schema.Trust) ArmedAgent {
	subject := arming.Subject{Tenant: tenant, Agent: agent, Trust: trust}
	if a.o.Tags != nil {
		subject.Tags = a.o.Tags(agent)
	}
	configured := a.o.Armed(agent, "")
	v := a.o.State.Acquire()
	defer v.Release()
	got := v.Arming.Decide(subject, configured)
	line := ArmedAgent{Agent: agent, State: "observe", Why: got.Why}
	if got.Order != nil {
		line.Pattern = got.Order.Pattern
	}
	if got.Armed {
		line.State = "armed"
		if b, on := v.Breakers.BypassForAgent(tenant, agent, trust, v.Position.Time); on {
			line.State, line.Until = "bypassed", timestamp(b.Until)
		}
	}
	return line
}
