package incident

// Reason names why somebody is notified of an event, or why nobody is.
type Reason string

// Reasons why somebody is notified.
const (
	FindingOpened Reason = "finding_opened" // the first finding of its incident
	LevelRaised   Reason = "level_raised"   // the incident has reached a higher level
	BreakerOpened Reason = "breaker_opened" // calls are denied because of the incident
	BreakerClosed Reason = "breaker_closed" // no call is denied because of the incident any more
	TripWithheld  Reason = "trip_withheld"  // the trip budget is spent: calls are not denied
	RunClosed     Reason = "run_closed"     // the last run of the incident has ended
	NewFamily     Reason = "new_family"     // a family that the incident did not have, when it has been quiet
	IncidentGrew  Reason = "incident_grew"  // 10, 100, 1000 … runs of the agent, or agents of the tenant
	ManyAgents    Reason = "many_agents"    // more agents than the bound within the window: one incident of the tenant counts the others
	ManyClaimed   Reason = "many_claimed_names"
	GateAsked     Reason = "gate_asked"
	ManyGates     Reason = "many_gates" // more gates than the bound within the window: one incident counts the others
	StillOpen     Reason = "still_open" // sent again, because the receiver forgets

	AckUndone      Reason = "acknowledgement_undone"
	AcknowledgedBy Reason = "acknowledged"     // a person has taken the incident on
	NoLongerHeld   Reason = "no_longer_held"   // a silence has ended, or the hours of a route have begun, and the incident is open
	StillNotDenied Reason = "still_not_denied" // a reminder: at level trip, and no breaker denies calls
)

// Reasons why nobody is notified.
const (
	NotAnAlert        Reason = "not_an_alert"         // the event is neither a finding nor an armed breaker or gate of one
	AlreadyApplied    Reason = "already_applied"      // the log holds the same or a newer state earlier
	FindingIsOver     Reason = "finding_is_over"      // it was closed, or updated more than an hour before it was written
	UnderException    Reason = "under_exception"      // an operator's exception covers it
	NotRouted         Reason = "not_routed"           // no route sends it to this receiver
	LevelNotRaised    Reason = "level_not_raised"     // a change that is not a higher level
	NothingWasSent    Reason = "nothing_was_sent"     // there was no page about the finding
	StillDenied       Reason = "still_denied"         // its run has ended and its breaker denies calls
	NoChange          Reason = "no_change"            // of what the pages say
	JoinedAgent       Reason = "joined_agent"         // the open incident of its agent counts it
	JoinedTenant      Reason = "joined_tenant"        // the open incident of its tenant counts it
	JoinedClaimed     Reason = "joined_claimed_names" // the open incident of its tenant's claimed names counts it
	JoinedGates       Reason = "joined_gates"         // an open incident of calls that wait for approval counts it
	AlreadyTold       Reason = "already_told"         // a page about the incident has said so
	OthersStillDenied Reason = "others_still_denied"  // another breaker of the incident denies calls
	OthersStillOpen   Reason = "others_still_open"    // other findings of the incident are open
	BelowAlert        Reason = "below_alert"          // its level is below alert
	NotEnforced       Reason = "not_enforced"         // a finding about a learned scope, which is not enforced
	Silenced          Reason = "silenced"             // a silence in force matches the finding
	IsAcknowledged    Reason = "is_acknowledged"      // a person has taken the incident on, and it has not become worse
	SilenceBegan      Reason = "silence_began"
	SilenceEnded      Reason = "silence_ended"
	NoSuchIncident    Reason = "no_such_incident" // what was acknowledged is not open
	NotAcknowledged   Reason = "not_acknowledged" // there was no acknowledgement to take back
)

// Decision is whether a receiver is notified of an event, and why.
type Decision struct {
	Reason   Reason
	Subject  string // the finding or gate that it is about; empty: none
	Incident string // the incident that the event belongs to; empty: none
	Page     *Page  // nil: the receiver is not notified
	// Routes are the routes that matched the finding; Silence is the silence in force that matches it.
	Routes  []string
	Silence string
	// Released are decisions about other incidents, which the end of a silence held back.
	Released []Decision
}

// Text returns what a reason means, for people; empty for a reason that this version does not know.
func (r Reason) Text() string { return texts[r] }

var texts = map[Reason]string{
	FindingOpened: "it is the first finding of its incident",
	LevelRaised:   "its incident has reached a higher level",
	BreakerOpened: "calls are denied because of its incident",
	BreakerClosed: "no call is denied because of its incident any more",
	TripWithheld:  "the trip budget is spent: calls are not denied",
	RunClosed:     "the last run of its incident has ended",
	NewFamily:     "its incident had been quiet, and had no finding of this family",
	IncidentGrew:  "its incident has 10, 100, 1000 … runs of the agent, or agents of the tenant",
	ManyAgents:    "more agents than alerts.grouping.agents within the window: this incident of the tenant counts the others",
	ManyClaimed:   "more claimed names than alerts.grouping.claimed within the window: this incident of the tenant counts the others",
	GateAsked:     "a call waits for approval",

	"gate_granted": "the call was approved", "gate_refused": "the call was refused", "gate_timed_out": "nobody has answered in time",
	"gate_used": "the approval was used", "gate_ended": "the approval has ended",

	NotAnAlert:        "it is neither a finding nor an armed breaker or gate",
	AlreadyApplied:    "the log holds the same or a newer state before it",
	FindingIsOver:     "the finding was closed before, or is more than an hour older than its record",
	UnderException:    "an exception covers the finding",
	NotRouted:         "no route of alerts.routes sends it to this receiver",
	LevelNotRaised:    "its level has not risen",
	NothingWasSent:    "there was no page about the finding before",
	StillDenied:       "the run has ended, and its breaker denies calls",
	NoChange:          "nothing that pages say has changed",
	JoinedAgent:       "the open incident of its agent counts it",
	JoinedTenant:      "the open incident of its tenant counts it: too many agents went wrong within the window",
	JoinedClaimed:     "the open incident of its tenant's claimed names counts it: too many of them went wrong within the window",
	AlreadyTold:       "a page about its incident has said so",
	OthersStillDenied: "another breaker of its incident denies calls",
	OthersStillOpen:   "other findings of its incident are open",

	ManyGates:      "more waiting calls than alerts.grouping.gates within the window: one incident counts the others",
	AcknowledgedBy: "a person has acknowledged its incident",
	NoLongerHeld:   "its incident is open, and the silence has ended or the hours of a route have begun",
	StillNotDenied: "a reminder: its incident is at level trip, and no breaker denies calls",
	JoinedGates:    "the open incident of waiting calls counts it: too many wait",
	BelowAlert:     "its level is below alert",
	NotEnforced:    "it is about a learned scope, which is not enforced",
	Silenced:       "a silence in force matches it",
	IsAcknowledged: "a person has acknowledged its incident, and it has not become worse",
	SilenceBegan:   "a silence begins",
	SilenceEnded:   "a silence was ended",
	NoSuchIncident: "the incident is not open",

	AckUndone:       "a person has taken the acknowledgement back: nobody has taken its incident on",
	NotAcknowledged: "nobody had acknowledged the incident",
}
