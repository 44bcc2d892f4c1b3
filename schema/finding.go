package schema

import (
	"encoding/base32"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Level is the highest threshold that a run's score has reached. Annotate is reached by 5 % of
// all clean runs, alert by 1 %, trip by a share that the operator sets.
type Level uint8

const (
	LevelNone Level = iota
	LevelAnnotate
	LevelAlert
	LevelTrip
)

// FindingState is open or closed.
type FindingState uint8

const (
	FindingOpen FindingState = iota
	FindingClosed
)

// Words of the sets above.
var (
	LevelWords        = []string{"none", "annotate", "alert", "trip"}
	findingStateWords = []string{"open", "closed"}
)

func (v Level) String() string                      { return word(LevelWords, uint8(v)) }
func (v Level) MarshalText() ([]byte, error)        { return []byte(v.String()), nil }
func (v *Level) UnmarshalText(b []byte) error       { return parse(LevelWords, b, v) }
func (v FindingState) String() string               { return word(findingStateWords, uint8(v)) }
func (v FindingState) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *FindingState) UnmarshalText(b []byte) error {
	return parse(findingStateWords, b, v)
}

// Families of findings. The playbook has a card with meaning and actions for each.
const (
	FamilyLoop    = "runaway.loop"
	FamilyRetry   = "runaway.retry"
	FamilySweep   = "runaway.sweep"
	FamilyDestroy = "runaway.destroy"
	FamilyFlood   = "runaway.flood"
	// FamilyExfiltration is a run that receives much more data than other runs.
	FamilyExfiltration = "exfiltration"
	// FamilyFanout is a run with a sequence of calls that no other run has.
	FamilyFanout = "fanout"
	// FamilySplit is an actor that spreads a runaway over many runs; each single run looks
	// usual.
	FamilySplit = "runaway.split"
	// FamilyHijack is a run that writes on routes where its peers rarely write.
	FamilyHijack = "hijack"
	// FamilyBorrowed is a session under a person's name that looks like a machine. It is a
	// suspicion and never causes a trip.
	FamilyBorrowed = "borrowed_credential"
	// FamilyPace is an actor that makes many more calls in 15 minutes than is usual for it in
	// that hour of the week.
	FamilyPace = "pace"
	// FamilyAfterTask is a run key that is used after its task has ended.
	FamilyAfterTask = "policy.after_task"
	// FamilyScope is a run that writes on routes, or to targets, where similar runs do not
	// write. Each such call is held, or would be held in observe. It is counted separately
	// from alarms.
	FamilyScope = "scope"
	// FamilyIdentity is a run in which the established identity and another claim
	// disagree.
	FamilyIdentity = "identity_conflict"
)

// CallRef is the position of a call: its record in flyball.calls and its index in the record's
// block.
type CallRef struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Item      uint32 `json:"item"`
}

func (r CallRef) String() string {
	return strconv.Itoa(int(r.Partition)) + "/" + strconv.FormatInt(r.Offset, 10) + "/" + strconv.Itoa(int(r.Item))
}

// Version returns a number for state that changes at calls of one partition: it grows with the
// log and is the same for the same call in every replay.
func (r CallRef) Version() uint64 { return uint64(r.Offset)<<9 | uint64(min(r.Item, 0x1ff)) }

// OptionalFloat is a number that may be unknown (NaN). JSON omits an unknown field, and also
// an infinite one, which JSON cannot represent.
type OptionalFloat float64

// Unknown is the OptionalFloat without a value.
var Unknown = OptionalFloat(math.NaN())

// IsZero reports whether JSON omits f (`omitzero`): it is true for NaN and infinities, and
// false for 0.
func (f OptionalFloat) IsZero() bool { return math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) }

// Contribution is the contribution of one feature to a run's score: the observed value, and
// the usual values of this agent, its peers and humans on the same routes.
type Contribution struct {
	Feature  string        `json:"feature"`
	Observed OptionalFloat `json:"observed,omitzero"`
	Usual    OptionalFloat `json:"usual,omitzero"`
	Peers    OptionalFloat `json:"peers,omitzero"`
	Humans   OptionalFloat `json:"humans,omitzero"`
	// UsualOf names whose past Usual is of: own, shrunk (few runs of the agent, drawn towards its
	// peers'), peers, everybody; nothing_learned: nothing was learned with which the caller may be
	// compared, and Usual is unknown; empty: not recorded.
	UsualOf string `json:"usual_of,omitempty"`
	// Hits and OfCalls are the calls behind an observed share; 0: it is no share.
	Hits    uint64 `json:"hits,omitempty"`
	OfCalls uint64 `json:"of_calls,omitempty"`
	// Score is the feature's own statistic on the common scale.
	Score OptionalFloat `json:"score,omitzero"`
	Calls []string      `json:"calls,omitempty"` // positions of the calls that caused it, newest last
}

// UnmarshalJSON reads an absent number as unknown.
func (c *Contribution) UnmarshalJSON(b []byte) error {
	type plain Contribution
	p := plain{Observed: Unknown, Usual: Unknown, Peers: Unknown, Humans: Unknown, Score: Unknown}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*c = Contribution(p)
	return nil
}

