package schema

// VerdictLabel is what a person says a finding was.
type VerdictLabel uint8

const (
	VerdictUnknown VerdictLabel = iota
	// VerdictTrue: it was what the finding says. Its run never teaches a baseline.
	VerdictTrue
	// VerdictBenign: it was right that the run did so. It teaches like any clean run.
	VerdictBenign
	// VerdictTest: somebody tried whether it is found. It counts for nothing.
	VerdictTest
)

// VerdictWords are the words of VerdictWord.
var VerdictWords = []string{"unknown", "true", "benign", "test"}

func (v VerdictLabel) String() string                { return word(VerdictWords, uint8(v)) }
func (v VerdictLabel) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *VerdictLabel) UnmarshalText(b []byte) error { return parse(VerdictWords, b, v) }

// Verdict on a finding. The last one holds.
type Verdict struct {
	Tenant    string       `json:"tenant"`
	FindingID string       `json:"finding_id"`
	Label     VerdictLabel `json:"is"`
	By        string       `json:"by"`
	Why       string       `json:"why"`
	At        int64        `json:"at_ns"` // the log's clock, Unix ns
	// Generation is the offset in flyball.commands of the record that said it, plus one.
	Generation uint64 `json:"generation"`
}
