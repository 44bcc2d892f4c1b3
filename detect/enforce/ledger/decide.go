package ledger

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/manifest"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// Request is what State.Decide decides on: a call, and how far its point can enforce.
type Request struct {
	enforce.Request
	// LogStale: the log has not spoken for a while; the failure mode decides what is not read-only.
	LogStale bool
	// ShareExceeded: callers of a claimed identity ask for more work than their share; the
	// failure mode decides, and nothing is claimed from the log.
	ShareExceeded bool
	// Armed says whether what a family of policy finds is enforced for the agent by the
	// configuration; commands of arming come before it.
	Armed func(agent, family string) bool
	// Tags of an agent by the registry; nil: none.
	Tags func(agent string) []string
	// ApprovalWithoutManifest: irreversible calls of agents without a manifest ask for a yes.
	ApprovalWithoutManifest bool
	// Scopes are the learned ones; nil: there are none to go by.
	Scopes *scope.Guard
}

// Objection is one thing that was weighed.
type Objection struct {
	By     string        `json:"by"` // breaker, manifest, task, learned_scope, asserted_manifest, failure_mode
	Action schema.Action `json:"action"`
	Why    string        `json:"why"`
	Mode   schema.Mode   `json:"mode"`
	About  string        `json:"about,omitempty"` // the breaker's scope, or the line of the manifest
}

// Decision on a request.
type Decision struct {
	// Action that is enforced, and the one that would be if everything were armed.
	Action, Would schema.Action
	Why           string // of Action
	WouldWhy      string // of Would, where it is more
	By            string
	Breaker       *schema.Breaker // that decided, or that would have
	OtherRun      bool            // Breaker is on another run of the same holder
	Probe         bool            // the request passes if it claims a probe of Breaker
	Line          string          // of the manifest that decided
	Manifest      uint64          // version; 0 there is none
	ManifestOf    string          // the name or pattern that it is of
	Task          *schema.Task
	Spends        []manifest.Spend // what the call takes out of quotas if it passes
	Bypassed      bool

	// Scope is where the call lies in what was learned, where that was asked.
	Scope scope.Assessment

	objections [6]Objection
	n          int
}

// Objections is everything that was weighed, in the order of weighing.
func (d *Decision) Objections() []Objection { return d.objections[:d.n] }

// Named reasons beside those of breakers and manifests.
const (
	WhyClear  = "clear"
	WhyBypass = "bypass"
	// WhyShareExceeded belongs to the family of failure modes, as manifest.WhyStale does.
	WhyShareExceeded = "policy.failure:too_much_claimed_work"
)

// Decide weighs what speaks against a request: breakers, then the manifest of the
// agent (with its task), or where it has none the scope that was learned of it, then the manifest of a name that was only asserted, then
// the failure mode while the log is away. The most severe enforced action wins
// (deny, gate, throttle, annotate); among equals the first in that order. What
// is only observed never wins, and is told beside the answer. A bypass of the
// tenant, or of the established agent, makes all of it observed.
func (s *State) Decide(r *Request) Decision {
	c := r.Call
	d := Decision{Why: WhyClear}
	_, d.Bypassed = s.Breakers.BypassForAgent(c.Tenant, c.AgentID, c.AgentTrust, s.Position.Time)
	v := s.Breakers.Match(&breaker.Query{Tenant: c.Tenant, AgentID: c.AgentID, AgentVersion: c.AgentVersion, AgentTrust: c.AgentTrust, CredentialID: c.CredentialID,
		Parents: r.Parents, Credentials: r.Credentials, Claimed: r.Claimed, Standing: s.Standing(c),
		PrincipalID: c.PrincipalID, PrincipalTrust: c.PrincipalTrust, ClientIP: c.ClientIP, RunID: r.RunID, RunFirstSeen: r.RunFirstSeen,
		Route: RouteOf(c), Call: c, ReadOnly: c.Reversibility == schema.ReadOnly, Risky: breaker.Risky(c.Reversibility)}, s.Position.Time)
	if v.Breaker != nil {
		d.weigh(Objection{By: "breaker", Action: v.Action, Why: v.Why, Mode: schema.ModeArmed, About: v.Breaker.Scope.String()})
		if d.By == "breaker" || d.Bypassed {
			d.Breaker, d.OtherRun, d.Probe = v.Breaker, v.OtherRun, v.Probe
		}
	}
	d.Task = s.Tasks.ForRun(c.Tenant, c.AgentID, c.RunKey)
	s.policy(r, &d)
	if r.LogStale || r.ShareExceeded {
		why := manifest.WhyLogStale
		if !r.LogStale {
			why = WhyShareExceeded
		}
		m, _ := s.Manifests.ForAgent(c.Tenant, c.AgentID, c.AgentTrust)
		if action := m.WhenLogStale(c.Reversibility); action > schema.ActionNone {
			d.weigh(Objection{By: "failure_mode", Action: action, Why: why, Mode: s.mode(r, why), About: c.Reversibility.String()})
		}
	}
	if d.Probe { // a probe passes what the breaker holds, and nothing else
		for _, other := range d.objections[1:d.n] {
			if other.Mode == schema.ModeArmed && other.Action >= schema.ActionGate {
				d.Probe = false
			}
		}
	}
	if d.Bypassed && d.Would > schema.ActionNone {
		d.Why = WhyBypass
	}
	return d
}

