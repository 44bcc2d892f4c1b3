package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// lookupTimeout is how long a trip waits for the database.
const lookupTimeout = 5 * time.Second

// whyNoTarget is the named reason of the control API for a target that the point has not met.
const whyNoTarget = "unknown_target"

type tripRequest struct{ Run, Agent, Reason, For string }

// tripOrder is the body of a trip for the control API.
type tripOrder struct {
	Scope      schema.Scope `json:"scope"`
	Reason     string       `json:"reason"`
	TTL        int64        `json:"ttl_seconds"`
	Force      bool         `json:"force,omitempty"`
	Agent      string       `json:"agent,omitempty"` // holder of a run that the point has not met
	AgentTrust string       `json:"agent_trust,omitempty"`
	Credential string       `json:"credential,omitempty"`
}

// order checks the request and returns the scope that it names.
func (r *tripRequest) order() (*tripOrder, error) {
	sc := schema.Scope{Kind: schema.ScopeRun, Value: r.Run}
	switch {
	case (r.Run == "") == (r.Agent == ""):
		return nil, refused(http.StatusBadRequest, "body", "run, agent: name one of the two")
	case r.Agent != "":
		sc = schema.Scope{Kind: schema.ScopeAgent, Value: r.Agent}
	}
	if err := checkName(sc.Kind.String(), sc.Value); err != nil {
		return nil, err
	}
	if err := checkReason(r.Reason); err != nil {
		return nil, err
	}
	length, err := readFor(r.For, maxTripFor)
	return &tripOrder{Scope: sc, Reason: r.Reason, TTL: int64(length / time.Second)}, err
}

// trip holds a run or an agent for a time.
func (x *exchange) trip(in *tripRequest) (*done, error) {
	order, err := in.order()
	if err != nil {
		return nil, err
	}
	c, err := x.change("/v1/breakers/trip", order)
	var r *refusal
	if errors.As(err, &r) && r.reason == whyNoTarget {
		stored, lookupErr := x.lookUp(order)
		switch {
		case lookupErr != nil:
			return nil, lookupErr
		case !stored:
			return nil, refused(http.StatusNotFound, whyNoTarget, "no point has met this %s, and none of that name is stored: nothing was "+
				"held. Choose it from a list, or use flyball breakers trip with --force", order.Scope.Kind)
		}
		c, err = x.change("/v1/breakers/trip", order)
	}
	if err != nil {
		return nil, err
	}
	scope := scopeText(c.Scope)
	d := x.report(c, scope, "is held", "until somebody resets it", "reset breaker "+scope+" here, or "+command("reset", c.Scope))
	if order.Scope.Kind == schema.ScopeRun {
		d.Besides = schema.Visible(heldBesides(&c.Holder))
		d.Message += ". Held besides: " + d.Besides
	}
	return d, nil
}

func scopeText(sc schema.Scope) string { return sc.Kind.String() + " " + sc.Value }

// command is a command line about the breaker of a scope. Agents choose the names in it, and people paste it into a shell.
func command(verb string, sc schema.Scope) string {
	return "flyball breakers " + verb + " " + sc.Kind.String() + " " + wording.ShellWord(sc.Value)
}

// heldBesides names who else a breaker on a run holds.
func heldBesides(h *schema.Holder) string {
	var who []string
	if h.CredentialID != "" {
		who = append(who, "of credential "+h.CredentialID)
	}
	if h.AgentID != "" && h.AgentTrust >= schema.TrustInfrastructure {
		who = append(who, "of agent "+h.AgentID)
	}
	if len(who) == 0 {
		return "nobody"
	}
	return "later runs " + strings.Join(who, " and ")
}

// lookUp looks up the target of a trip that no point has met in the database, and completes the order with what is stored. It reports
// whether the target was found. Several runs that fit are a refusal.
func (x *exchange) lookUp(order *tripOrder) (bool, error) {
	ctx, cancel := context.WithTimeout(x.ctx, lookupTimeout)
	defer cancel()
	if order.Scope.Kind == schema.ScopeAgent {
		known, err := query.IsStoredName(ctx, x.questions(), "agent_id", order.Scope.Value)
		order.Force = known && err == nil
		return order.Force, nil
	}
	run, err := query.ResolveRun(ctx, x.questions(), order.Scope.Value)
	var several *query.Ambiguous
	if errors.As(err, &several) {
		return false, refused(http.StatusConflict, "ambiguous_target", "run: %d runs have this key; choose one by its id",
			len(several.Candidates))
	}
	if err != nil { // not stored, or the database is away: the refusal of the point stands
		return false, nil
	}
	order.Scope.Value, order.Force = run.RunID, true
	order.Agent, order.AgentTrust, order.Credential = run.AgentID, run.AgentTrust, run.CredentialID
	return true, nil
}

type resetRequest struct {
	// Breaker is a scope as "agent billing/bot", or the generation of the breaker.
	Breaker, Reason string
}

// resetOrder is the body of a reset for the control API.
type resetOrder struct {
	Scope   schema.Scope `json:"scope"`
	Reason  string       `json:"reason"`
	IfMatch uint64       `json:"if_match,omitempty"`
}

// reset closes a breaker.
func (x *exchange) reset(in *resetRequest) (*done, error) {
	if err := checkName("breaker", in.Breaker); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	order, err := x.resetOrder(in)
	if err != nil {
		return nil, err
	}
	c, err := x.change("/v1/breakers/reset", order)
	if err != nil {
		return nil, err
	}
	scope := scopeText(c.Scope)
	return x.report(c, scope, "is not held any more", "until a trip opens it",
		"trip it again here, or "+command("trip", c.Scope)+" --for D"), nil
}

// resetOrder finds the breaker that is meant. A breaker by its generation is reset only as long as it has that generation.
func (x *exchange) resetOrder(in *resetRequest) (*resetOrder, error) {
	out := &resetOrder{Reason: in.Reason}
	if generation, err := strconv.ParseUint(in.Breaker, 10, 64); err == nil {
		out.IfMatch = generation
		out.Scope, err = x.scopeOf(generation)
		return out, err
	}
	kind, value, _ := strings.Cut(in.Breaker, " ")
	if err := out.Scope.Kind.UnmarshalText([]byte(kind)); err != nil || out.Scope.Kind == schema.ScopeNone || value == "" {
		return nil, refused(http.StatusBadRequest, "body", "breaker: %q is neither a generation nor a kind and a name, such as agent billing/bot",
			shorten(in.Breaker))
	}
	out.Scope.Value = value
	return out, nil
}

// scopeOf returns the scope of the open breaker with a generation.
func (x *exchange) scopeOf(generation uint64) (schema.Scope, error) {
	var open []struct {
		Scope      schema.Scope `json:"scope"`
		Generation uint64       `json:"generation"`
		Tenant     string       `json:"tenant"`
	}
	if err := x.control.request(x.ctx, &x.who, http.MethodGet, "/v1/breakers", nil, &open); err != nil {
		return schema.Scope{}, err
	}
	for i := range open {
		if open[i].Generation == generation && (x.tenant == "" || open[i].Tenant == x.tenant) {
			return open[i].Scope, nil
		}
	}
	return schema.Scope{}, refused(http.StatusNotFound, "no_breaker", "breaker: %s",
		fmt.Sprintf("none that is not closed has the generation %d: it was reset, or has changed since; load the panel again", generation))
}
