package boards

import (
	"slices"
	"strconv"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// act is a button that sends a command to Flyball through the data source's plugin, with the
// rights of the person who is logged in.
type act struct {
	title   string
	path    string
	confirm string      // names the scope
	sends   [][2]string // members in order; Grafana replaces what begins with $
	asks    [][2]string // what the reader must type: member, question
}

// action returns the button for Grafana.
//
// Grafana puts values into the text of the body as they are, so a name with a quote could end
// its member and begin another one. The row's values in a body are therefore ids, generations
// and words of closed lists, never what an agent chose; the name of an agent is typed by the
// reader, which also confirms the wider scope.
func (a act) action() dashboard.Action {
	out := dashboard.Action{Type: dashboard.ActionTypeFetch, Title: a.title, Confirmation: new(a.confirm), OneClick: new(false),
		Fetch: &dashboard.FetchOptions{Method: dashboard.HttpRequestMethodPOST, Url: "/api/datasources/uid/${ds}/resources/" + a.path,
			Headers: [][]string{{"Content-Type", "application/json"}}, QueryParams: [][]string{}}}
	members := slices.Clone(a.sends)
	for _, ask := range a.asks {
		out.Variables = append(out.Variables, dashboard.ActionVariable{Key: ask[0], Name: ask[1], Type: dashboard.ActionVariableTypeString})
		members = append(members, [2]string{ask[0], "$" + ask[0]})
	}
	out.Fetch.Body = new(object(members))
	return out
}

// object returns members as a JSON object in their order.
func object(members [][2]string) string {
	parts := make([]string, 0, len(members))
	for _, m := range members {
		parts = append(parts, strconv.Quote(m[0])+":"+strconv.Quote(m[1]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

var (
	askReason = [2]string{"reason", "Why (it stands in the audit trail)"}
	askFor    = [2]string{"for", "For how long, such as 30m, 2h or 1d"}
)

// The buttons. A breaker is named by its generation, the rest by Flyball's ids.
var (
	tripRun = act{"Trip", "breakers/trip",
		"Hold run ${__data.fields.run} of agent ${__data.fields.agent}, and later runs of its agent or credential, for $for.",
		[][2]string{{"run", "${__data.fields.run}"}}, [][2]string{askFor, askReason}}
	resetBreaker = act{"Reset", "breakers/reset",
		"Let ${__data.fields.scope} call again (agent ${__data.fields.agent}, breaker ${__data.fields.generation}).",
		[][2]string{{"breaker", "${__data.fields.generation}"}}, [][2]string{askReason}}
	grantGate = act{"Grant", "gates/grant",
		"Allow ${__data.fields.call} on ${__data.fields.resource} of agent ${__data.fields.agent}, for one call of this run.",
		[][2]string{{"gate", "${__data.fields.gate}"}}, [][2]string{askReason}}
	refuseGate = act{"Refuse", "gates/refuse",
		"Refuse ${__data.fields.call} on ${__data.fields.resource} of agent ${__data.fields.agent}, in this run.",
		[][2]string{{"gate", "${__data.fields.gate}"}}, [][2]string{askReason}}
	markTrue = act{"True", "findings/verdict",
		"Record that the finding on run ${__data.fields.run} of agent ${__data.fields.agent} is right.",
		[][2]string{{"finding", "${__data.fields.finding}"}, {"verdict", "true"}}, [][2]string{askReason}}
	markBenign = act{"Benign", "findings/verdict",
		"Record that the finding on run ${__data.fields.run} of agent ${__data.fields.agent} is harmless.",
		[][2]string{{"finding", "${__data.fields.finding}"}, {"verdict", "benign"}}, [][2]string{askReason}}
	tripAgent = act{"Trip the agent", "breakers/trip", "Hold every run of agent $agent for $for. You clicked ${__data.fields.agent}.", nil,
		[][2]string{{"agent", "Type the agent's name: all its runs will be held"}, askFor, askReason}}
	except = act{"Except", "exceptions/add",
		"Take findings ${__data.fields.family} of agent $agent as meant for $for. You clicked ${__data.fields.agent}.",
		[][2]string{{"family", "${__data.fields.family}"}},
		[][2]string{{"agent", "Type the agent's name: such findings on it will be taken as meant"},
			{"for", "For how long (1h is usual)"}, askReason}}
	endBypass = act{"End the bypass", "bypass/end", "End the bypass of the whole tenant: breakers and gates hold again.", nil,
		[][2]string{askReason}}
)

func actions(of ...act) []dashboard.Action {
	out := []dashboard.Action{}
	for _, a := range of {
		out = append(out, a.action())
	}
	return out
}
