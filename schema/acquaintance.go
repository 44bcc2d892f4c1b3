package schema

// Acquaintance is how well a baseline knows the caller of a run. It selects the thresholds by which
// the run is judged, and which statistics may raise its score.
type Acquaintance uint8

// A larger value means that more is known.
const (
	// AcquaintanceUnrecorded is that of findings of earlier releases.
	AcquaintanceUnrecorded Acquaintance = iota
	// NothingLearned: there is no baseline, or it has no runs.
	NothingLearned
	// NewPopulation: neither the agent nor its peer group has enough runs in the baseline.
	NewPopulation
	// NewAgent: the peer group has enough runs of other agents, the agent has too few.
	NewAgent
	// KnownAgent: the agent has enough runs.
	KnownAgent
)

// AcquaintanceWords are the names of the classes, as they are stored and shown.
var AcquaintanceWords = []string{"", "nothing_learned", "new_population", "new_agent", "known_agent"}

func (v Acquaintance) String() string               { return word(AcquaintanceWords, uint8(v)) }
func (v Acquaintance) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Acquaintance) UnmarshalText(b []byte) error {
	return parse(AcquaintanceWords, b, v)
}
