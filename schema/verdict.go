package schema

// VerdictLabel is a person's judgement of a finding.
type VerdictLabel uint8

const (
	VerdictUnknown VerdictLabel = iota
	// VerdictTrue: the finding was right. Baselines never learn from its run.
	VerdictTrue
	// VerdictBenign: the run was legitimate. Baselines learn from it as from any clean run.
	VerdictBenign
	// VerdictTest: the run was a test of detection. Counts do not include it.
	VerdictTest
)

// VerdictWords are the texts of VerdictLabel.
var VerdictWords = []string{"unknown", "true", "benign", "test"}

func (v VerdictLabel) String() string                { return word(VerdictWords, uint8(v)) }
func (v VerdictLabel) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *VerdictLabel) UnmarshalText(b []byte) error { return parse(VerdictWords, b, v) }

// Verdict is a person's judgement of a finding. The last one applies.
type Verdict struct {
	Tenant    string       `json:"tenant"`
	FindingID string       `json:"finding_id"`
	Label     VerdictLabel `json:"is"`
	By        string       `json:"by"`
	Why       string       `json:"why"`
	At        int64        `json:"at_ns"` // the log's clock, Unix ns
	// Generation is the offset in flyball.commands of the record with the verdict, plus one.
	Generation uint64 `json:"generation"`
}
