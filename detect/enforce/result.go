package enforce

// Result is the result of applying a command.
type Result struct {
	Code       ResultCode `json:"outcome"`
	Generation uint64     `json:"generation"`      // of the command's record
	Ref        string     `json:"ref,omitempty"`   // id or name of the object of the command
	Units      int64      `json:"units,omitempty"` // leased
	Detail     string     `json:"detail,omitempty"`
}

// ResultCode is the kind of a result. Its text is stored in snapshots and in the audit trail, and
// shown to programs.
type ResultCode string

// Results of commands of any kind.
const (
	// Applied: a breaker or a bypass was changed by the command.
	Applied ResultCode = "applied"
	// Recorded: observed only. Nothing is enforced, and no question is asked.
	Recorded ResultCode = "recorded"
	// Rejected: the command is incomplete or contradicts a rule.
	Rejected ResultCode = "refused"
	// Malformed: the same as Rejected, for commands about approvals and tasks.
	Malformed ResultCode = "malformed"
)

// Results of commands about breakers and bypasses.
const (
	TripWithheld    ResultCode = "trip_withheld" // above the budget of trips
	TripExcepted    ResultCode = "excepted"      // an exception covers it
	NoBreaker       ResultCode = "no_breaker"
	IfMatchFailed   ResultCode = "if_match_failed"    // the breaker has another generation
	ForcedOpenStays ResultCode = "forced_open_stands" // a trip does not change what a person forced open
	ProbeNotDue     ResultCode = "probe_not_due"
	NoBypass        ResultCode = "no_bypass"
	TooManyBypasses ResultCode = "too_many_bypasses"
)

// Results of commands about approvals.
const (
	ApprovalAsked    ResultCode = "asked"
	AlreadyAsked     ResultCode = "already_asked"
	TooManyQuestions ResultCode = "too_many_questions"
	ApprovalGranted  ResultCode = "granted"
	ApprovalRefused  ResultCode = "refused" // by a person; the same word as Rejected
	GrantUsed        ResultCode = "used"
	NotPending       ResultCode = "not_pending" // answered, timed out or used before
	NoSuchGate       ResultCode = "no_such_gate"
)

// Results of commands about tasks.
const (
	TaskDeclared ResultCode = "declared"
	TaskEnded    ResultCode = "ended"
	TaskExists   ResultCode = "already_declared"
	TaskOver     ResultCode = "already_over"
	NoSuchTask   ResultCode = "no_such_task"
	TooManyTasks ResultCode = "too_many_tasks"
)

// Results of leases.
const (
	Leased          ResultCode = "leased"
	QuotaSpent      ResultCode = "spent"        // nothing is left of the quota
	NotInWindow     ResultCode = "window_over"  // the window has ended or not begun
	TooManySpenders ResultCode = "too_many_own" // too many for one agent's quotas, or in total
	NoSuchQuota     ResultCode = "no_such_quota"
)

// Results of commands about manifests and settings.
const (
	InForce         ResultCode = "in_force"
	ManifestDropped ResultCode = "dropped"
	NoSuchManifest  ResultCode = "no_such_manifest"
	SettingsExist   ResultCode = "settings_stand" // initial settings of a tenant that has settings
)

// Results of commands about arming and exceptions.
const (
	Armed             ResultCode = "armed"
	Disarmed          ResultCode = "disarmed"
	ArmingCleared     ResultCode = "cleared" // no command is in force for the pattern any more
	NoSuchArming      ResultCode = "no_order_about_pattern"
	TooManyPatterns   ResultCode = "too_many_patterns"
	ExceptionAdded    ResultCode = "added"
	ExceptionRemoved  ResultCode = "removed"
	NoSuchException   ResultCode = "no_such_exception"
	TooManyExceptions ResultCode = "too_many_exceptions"
)

// Results of commands about learned routes.
const (
	RoutePinned   ResultCode = "pinned"
	RouteUndone   ResultCode = "undone"
	RouteCleared  ResultCode = "route_cleared" // no order is in force about the route any more
	NoSuchRoute   ResultCode = "no_order_about_route"
	TooManyRoutes ResultCode = "too_many_routes"
)

// Results of commands about incidents.
const (
	Acknowledged    ResultCode = "acknowledged"
	AckUndone       ResultCode = "acknowledgement_undone"
	LinkUsed        ResultCode = "link_used" // the link has acknowledged before
	LinkExpired     ResultCode = "link_expired"
	TooManyLinks    ResultCode = "too_many_links"
	Silenced        ResultCode = "silenced"
	SilenceEnded    ResultCode = "silence_ended"
	NoSuchSilence   ResultCode = "no_such_silence"
	TooManySilences ResultCode = "too_many_silences"
)

// Results of commands that change no state: they become an event and an entry of the
// audit trail.
const (
	VerdictRecorded     ResultCode = "judged"
	BaselineOrdered     ResultCode = "ordered"
	CredentialConfirmed ResultCode = "confirmed"
	RunHeld             ResultCode = "held"
	HoldReleased        ResultCode = "released"
	PurgeRecorded       ResultCode = "purged"
)
