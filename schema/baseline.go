package schema

// BaselineState is the state of an agent's baseline; it decides how far the agent is
// compared with its own past.
type BaselineState uint8

const (
	// BaselineLearning: learned from too few runs; the peers' rates weigh more than its own.
	BaselineLearning BaselineState = iota
	// BaselineActive: the agent is compared with its own past.
	BaselineActive
	// BaselineStale: the agent makes calls, but for a long time none was learned from.
	BaselineStale
	// BaselineFrozen: it learns nothing; its counts are those of the previous version.
	BaselineFrozen
)

// BaselineStateWords are the words of BaselineState.
var BaselineStateWords = []string{"learning", "active", "stale", "frozen"}

func (v BaselineState) String() string                { return word(BaselineStateWords, uint8(v)) }
func (v BaselineState) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *BaselineState) UnmarshalText(b []byte) error { return parse(BaselineStateWords, b, v) }

// The changes of a baseline that an operator can order.
const (
	// OrderFreeze keeps counts as they are; with Until in the past it ends a freeze.
	OrderFreeze = "freeze"
	// OrderReset deletes counts: calls from before it are never learned from again.
	OrderReset = "reset"
)

// EveryAgent is the Agent of an order that is about all of them.
const EveryAgent = "*"

// BaselineOrder is a change of an agent's baseline that an operator ordered. For each
// agent and kind the last order applies.
type BaselineOrder struct {
	Tenant string `json:"tenant"`
	// Agent as baselines name it: with ~ before a name that was only asserted; * is every agent.
	Agent string `json:"agent"`
	Kind  string `json:"do"`    // freeze, reset
	At    int64  `json:"at_ns"` // the log's clock, Unix ns
	// Until is the end of a freeze, Unix ns; 0: no end until a command ends it.
	Until int64  `json:"until_ns,omitempty"`
	Off   bool   `json:"off,omitempty"` // the freeze ends here
	By    string `json:"by"`
	Why   string `json:"why"`
	// Generation is the offset in flyball.commands of the record with the order, plus one.
	Generation uint64 `json:"generation"`
}

// BaselineRow is a row of the view baselines: one agent's part of one version.
type BaselineRow struct {
	Tenant  string
	Agent   string // as baselines name it
	Version string // of the body
	MadeAt  int64  // Unix ns
	State   BaselineState
	Why     string
	Runs    uint64
	Calls   uint64
	Since   int64 // the window, Unix ns
	Until   int64
	Body    string // JSON: what the version holds of the agent besides counts
}
