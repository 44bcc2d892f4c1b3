package schema

import (
	"slices"
	"strconv"
	"strings"
)

// GateState is the state of a gate.
type GateState uint8

const (
	GatePending GateState = iota
	// GateGranted is an approval with uses left.
	GateGranted
	GateRefused
	// GateTimedOut is a gate without an answer in time. It counts as refused.
	GateTimedOut
	// GateUsed is an approval without uses left.
	GateUsed
	// GateEnded is an approval that has expired, or whose task has ended.
	GateEnded
)

// GateStateWords are the texts of GateState, by its number.
var GateStateWords = []string{"pending", "granted", "refused", "timed_out", "used", "ended"}

func (v GateState) String() string                { return word(GateStateWords, uint8(v)) }
func (v GateState) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *GateState) UnmarshalText(b []byte) error { return parse(GateStateWords, b, v) }

// Gate is a question to a person about a call, and the answer. It is bound to the caller, to
// one route and to one resource.
type Gate struct {
	ID     string `json:"gate_id"`
	Tenant string `json:"tenant"`
	// Holder is the caller: "run:…" if the request names its run, otherwise "credential:…" or
	// "agent:…".
	Holder       string `json:"holder"`
	RunID        RunID  `json:"run_id,omitzero"`
	RunKey       string `json:"run_key,omitempty"`
	AgentID      string `json:"agent_id,omitempty"`
	CredentialID string `json:"credential_id,omitempty"`
	PrincipalID  string `json:"principal_id,omitempty"`
	// Standing of the caller; nil in records of versions without this member.
	Standing *Standing `json:"standing,omitempty"`
	Route    string    `json:"route"`              // "METHOD /template"
	Resource string    `json:"resource,omitempty"` // "order:123"; empty if the call names none
	// Host is the host of the call, Path its path without secrets, and Resources are all that it names. They are for
	// people: no decision and no digest depends on them, and a version without them drops them.
	Host      string   `json:"host,omitempty"`
	Path      string   `json:"path,omitempty"`
	Resources []string `json:"resources,omitempty"`
	// BodyUnseen says that the check did not see the body of the call, or not all of it: BodyNotShown or BodyCut. A grant then
	// holds for any body of the same length, or of the same beginning. It is for people, as Path is.
	BodyUnseen string `json:"body_unseen,omitempty"`
	// Binding is the version of the values that a grant is bound to. 0: the resource, and
	// ArgsDigest if the body was seen. BindingAll: all known values of the call.
	Binding uint8 `json:"binding,omitempty"`
	// ArgsDigest covers the whole request: method, host, path, query, and the part of the body that
	// the gateway sent. It is empty if a grant is for several resources.
	ArgsDigest string `json:"args_digest,omitempty"`
	// QueryDigest covers the query without the parameters that name resources, hexadecimal.
	QueryDigest string `json:"query_digest,omitempty"`
	Amount      string `json:"amount,omitempty"`
	Currency    string `json:"currency,omitempty"`
	Why         string `json:"why"` // the named reason for the question
	// SoFar counts the calls of the run that the point has allowed.
	SoFar Exposure `json:"so_far"`
	Mode  Mode     `json:"mode"` // observe: the call was not held

	State GateState `json:"state"`
	// Generation is the offset in flyball.commands of the record that made this state, plus one.
	Generation uint64 `json:"generation"`
	AskedAt    int64  `json:"asked_at_ns"` // the log's clock, Unix ns
	Expires    int64  `json:"expires_ns"`  // end of the question while pending, then end of the answer
	DecidedAt  int64  `json:"decided_at_ns,omitempty"`
	By         string `json:"by,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Uses       int    `json:"uses,omitempty"` // uses left
}

// Values of Gate.BodyUnseen.
const (
	BodyNotShown = "not_shown" // the gateway sends no bodies to the check
	BodyCut      = "cut"       // the gateway sent the beginning
)

// Call returns the call of a question as it was sent: method, host if the gateway names it, path, and what is not known of its
// body. A record of a version without the path has the route.
func (g *Gate) Call() string {
	method, _, isHTTP := strings.Cut(g.Route, " ")
	body := ""
	switch g.BodyUnseen {
	case BodyNotShown:
		body = " with a body that was not shown"
	case BodyCut:
		body = " with a body of which the beginning was shown"
	}
	switch {
	case g.Path == "":
		return g.Route + body
	case isHTTP:
		return method + " " + g.Host + g.Path + body
	}
	return g.Route + " on " + g.Host + g.Path + body
}

// About returns the resources of a call, separated by commas. If a person has
// approved another resource or a pattern, it is that.
func (g *Gate) About() string {
	if len(g.Resources) > 0 && (g.Resource == "" || slices.Contains(g.Resources, g.Resource)) {
		return strings.Join(g.Resources, ", ")
	}
	return g.Resource
}

// Caller names the run, credential or agent that a question is about.
func (g *Gate) Caller() string {
	kind, id, ok := strings.Cut(g.Holder, ":")
	switch {
	case kind == "run" && g.RunKey != "":
		return "run " + g.RunKey
	case ok:
		return kind + " " + id
	}
	return g.Holder
}

// BindingAll binds a grant to the route, resource, amount, currency, query, arguments
// and body of the call in question.
const BindingAll = 2

// GateID returns the id of the n-th question about a route for one holder.
func GateID(tenant, holder, route string, n int) string {
	return shortID("g", tenant, holder, route, strconv.Itoa(n))
}

// Task is the purpose that an orchestrator declared for a run.
type Task struct {
	ID      string `json:"task_id"`
	Tenant  string `json:"tenant"`
	RunKey  string `json:"run_key"`
	AgentID string `json:"agent_id"`
	Type    string `json:"task_type,omitempty"`
	// Targets are the resources that the task may write, as patterns: "order:123", "order:*".
	// Without any, only the manifest limits the run.
	Targets    []string `json:"targets,omitempty"`
	Declared   int64    `json:"declared_ns"` // the log's clock, Unix ns
	Expires    int64    `json:"expires_ns"`
	Ended      int64    `json:"ended_ns,omitempty"`
	By         string   `json:"by,omitempty"`
	Generation uint64   `json:"generation"`
}

// TaskID returns the id of the task of an agent's run.
func TaskID(tenant, agent, runKey string) string { return shortID("t", tenant, agent, runKey) }

// HasEnded reports whether the task has ended at a time of the log's clock.
func (t *Task) HasEnded(now int64) bool { return t.Ended != 0 || now >= t.Expires }
