package schema

// CommandKind is the change that a command requests.
type CommandKind uint8

const (
	CommandNone CommandKind = iota
	// CommandTrip opens a breaker because of a finding.
	CommandTrip
	// CommandForceOpen opens a breaker by hand; only a reset closes it.
	CommandForceOpen
	// CommandReset closes a breaker.
	CommandReset
	// CommandBypass sets a tenant to observe for a limited time.
	CommandBypass
	// CommandTick advances the log's clock and carries the number of active agents.
	CommandTick
	// CommandProbe claims the right to allow one read through a half-open breaker.
	CommandProbe
	// CommandAsk opens a gate: a call waits for a person's approval.
	CommandAsk
	// CommandGrant approves the call and CommandRefuse rejects it.
	CommandGrant
	CommandRefuse
	// CommandUse claims one use of a grant.
	CommandUse
	// CommandTask declares a task and CommandTaskEnd ends it.
	CommandTask
	CommandTaskEnd
	// CommandManifest puts a manifest in force and CommandManifestDrop removes it.
	CommandManifest
	CommandManifestDrop
	// CommandLease requests a share of a quota.
	CommandLease
	// CommandVerdict records a person's verdict on a finding.
	CommandVerdict
	// CommandBaseline freezes or resets an agent's baseline.
	CommandBaseline
	// CommandSettings sets parameters of enforcement: the trip budget and other limits.
	CommandSettings
	// CommandArm enforces the decisions for the agents, tags or families of a pattern; after
	// CommandDisarm they are only recorded.
	CommandArm
	CommandDisarm
	// CommandBypassEnd ends a bypass before its time.
	CommandBypassEnd
	// CommandException marks a kind of findings as intended; CommandExceptionRemove removes the mark.
	CommandException
	CommandExceptionRemove
	// CommandProven records that the API has accepted a credential often enough for it to count as proven.
	CommandProven
	// CommandAck acknowledges an incident.
	CommandAck
	// CommandSilence adds a silence and CommandSilenceEnd ends one.
	CommandSilence
	CommandSilenceEnd
	// CommandHold keeps the rows of a run beyond their retention, until CommandHoldRelease.
	CommandHold
	CommandHoldRelease
	// CommandPurge records that the rows of a principal are deleted.
	CommandPurge
	// CommandAckUndo takes the acknowledgement of an incident back.
	CommandAckUndo
	// CommandRoutePin keeps a template of learned routes, CommandRouteUndo keeps one away, and
	// CommandRouteClear removes what the other two ordered.
	CommandRoutePin
	CommandRouteUndo
	CommandRouteClear
)

// CommandKindWords are the texts of CommandKind, by its number.
var CommandKindWords = []string{"none", "trip", "force_open", "reset", "bypass", "tick", "probe", "ask", "grant", "refuse", "use",
	"task", "task_end", "manifest", "manifest_drop", "lease", "verdict", "baseline",
	"settings", "arm", "disarm", "bypass_end", "exception", "exception_remove", "proven",
	"ack", "silence", "silence_end", "hold", "hold_release", "purge",
	"ack_undo", "route_pin", "route_undo", "route_clear"}

func (v CommandKind) String() string                { return word(CommandKindWords, uint8(v)) }
func (v CommandKind) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *CommandKind) UnmarshalText(b []byte) error { return parse(CommandKindWords, b, v) }

// CommandsFeature is the highest Feature number that this binary folds.
const CommandsFeature = 4

// Feature returns the feature number of a kind; each release that adds kinds has a higher
// number. A kind may be written only after every live point announces this number or a higher
// one (PointState.Reads).
func (v CommandKind) Feature() int {
	switch {
	case v <= CommandBaseline:
		return 1
	case v <= CommandProven:
		return 2
	case v <= CommandPurge:
		return 3
	}
	return 4
}

