package replay

import (
	"fmt"
	"os"
	"path/filepath"
)

// LengthRun is a run of a set of which only the number of calls is known.
type LengthRun struct {
	Agent string `json:"agent_id"`
	Task  string `json:"task_id"`
	Calls int    `json:"n_calls"`
	Label Label  `json:"label"`
}

// Lengths reads a set of run lengths. A folder without it has none; runs that are
// known to loop by themselves are left out.
func Lengths(dir string) ([]LengthRun, error) {
	f, err := os.Open(filepath.Join(dir, "runs.jsonl.gz"))
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	runs, err := readLines[LengthRun](f)
	if err != nil {
		return nil, fmt.Errorf("%s: runs: %w", dir, err)
	}
	kept := runs[:0]
	for _, r := range runs {
		if r.Calls > 0 && !r.Label.NaturalLoop {
			kept = append(kept, r)
		}
	}
	return kept, nil
}
