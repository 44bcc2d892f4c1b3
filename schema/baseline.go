package schema

// BaselineState is what an agent's baseline is good for.
type BaselineState uint8

const (
	// BaselineLearning: too little taught it; its peers' rates weigh more than its own.
	BaselineLearning BaselineState = iota
	// BaselineActive: its own past is what it is compared with.
	BaselineActive
	// BaselineStale: it calls, and nothing has taught it for long.
	BaselineStale
	// BaselineFrozen: nothing teaches it; its counts are those of the version before.
	BaselineFrozen
)

// BaselineStateWords are the words of BaselineState.
var BaselineStateWords = []string{"learning", "active", "stale", "frozen"}

func (v BaselineState) String() string                { return word(BaselineStateWords, uint8(v)) }
func (v BaselineState) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *BaselineState) UnmarshalText(b []byte) error { return parse(BaselineStateWords, b, v) }

// What an operator may order of a baseline.
const (
	// OrderFreeze keeps counts as they are; with Until in the past it ends a freeze.
	OrderFreeze = "freeze"
	// OrderReset forgets counts: what was before it never teaches again.
	OrderReset = "reset"
)

// EveryAgent is the Agent of an order that is about all of them.
const EveryAgent = "*"

// BaselineOrder is an operator's word about an agent's baseline. Of each agent and
// kind the last one holds.
type BaselineOrder struct {
	Tenant string `json:"tenant"`
	// Agent as baselines name it: with ~ before a name that was only asserted; * is every agent.
	Agent string `json:"agent"`
	Kind  string `json:"do"`    // freeze, reset
	At    int64  `json:"at_ns"` // the log's clock, Unix ns
	// Until a freeze lasts, Unix ns; 0: until somebody ends it.
	Until int64  `json:"until_ns,omitempty"`
	Off   bool   `json:"off,omitempty"` // the freeze ends here
	By    string `json:"by"`
	Why   string `json:"why"`
	// Generation is the offset in flyball.commands of the record that said it, plus one.
	Generation uint64 `json:"generation"`
}

// BaselineRow is a line of the view baselines: one agent's part in one version.
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
