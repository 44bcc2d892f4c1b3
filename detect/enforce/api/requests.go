package api

import "flyball/schema"

// TripRequest opens a breaker by hand: for a time, or until a reset.
type TripRequest struct {
	// Scope is what the breaker holds. A run is given by its id, by at least six characters of it,
	// or by its own key if the point has seen the run.
	Scope  schema.Scope `json:"scope"`
	Reason string       `json:"reason"`
	// TTL is the number of seconds after which the breaker closes by itself. Either TTL or
	// UntilReset is set.
	TTL        int64 `json:"ttl_seconds,omitempty"`
	UntilReset bool  `json:"until_reset,omitempty"`
	// Force accepts a target that this point has not seen; it is not looked up.
	Force bool `json:"force,omitempty"`
	// Agent, AgentTrust and Credential name the holder of a run that the point has not seen: the
	// holder's later runs are held, too.
	Agent      string       `json:"agent,omitempty"`
	AgentTrust schema.Trust `json:"agent_trust,omitempty"`
	Credential string       `json:"credential,omitempty"`
	By         string       `json:"by,omitempty"`
}

func (TripRequest) limits() limits {
	return limits{
		"reason": words(1, 1000), "ttl_seconds": number(1, 31_622_400), "agent": words(1, 256), "credential": words(1, 256),
		"by": text(0, 100),
	}
}

// ResetRequest closes a breaker.
type ResetRequest struct {
	Scope  schema.Scope `json:"scope"`
	Reason string       `json:"reason"`
	// IfMatch is the generation that the breaker must have; absent: any.
	IfMatch int64  `json:"if_match,omitempty"`
	By      string `json:"by,omitempty"`
}

func (ResetRequest) limits() limits {
	return limits{"reason": words(1, 1000), "if_match": number(1, 9_007_199_254_740_991), "by": text(0, 100)}
}

