package labelled

import (
	"errors"
	"io/fs"

	"flyball/cmd/internal/dataset"
)

// RunLength is a run of a set of which only the number of calls is known.
type RunLength struct {
	Agent string `json:"agent_id"`
	Task  string `json:"task_id"`
	Calls int    `json:"n_calls"`
	Label Label  `json:"label"`
}

// RunLengths reads a set of run lengths. A folder without it has none; runs that are
// known to loop by themselves are left out.
func RunLengths(dir string) ([]RunLength, error) {
	runs, err := dataset.Runs[RunLength](dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	kept := runs[:0]
	for _, r := range runs {
		if r.Calls > 0 && !r.Label.NaturalLoop {
			kept = append(kept, r)
		}
	}
	return kept, nil
}
