package schema

// BaselineState is the state of an agent's baseline. It determines how much the agent is
// compared with its own past.
type BaselineState uint8

const (
	// BaselineLearning: it contains too few runs; the rates of peers have more weight than its
	// own.
	BaselineLearning BaselineState = iota
	// BaselineActive: the agent is compared with its own past.
	BaselineActive
	// BaselineStale: the agent makes calls, but none of them has been learned for a long time.
	BaselineStale
	// BaselineFrozen: it learns no new runs; its counts are those of the previous version.
	BaselineFrozen
)

// BaselineStateWords are the words of BaselineState.
var BaselineStateWords = []string{"learning", "active", "stale", "frozen"}

func (v BaselineState) String() string                { return word(BaselineStateWords, uint8(v)) }
func (v BaselineState) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *BaselineState) UnmarshalText(b []byte) error { return parse(BaselineStateWords, b, v) }

// The changes of a baseline that an operator can order.
const (
	// OrderFreeze stops learning; with Until in the past it ends a freeze.
	OrderFreeze = "freeze"
	// OrderReset deletes the counts. Calls before the order are not learned again.
	OrderReset = "reset"
)

// EveryAgent is the Agent of an order for all agents.
const EveryAgent = "*"

// BaselineOrder is an operator's change of an agent's baseline. For each agent and kind the
// last order applies.
type BaselineOrder struct {
	Tenant string `json:"tenant"`
	// Agent is the name in baselines: an asserted name begins with ~; * means every agent.
	Agent string `json:"agent"`
	Kind  string `json:"do"`    // freeze, reset
	At    int64  `json:"at_ns"` // the log's clock, Unix ns
	// Until is the end of a freeze, Unix ns; 0: no end until a command ends it.
	Until int64  `json:"until_ns,omitempty"`
	Off   bool   `json:"off,omitempty"` // the order ends the freeze
	By    string `json:"by"`
	Why   string `json:"why"`
	// Generation is the offset in flyball.commands of the record with the order, plus one.
	Generation uint64 `json:"generation"`
}

// BaselineRow is a row of the view baselines: one agent's part of one version.
type BaselineRow struct {
	Tenant  string
	Agent   string // name in baselines
	Version string // of the body
	MadeAt  int64  // Unix ns
	State   BaselineState
	Why     string
	Runs    uint64
	Calls   uint64
	Since   int64 // the window, Unix ns
	Until   int64
	Body    string // JSON: the version's data about the agent without counts
	// Acquaintance is how well the version knows the agent.
	Acquaintance Acquaintance
}