// BypassRequest sets the tenant, or one established agent of it, to mode observe.
type BypassRequest struct {
	Seconds int64  `json:"for_seconds"`
	Agent   string `json:"agent,omitempty"`
	// Force accepts an agent that this point has not seen.
	Force  bool   `json:"force,omitempty"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (BypassRequest) limits() limits {
	return limits{"for_seconds": number(1, 86_400), "agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// EndBypassRequest ends a bypass before its time.
type EndBypassRequest struct {
	Agent  string `json:"agent,omitempty"` // absent: the bypass of the tenant
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (EndBypassRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// ArmingRequest arms or disarms a pattern, or clears the commands about it.
type ArmingRequest struct {
	Pattern string `json:"pattern"`
	Reason  string `json:"reason"`
	By      string `json:"by,omitempty"`
}

func (ArmingRequest) limits() limits {
	return limits{"pattern": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// RouteRequest pins or undoes a template of learned routes, or clears the order about it.
type RouteRequest struct {
	// Route is a method and a template, as "GET /repos/{owner}/{name}/issues".
	Route  string `json:"route"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (RouteRequest) limits() limits {
	return limits{"route": words(1, 560), "reason": words(1, 1000), "by": text(0, 100)}
}

// ArmedAgentsRequest queries whether findings about agents are enforced.
type ArmedAgentsRequest struct {
	Agents []string `json:"agents"`
	// Claimed are those of Agents whose name is only claimed: commands do not disarm these by name.
	Claimed []string `json:"claimed,omitempty"`
}

func (ArmedAgentsRequest) limits() limits {
	return limits{"agents": wordList(1, 300), "claimed": wordList(1, 300)}
}

// AddExceptionRequest adds an exception for a family of findings about an agent.
type AddExceptionRequest struct {
	Agent  string `json:"agent"`  // a name, or a pattern as billing/*
	Family string `json:"family"` // runaway.destroy, runaway.*
	// Routes on which the findings are expected, as "DELETE /v1/orders/{id}" or "tool:NAME";
	// absent: any.
	Routes  []string `json:"routes,omitempty"`
	Seconds int64    `json:"for_seconds"`
	Reason  string   `json:"reason"`
	By      string   `json:"by,omitempty"`
}

func (AddExceptionRequest) limits() limits {
	return limits{
		"agent": words(1, 256), "family": words(1, 256), "routes": wordList(1, 50), "for_seconds": number(1, 31_622_400),
		"reason": words(1, 1000), "by": text(0, 100),
	}
}

// RemoveExceptionRequest removes an exception.
type RemoveExceptionRequest struct {
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (RemoveExceptionRequest) limits() limits {
	return limits{"reason": words(1, 1000), "by": text(0, 100)}
}

// GrantRequest approves a call: by default once, within 15 minutes, for the resource of the request.
type GrantRequest struct {
	Reason   string `json:"reason"`
	Seconds  int64  `json:"for_seconds,omitempty"`
	Uses     int    `json:"uses,omitempty"`
	Resource string `json:"resource,omitempty"`
	By       string `json:"by,omitempty"`
}

func (GrantRequest) limits() limits {
	return limits{
		"reason": words(1, 1000), "for_seconds": number(1, 86_400), "uses": number(1, 1000), "resource": resource(1, 256),
		"by": text(0, 100),
	}
}

// RefuseRequest refuses a call that waits for approval.
type RefuseRequest struct {
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (RefuseRequest) limits() limits {
	return limits{"reason": words(1, 1000), "by": text(0, 100)}
}

// DeclareTaskRequest declares what a run may write, and until when.
type DeclareTaskRequest struct {
	RunKey   string   `json:"run_key"`
	Agent    string   `json:"agent"`
	TaskType string   `json:"task_type,omitempty"`
	Targets  []string `json:"targets,omitempty"`
	Seconds  int64    `json:"for_seconds"`
	// Force accepts an agent that neither this point nor the registry nor a manifest knows, and a task
	// type that the agent's manifest does not name.
	Force  bool   `json:"force,omitempty"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

func (DeclareTaskRequest) limits() limits {
	return limits{
		"run_key": words(1, 256), "agent": words(1, 256), "task_type": text(0, 256), "targets": resourceList(0, 1000),
		"for_seconds": number(1, 604_800), "reason": text(0, 1000), "by": text(0, 100),
	}
}

// EndTaskRequest ends a task.
type EndTaskRequest struct {
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

func (EndTaskRequest) limits() limits {
	return limits{"reason": text(0, 1000), "by": text(0, 100)}
}

// LabelFindingRequest records a verdict on a finding.
type LabelFindingRequest struct {
	Is  schema.VerdictLabel `json:"is"`
	Why string              `json:"why"`
	// Replace puts the verdict in the place of a different one. The history keeps both.
	Replace bool   `json:"replace,omitempty"`
	By      string `json:"by,omitempty"`
}

func (LabelFindingRequest) limits() limits {
	return limits{"why": words(1, 1000), "by": text(0, 100)}
}

// FreezeBaselineRequest freezes the counts of an agent's baseline, or ends the freeze.
type FreezeBaselineRequest struct {
	Agent  string `json:"agent"` // as in baselines; * is every agent
	Reason string `json:"reason"`
	// Seconds after which the freeze ends by itself; absent: only a command ends it.
	Seconds int64  `json:"for_seconds,omitempty"`
	Off     bool   `json:"off,omitempty"`
	By      string `json:"by,omitempty"`
}

func (FreezeBaselineRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "for_seconds": number(1, 31_622_400), "by": text(0, 100)}
}

// ResetBaselineRequest resets the counts of an agent's baseline.
type ResetBaselineRequest struct {
	Agent  string `json:"agent"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (ResetBaselineRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// PutManifestRequest puts a manifest in force: its text as YAML.
type PutManifestRequest struct {
	Text   string `json:"text"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (PutManifestRequest) limits() limits {
	return limits{"text": words(1, 65_536), "reason": words(1, 1000), "by": text(0, 100)}
}

// DropManifestRequest removes a manifest.
type DropManifestRequest struct {
	Agent  string `json:"agent"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (DropManifestRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// ChangeSettingsRequest changes the settings that all points share. Absent members are not changed.
type ChangeSettingsRequest struct {
	TripsPerHour  *int   `json:"trips_per_hour,omitempty"`
	AgentsPercent *int   `json:"agents_percent,omitempty"`
	Reason        string `json:"reason"`
	By            string `json:"by,omitempty"`
}

func (ChangeSettingsRequest) limits() limits {
	return limits{
		"trips_per_hour": number(0, 1_000_000), "agents_percent": number(0, 100), "reason": words(1, 1000), "by": text(0, 100),
	}
}