// Exposure counts the calls that passed between the onset of a finding and now.
type Exposure struct {
	Calls        uint64 `json:"calls"`
	Irreversible uint64 `json:"irreversible"`
}

// Touched counts the calls of a run by reversibility.
type Touched struct {
	ReadOnly     uint64 `json:"read_only"`
	Reversible   uint64 `json:"reversible"`
	Compensable  uint64 `json:"compensable"`
	Irreversible uint64 `json:"irreversible"`
	Unknown      uint64 `json:"unknown,omitempty"`
}

// Finding is a detection with its evidence and its life cycle: one for each run and family. A
// change raises its Version; a replay of the same log produces the same versions.
type Finding struct {
	ID      string `json:"finding_id"`
	Version uint64 `json:"version"`
	Tenant  string `json:"tenant"`

	RunID        RunID  `json:"run_id"`
	RunKey       string `json:"run_key,omitempty"`
	AgentID      string `json:"agent_id,omitempty"`
	AgentTrust   Trust  `json:"agent_trust"`
	CredentialID string `json:"credential_id,omitempty"`
	PrincipalID  string `json:"principal_id,omitempty"`

	Family    string       `json:"family"`
	Level     Level        `json:"level"`
	State     FindingState `json:"state"`
	OpenedAt  int64        `json:"opened_at_ns"`  // event time of the call that opened it, Unix ns
	UpdatedAt int64        `json:"updated_at_ns"` // event time of the call that changed it, Unix ns
	OnsetAt   int64        `json:"onset_at_ns"`   // event time of the call at which it began, Unix ns
	Call      CallRef      `json:"call"`          // call that changed it

	// Score is the run's score. ExpectedRate is the share of clean runs that reach it (a
	// calibrated tail probability). ExpectedOf names the runs from which the rate is computed:
	// own (the agent's), peers, everybody, people (sessions of the tenant's people), populations
	// (for a stranger: groups that were left out, each scored by a baseline that did not know it), or
	// tail (the fitted tail, if none of them reached the score). nothing_learned: there are none, or too
	// few groups, and the rate is 0 without a meaning.
	Score        float64 `json:"score"`
	ExpectedRate float64 `json:"expected_rate"`
	ExpectedOf   string  `json:"expected_of,omitempty"`
	// ExpectedRuns is the number of clean runs that the score was compared with; 0: not recorded.
	ExpectedRuns uint64 `json:"expected_runs,omitempty"`
	// BeyondData is true if no clean run reached the score: the rate is then estimated
	// from the fitted tail.
	BeyondData bool   `json:"beyond_data,omitempty"`
	Baseline   string `json:"baseline"` // version
	// Acquaintance is how well the baseline knew the caller; empty: not recorded.
	Acquaintance Acquaintance   `json:"acquaintance,omitempty"`
	Summary      string         `json:"summary"` // one sentence that describes the finding
	Evidence     []Contribution `json:"evidence"`
	DelayCalls   uint64         `json:"delay_calls"` // calls from onset to this version
	Exposure     Exposure       `json:"exposure"`
	Touched      Touched        `json:"touched"`
	// Decision is the decision that policy made at this version, if any.
	Decision *Decision `json:"decision,omitempty"`
	Reason   string    `json:"reason,omitempty"` // why it was closed
	// Exception is the operator's exception that covers the finding; the finding is then only
	// recorded. Empty: no exception.
	Exception string `json:"exception,omitempty"`
}

// SpendsBudget reports whether the finding is one of those for which false trips are budgeted: it has level trip, is not about a
// learned scope, which has a budget of its own, and is not the canary's.
func (f *Finding) SpendsBudget() bool {
	return f.Level == LevelTrip && f.Family != FamilyScope && f.Tenant != CanaryTenant
}

// FindingID returns the id of a run's finding of a family.
func FindingID(run RunID, family string) string {
	return shortID("f", string(run[:]), family)
}

// IsFindingID reports whether a text has the form of a finding's whole id.
func IsFindingID(text string) bool {
	code, ok := strings.CutPrefix(text, "f_")
	return ok && len(code) == 16 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// IncidentID returns the id of an incident that a finding opened and that does not have the finding's id.
func IncidentID(finding, of string) string { return shortID("i", finding, of) }

// PageID returns the id of the notification about a finding that an event causes.
func PageID(finding, cause string) string { return shortID("p", finding, cause) }

// shortID returns a prefix and 80 bits of XXH64 in base 32. It is an identity, not a secret.
func shortID(prefix string, parts ...string) string {
	var raw [16]byte
	for half := range 2 {
		h := xxhash.New()
		_, _ = h.Write([]byte{byte(half + 1)})
		for _, p := range parts {
			_, _ = h.WriteString(strconv.Itoa(len(p)))
			_, _ = h.Write([]byte{':'})
			_, _ = h.WriteString(p)
		}
		v := h.Sum64()
		for i := range 8 {
			raw[half*8+i] = byte(v >> (56 - 8*i))
		}
	}
	return prefix + "_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:10]))
}