// RouteOf is how breakers, gates and reports name a call's route: "METHOD /template",
// or the tool.
func RouteOf(c *schema.Call) string { return c.RouteName() }

func (s *State) policy(r *Request, d *Decision) {
	c := r.Call
	ask := manifest.Ask{Call: c, Now: s.Position.Time, Task: d.Task, AssertedType: r.ClaimedTaskType}
	m, doc := s.Manifests.ForAgent(c.Tenant, c.AgentID, c.AgentTrust)
	switch {
	case m != nil:
		a := m.Evaluate(ask)
		d.Manifest, d.ManifestOf, d.Spends = doc.Version, doc.Agent, a.Spends
		s.judge(d, r, "manifest", a)
	case d.Task != nil:
		s.judge(d, r, "task", manifest.EvaluateTask(d.Task, c, s.Position.Time))
	}
	switch {
	case m != nil:
	case r.ApprovalWithoutManifest && c.Reversibility == schema.Irreversible:
		s.judge(d, r, "manifest", manifest.Evaluation{Action: schema.ActionGate, Why: manifest.WhyNoManifest, Line: "control.without_manifest"})
	}
	if m == nil && r.Scopes != nil {
		s.learned(d, r)
	}
	if c.AgentTrust >= schema.TrustInfrastructure || c.AgentID == "" {
		return
	}
	if named := s.Manifests.ForClaimedName(c.Tenant, c.AgentID); named != nil && named != m {
		a := named.Evaluate(ask) // a name that was only asserted narrows and never widens
		s.judge(d, r, "asserted_manifest", a)
	}
}

func (s *State) judge(d *Decision, r *Request, by string, a manifest.Evaluation) {
	if a.Action == schema.ActionNone {
		return
	}
	if d.weigh(Objection{By: by, Action: a.Action, Why: a.Why, Mode: s.mode(r, a.Why), About: a.Line}) {
		d.Line = a.Line
	}
}

func (s *State) mode(r *Request, why string) schema.Mode {
	if s.Armed(r, ReasonFamily(why)) {
		return schema.ModeArmed
	}
	return schema.ModeObserve
}

// ReasonFamily of a named reason: what can be armed by itself, as policy.scope.
func ReasonFamily(why string) string {
	for i := range len(why) {
		if why[i] == ':' {
			return why[:i]
		}
	}
	return why
}

// weigh takes a consideration in and reports whether it decides.
func (d *Decision) weigh(c Objection) bool {
	if d.n < len(d.objections) {
		d.objections[d.n] = c
		d.n++
	}
	if c.Action > d.Would {
		d.Would, d.WouldWhy = c.Action, c.Why
	}
	if d.Bypassed || c.Mode != schema.ModeArmed || c.Action <= d.Action {
		return false
	}
	d.Action, d.Why, d.By = c.Action, c.Why, c.By
	return true
}
