package ledger

import (
	"strings"

	"flyball/detect/enforce"
	"flyball/detect/enforce/arming"
	"flyball/detect/enforce/manifest"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// Request is the input of State.Decide: a call, and how its point enforces.
type Request struct {
	enforce.Request
	// LogStale: the point has read no record of the log for a while. The failure mode decides on
	// calls that are not read-only.
	LogStale bool
	// ShareExceeded: callers with a claimed identity use more than their share of the work. The
	// failure mode decides, and nothing is claimed from the log.
	ShareExceeded bool
	// Armed reports whether the configuration enforces a family for an agent; nil: it
	// enforces nothing. Commands of arming take precedence.
	Armed func(agent, family string) bool
	// Tags returns the tags of an agent in the registry; nil: there are none.
	Tags func(agent string) []string
	// ApprovalWithoutManifest: irreversible calls of agents without a manifest need approval.
	ApprovalWithoutManifest bool
	// Scopes are the learned scopes; nil: none are used.
	Scopes *scope.Guard
}

// Objection is one reason to stop or restrict a request.
type Objection struct {
	By     string        `json:"by"` // breaker, manifest, task, learned_scope, asserted_manifest, failure_mode
	Action schema.Action `json:"action"`
	Why    string        `json:"why"`
	Mode   schema.Mode   `json:"mode"`
	About  string        `json:"about,omitempty"` // scope of the breaker, or line of the manifest
}

// Decision is the result of State.Decide for one request.
type Decision struct {
	// Action is enforced; Would is the action if everything were armed.
	Action, Would schema.Action
	Why           string          // of Action
	WouldWhy      string          // named reason of Would
	By            string          // source of the objection that decided; see Objection.By
	Breaker       *schema.Breaker // the breaker that decides, or would decide
	OtherRun      bool            // Breaker is on another run of the same caller
	Probe         bool            // the request passes if it claims a probe of Breaker
	Line          string          // line of the manifest that decides
	Manifest      uint64          // version; 0: there is none
	ManifestOf    string          // name or pattern of the manifest
	Task          *schema.Task
	Spends        []manifest.Spend // what the call spends of quotas if it passes
	Bypassed      bool

	// Scope is the placement of the call in a learned scope, if one was used.
	Scope scope.Assessment

	objections [6]Objection
	n          int
}

// Objections returns all objections to the request, in the order of checking.
func (d *Decision) Objections() []Objection { return d.objections[:d.n] }

// Named reasons in addition to those of breakers and manifests.
const (
	WhyClear  = "clear"
	whyBypass = "bypass"
	// WhyShareExceeded belongs to the family of failure modes, as manifest.WhyLogStale does.
	WhyShareExceeded = "policy.failure:too_much_claimed_work"
	// whyLearned is the prefix of the reasons of learned scopes, which are armed as one family.
	whyLearned = "scope.learned:"
)

// Decide collects the objections to a request, in this order: breakers; the manifest of the agent
// with its task, or without a manifest the learned scope; the manifest of a name that is only
// asserted; the failure mode while the log is stale. The most severe enforced objection decides
// (deny, gate, throttle, annotate), among equals the first. An objection that is only observed
// never decides, but counts in Decision.Would. A bypass of the tenant, or of the established agent,
// makes all objections observed.
func (s *State) Decide(r *Request) Decision {
	d := decider{s: s, r: r, request: r.Request, Decision: Decision{Why: WhyClear}}
	c := r.Call
	d.Task = s.Tasks.ForRun(c.Tenant, c.AgentID, c.RunKey)
	d.request.Standing, d.request.Task = s.Standing(c), d.Task
	_, d.Bypassed = s.Breakers.BypassForAgent(c.Tenant, c.AgentID, c.AgentTrust, s.Position.Time)
	d.breakers()
	d.manifests()
	d.failureMode()
	d.probe()
	if d.Bypassed && d.Would > schema.ActionNone {
		d.Why = whyBypass
	}
	return d.Decision
}

// decider makes one decision.
type decider struct {
	s       *State
	r       *Request
	request enforce.Request // with the standing and the task from the state
	Decision
}

func (d *decider) breakers() {
	m := d.s.Breakers.Match(&d.request, d.s.Position.Time)
	if m.Breaker == nil {
		return
	}
	d.add(Objection{By: "breaker", Action: m.Action, Why: m.Why, Mode: schema.ModeArmed, About: m.Breaker.Scope.String()})
	if d.By == "breaker" || d.Bypassed {
		d.Breaker, d.OtherRun, d.Probe = m.Breaker, m.OtherRun, m.Probe
	}
}

func (d *decider) manifests() {
	c, now := d.r.Call, d.s.Position.Time
	m, doc := d.s.Manifests.ForAgent(c.Tenant, c.AgentID, c.AgentTrust)
	switch {
	case m != nil:
		e := m.Evaluate(&d.request, now)
		d.Manifest, d.ManifestOf, d.Spends = doc.Version, doc.Agent, e.Spends
		d.evaluation("manifest", e)
	case d.Task != nil:
		d.evaluation("task", manifest.EvaluateTask(d.Task, c, now))
	}
	if m == nil {
		if d.r.ApprovalWithoutManifest && c.Reversibility == schema.Irreversible {
			d.evaluation("manifest", manifest.Evaluation{Action: schema.ActionGate, Why: manifest.WhyNoManifest, Line: "control.without_manifest"})
		}
		if d.r.Scopes != nil {
			d.learnedScope()
		}
	}
	if c.AgentTrust >= schema.TrustInfrastructure || c.AgentID == "" {
		return
	}
	if named := d.s.Manifests.ForClaimedName(c.Tenant, c.AgentID); named != nil && named != m {
		d.evaluation("asserted_manifest", named.Evaluate(&d.request, now)) // it can only narrow
	}
}

func (d *decider) evaluation(by string, e manifest.Evaluation) {
	if e.Action == schema.ActionNone {
		return
	}
	if d.add(Objection{By: by, Action: e.Action, Why: e.Why, Mode: d.mode(ReasonFamily(e.Why)), About: e.Line}) {
		d.Line = e.Line
	}
}

func (d *decider) failureMode() {
	why := manifest.WhyLogStale
	switch {
	case d.r.LogStale:
	case d.r.ShareExceeded:
		why = WhyShareExceeded
	default:
		return
	}
	c := d.r.Call
	m, _ := d.s.Manifests.ForAgent(c.Tenant, c.AgentID, c.AgentTrust)
	if action := m.WhenLogStale(c.Reversibility); action > schema.ActionNone {
		d.add(Objection{By: "failure_mode", Action: action, Why: why, Mode: d.mode(ReasonFamily(why)), About: c.Reversibility.String()})
	}
}

// probe withdraws the probe if anything but the breaker stops the request: a probe passes only the
// breaker.
func (d *decider) probe() {
	if !d.Probe {
		return
	}
	for _, o := range d.objections[1:d.n] {
		if o.Mode == schema.ModeArmed && o.Action >= schema.ActionGate {
			d.Probe = false
		}
	}
}

func (d *decider) mode(family string) schema.Mode {
	if d.s.Armed(d.r, family) {
		return schema.ModeArmed
	}
	return schema.ModeObserve
}

// add adds an objection and reports whether it is the most severe so far.
func (d *decider) add(o Objection) bool {
	if d.n < len(d.objections) {
		d.objections[d.n] = o
		d.n++
	}
	if o.Action > d.Would {
		d.Would, d.WouldWhy = o.Action, o.Why
	}
	if d.Bypassed || o.Mode != schema.ModeArmed || o.Action <= d.Action {
		return false
	}
	d.Action, d.Why, d.By = o.Action, o.Why, o.By
	return true
}

// Armed reports whether a family is enforced for the caller of a request: by the commands of arming
// for the agent, else by the configuration.
func (s *State) Armed(r *Request, family string) bool {
	c := r.Call
	configured := r.Armed != nil && r.Armed(c.AgentID, family)
	if s.Arming.Empty() {
		return configured
	}
	sub := arming.Subject{Tenant: c.Tenant, Agent: c.AgentID, Trust: c.AgentTrust, Family: family}
	if r.Tags != nil {
		sub.Tags = r.Tags(c.AgentID)
	}
	return s.Arming.Decide(sub, configured).Armed
}

// ReasonFamily returns the family of a named reason, which can be armed: policy.scope for
// policy.scope:route_outside.
func ReasonFamily(why string) string {
	family, _, _ := strings.Cut(why, ":")
	return family
}
