package boards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// act is a button that sends a command to Flyball through the data source's plugin, with the
// rights of the person who is logged in.
type act struct {
	title   string
	path    string
	confirm string      // names the scope
	sends   [][2]string // members in order; Grafana replaces what begins with $
	asks    []ask
}

// ask is a member that the reader types.
type ask struct {
	member   string
	variable string // that holds what was typed; Grafana takes a dashboard's variable of that name if nothing was
	question string
}

// action returns the button for Grafana.
//
// The members are in the query of the address, where Grafana encodes values. Into a body it puts
// them as they are: a quote in what was typed or in a row could begin another member. Of a row
// only ids, generations and words of closed lists are sent, never what an agent chose; the name
// of an agent is typed by the reader, which also confirms the wider scope.
func (a act) action() dashboard.Action {
	members := [][]string{}
	for _, m := range a.sends {
		members = append(members, []string{m[0], m[1]})
	}
	out := dashboard.Action{Type: dashboard.ActionTypeFetch, Title: a.title, Confirmation: new(a.confirm), OneClick: new(false)}
	for _, k := range a.asks {
		out.Variables = append(out.Variables, dashboard.ActionVariable{Key: k.variable, Name: k.question,
			Type: dashboard.ActionVariableTypeString})
		members = append(members, []string{k.member, "$" + k.variable})
	}
	out.Fetch = &dashboard.FetchOptions{Method: dashboard.HttpRequestMethodPOST, Url: "/api/datasources/uid/${ds}/resources/" + a.path,
		Headers: [][]string{{"Content-Type", "application/json"}}, QueryParams: members, Body: new("{}")}
	return out
}

var (
	askReason = ask{"reason", "reason", "Why (it stands in the audit trail)"}
	askFor    = ask{"for", "for", "For how long, such as 30m, 2h or 1d"}
)

// The buttons. A breaker is named by its generation, the rest by Flyball's ids.
var (
	tripRun = act{"Trip", "breakers/trip",
		"Hold run ${__data.fields.run} of agent ${__data.fields.agent}, and later runs of its agent or credential, for $for.",
		[][2]string{{"run", "${__data.fields.run}"}}, []ask{askFor, askReason}}
	resetBreaker = act{"Reset", "breakers/reset",
		"Let ${__data.fields.scope} call again (agent ${__data.fields.agent}, breaker ${__data.fields.generation}).",
		[][2]string{{"breaker", "${__data.fields.generation}"}}, []ask{askReason}}
	grantGate = act{"Grant", "gates/grant",
		"Allow ${__data.fields.call} on ${__data.fields.resource} of agent ${__data.fields.agent}, for one call of this run.",
		[][2]string{{"gate", "${__data.fields.gate}"}}, []ask{askReason}}
	refuseGate = act{"Refuse", "gates/refuse",
		"Refuse ${__data.fields.call} on ${__data.fields.resource} of agent ${__data.fields.agent}, in this run.",
		[][2]string{{"gate", "${__data.fields.gate}"}}, []ask{askReason}}
	markTrue = act{"True", "findings/verdict",
		"Record that the finding on run ${__data.fields.run} of agent ${__data.fields.agent} is right.",
		[][2]string{{"finding", "${__data.fields.finding}"}, {"verdict", "true"}}, []ask{askReason}}
	markBenign = act{"Benign", "findings/verdict",
		"Record that the finding on run ${__data.fields.run} of agent ${__data.fields.agent} is harmless.",
		[][2]string{{"finding", "${__data.fields.finding}"}, {"verdict", "benign"}}, []ask{askReason}}
	tripAgent = act{"Trip the agent", "breakers/trip", "Hold every run of agent $typed for $for. You chose ${__data.fields.agent}.", nil,
		[]ask{{"agent", "typed", "Type the agent's name: all its runs will be held"}, askFor, askReason}}
	except = act{"Except", "exceptions/add",
		"Take findings ${__data.fields.family} of agent $typed as meant for $for. You chose ${__data.fields.agent}.",
		[][2]string{{"family", "${__data.fields.family}"}},
		[]ask{{"agent", "typed", "Type the agent's name: such findings on it will be taken as meant"},
			{"for", "for", "For how long (1h is usual)"}, askReason}}
	endBypass = act{"End the bypass", "bypass/end", "End the bypass of the whole tenant: breakers and gates hold again.", nil,
		[]ask{askReason}}
)

func actions(of ...act) []dashboard.Action {
	out := []dashboard.Action{}
	for _, a := range of {
		out = append(out, a.action())
	}
	return out
}
