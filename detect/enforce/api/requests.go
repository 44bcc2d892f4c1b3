package api

import "flyball/schema"

// TripRequest opens a breaker by hand: for a time, or until a reset.
type TripRequest struct {
	// Scope is whom it is about. A run is given by its id, by at least six characters of
	// it, or by its own key, where the point has met it.
	Scope  schema.Scope `json:"scope"`
	Reason string       `json:"reason"`
	// Seconds after which it closes by itself, or UntilReset: one of the two.
	TTL        int64 `json:"ttl_seconds,omitempty"`
	UntilReset bool  `json:"until_reset,omitempty"`
	// Force takes a target that this point does not know as it is; nothing is looked up.
	Force bool `json:"force,omitempty"`
	// Agent, AgentTrust and Credential say who acts in the run, where the point does not
	// know it: later runs of theirs are held too.
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
	// IfMatch is the generation that was looked at; absent: any.
	IfMatch int64  `json:"if_match,omitempty"`
	By      string `json:"by,omitempty"`
}

func (ResetRequest) limits() limits {
	return limits{"reason": words(1, 1000), "if_match": number(1, 9_007_199_254_740_991), "by": text(0, 100)}
}

// BypassRequest puts the tenant to observe, or one established agent of it.
type BypassRequest struct {
	Seconds int64  `json:"for_seconds"`
	Agent   string `json:"agent,omitempty"`
	// Force takes an agent that this point does not know.
	Force  bool   `json:"force,omitempty"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (BypassRequest) limits() limits {
	return limits{"for_seconds": number(1, 86_400), "agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// EndBypassRequest ends a bypass before its time.
type EndBypassRequest struct {
	Agent  string `json:"agent,omitempty"` // absent: that of the tenant
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (EndBypassRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// ArmingRequest arms or disarms what a pattern stands for, or takes that back.
type ArmingRequest struct {
	Pattern string `json:"pattern"`
	Reason  string `json:"reason"`
	By      string `json:"by,omitempty"`
}

func (ArmingRequest) limits() limits {
	return limits{"pattern": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// ArmedAgentsRequest asks whether what is found about agents is enforced.
type ArmedAgentsRequest struct {
	Agents []string `json:"agents"`
	// Claimed are those of them whose name is only claimed: nothing disarms these by name.
	Claimed []string `json:"claimed,omitempty"`
}

func (ArmedAgentsRequest) limits() limits {
	return limits{"agents": wordList(1, 300), "claimed": wordList(1, 300)}
}

// AddExceptionRequest says that what a family finds about an agent is meant.
type AddExceptionRequest struct {
	Agent  string `json:"agent"`  // a name, or a pattern as billing/*
	Family string `json:"family"` // runaway.destroy, runaway.*
	// Routes on which it is meant, as "DELETE /v1/orders/{id}" or "tool:NAME"; absent: any.
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

// GrantRequest is a yes: once, for 15 minutes, to what was asked, unless it says otherwise.
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

// RefuseRequest is a no.
type RefuseRequest struct {
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (RefuseRequest) limits() limits {
	return limits{"reason": words(1, 1000), "by": text(0, 100)}
}

// DeclareTaskRequest says what a run is for.
type DeclareTaskRequest struct {
	RunKey   string   `json:"run_key"`
	Agent    string   `json:"agent"`
	TaskType string   `json:"task_type,omitempty"`
	Targets  []string `json:"targets,omitempty"`
	Seconds  int64    `json:"for_seconds"`
	Reason   string   `json:"reason,omitempty"`
	By       string   `json:"by,omitempty"`
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

// LabelFindingRequest says what a finding was.
type LabelFindingRequest struct {
	Is  schema.VerdictLabel `json:"is"`
	Why string              `json:"why"`
	By  string              `json:"by,omitempty"`
}

func (LabelFindingRequest) limits() limits {
	return limits{"why": words(1, 1000), "by": text(0, 100)}
}

// FreezeBaselineRequest keeps the counts of an agent's baseline as they are, or ends that.
type FreezeBaselineRequest struct {
	Agent  string `json:"agent"` // as baselines name it; * is every agent
	Reason string `json:"reason"`
	// Seconds after which it ends by itself; absent: somebody ends it.
	Seconds int64  `json:"for_seconds,omitempty"`
	Off     bool   `json:"off,omitempty"`
	By      string `json:"by,omitempty"`
}

func (FreezeBaselineRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "for_seconds": number(1, 31_622_400), "by": text(0, 100)}
}

// ResetBaselineRequest forgets the counts of an agent's baseline.
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

// DropManifestRequest takes a manifest away.
type DropManifestRequest struct {
	Agent  string `json:"agent"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (DropManifestRequest) limits() limits {
	return limits{"agent": words(1, 256), "reason": words(1, 1000), "by": text(0, 100)}
}

// ChangeSettingsRequest changes what every point folds by. What is absent stays.
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