// Command is one record of flyball.commands: a requested change. The fold at every
// point decides whether it takes effect, in the order of the log and by the log's
// clock (the time at which the broker appended the record).
type Command struct {
	ID     string      `json:"id"` // a second command with the same id has no effect
	Kind   CommandKind `json:"kind"`
	Tenant string      `json:"tenant,omitempty"`
	Scope  Scope       `json:"scope,omitzero"`
	By     string      `json:"by,omitempty"`   // the sender: detect, a point, or an operator's name
	Role   string      `json:"role,omitempty"` // role of the operator's token
	Reason string      `json:"reason,omitempty"`
	TTL    int64       `json:"ttl_ns,omitempty"`
	// IfMatch is the generation of the breaker that a reset or a probe applies to; 0 is any.
	IfMatch uint64 `json:"if_match,omitempty"`

	// The following members belong to a trip.
	Decision *Decision `json:"decision,omitempty"`
	Exposure Exposure  `json:"exposure,omitzero"`
	// ActiveAgents is the number of the tenant's agents that the sender has seen in the last
	// hour.
	ActiveAgents int `json:"active_agents,omitempty"`

	Gate     *Gate          `json:"gate,omitempty"`     // of ask, grant, refuse, use
	Task     *Task          `json:"task,omitempty"`     // of task, task_end
	Manifest *Manifest      `json:"manifest,omitempty"` // of manifest, manifest_drop
	Lease    *Lease         `json:"lease,omitempty"`
	Verdict  *Verdict       `json:"verdict,omitempty"`
	Baseline *BaselineOrder `json:"baseline,omitempty"`
	// Arming belongs to arm and disarm, Exception to exception and exception_remove.
	Arming    *ArmingOrder    `json:"arming,omitempty"`
	Exception *ExceptionOrder `json:"exception,omitempty"`

	Settings *Settings `json:"settings,omitempty"`

	Ack     *AckOrder     `json:"ack,omitempty"`     // of ack, ack_undo
	Silence *SilenceOrder `json:"silence,omitempty"` // of silence, silence_end
	Hold    *HoldOrder    `json:"hold,omitempty"`    // of hold, hold_release
	Purge   *PurgeOrder   `json:"purge,omitempty"`   // of purge
	Route   *RouteOrder   `json:"route,omitempty"`   // of route_pin, route_undo, route_clear

	// Holder is the caller of the run that a trip, or an operator's breaker on a run, applies
	// to.
	Holder *Holder `json:"holder,omitempty"`
}

// Holder identifies the caller of a run. A breaker on the run also denies later runs of the
// same established agent or the same credential.
type Holder struct {
	AgentID      string   `json:"agent_id,omitempty"`
	AgentTrust   Trust    `json:"agent_trust,omitempty"`
	CredentialID string   `json:"credential_id,omitempty"`
	Standing     Standing `json:"standing,omitempty"`
	// Tags are the agent's tags in the registry of the sender.
	Tags []string `json:"tags,omitempty"`
}

// Settings are parameters of a tenant's fold. They are in the log, like everything that
// changes state, so that every point computes the same state, also after a restart.
// An absent member leaves its setting unchanged.
type Settings struct {
	// TripsPerHour bounds the automatic trips of the tenant within an hour.
	TripsPerHour *int `json:"trips_per_hour,omitempty"`
	// AgentsPercent is the maximum share of the tenant's active agents that automatic trips
	// may deny at a time; one agent is always permitted.
	AgentsPercent *int `json:"agents_percent,omitempty"`
	// Initial settings come from the configuration file of a point. They apply only if the
	// tenant has no settings yet.
	Initial bool `json:"initial,omitempty"`
}

// ArmingOrder selects the decisions that a command arms or disarms.
type ArmingOrder struct {
	// Pattern has the syntax of detect.armed: a name or a pattern of agents as billing/*,
	// tag:payments, family:runaway.*, or * for everything.
	Pattern string `json:"pattern"`
	// Clear removes the effect of earlier commands for the pattern: the configuration applies
	// again.
	Clear bool `json:"clear,omitempty"`
}

// ExceptionOrder marks the findings of a family for an agent as intended, for the TTL of the
// command.
type ExceptionOrder struct {
	ID string `json:"id,omitempty"` // of exception_remove
	// Agent and Family are patterns of path.Match: billing/*, runaway.*.
	Agent  string `json:"agent,omitempty"`
	Family string `json:"family,omitempty"`
	// Routes limits the exception to some routes, as "DELETE /v1/orders/{id}" or "tool:NAME";
	// empty: all routes.
	Routes []string `json:"routes,omitempty"`
}

// RouteOrder names the template that an order about learned routes is about.
type RouteOrder struct {
	// Route is a method and a template: "GET /repos/{owner}/{name}/issues".
	Route string `json:"route"`
}

// Manifest is the document in which an owner declares the purpose and the permissions of an
// agent.
type Manifest struct {
	Agent string `json:"agent"` // a name, or a pattern as billing/*
	Text  string `json:"text,omitempty"`
	// Version is the offset in flyball.commands of the record that set it, plus one.
	Version uint64 `json:"version,omitempty"`
	By      string `json:"by,omitempty"`
	At      int64  `json:"at_ns,omitempty"`
}

// Lease is a share of a quota that one point may spend without a further command,
// within one window of the log's clock.
type Lease struct {
	Agent   string `json:"agent"` // name or pattern of the manifest that states the quota
	Quota   string `json:"quota"` // name of the quota in the manifest
	Spender string `json:"of"`    // spender: the agent, a run or a principal
	// Standing of the spender; nil in records of versions without this member.
	Standing *Standing `json:"standing,omitempty"`
	// Units: calls, or thousandths of a currency's unit.
	Units int64 `json:"units"`
	// Window is the number of the window since 1970: the log's clock divided by the quota's length.
	Window int64 `json:"window"`
}
