package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"flyball/schema"
)

// Label is what is known of a recorded run beyond its calls.
type Label struct {
	Attacked        bool    `json:"attacked"`
	AttackSucceeded *bool   `json:"attack_succeeded"`
	AttackGoal      *string `json:"attack_goal"`
	NaturalLoop     bool    `json:"natural_loop"`
	Failure         *string `json:"failure"`
	FirstMalicious  *int    `json:"first_malicious_seq"`
	Kind            string  `json:"kind"`
	Speed           string  `json:"speed"`
	Onset           int     `json:"onset_seq"`
	BaseRun         string  `json:"base_run"`
}

// LabelledRun is a run of a data set with its label and the agent's own calls, as
// ingest reads them off the log that View has them in.
type LabelledRun struct {
	ID    string
	Set   string
	Agent string
	Task  string
	View  View
	Label Label // FirstMalicious and Onset are places in Calls
	Calls []schema.Call
	Lines [][]byte   // of Calls: what the log says
	Named [][]string // of Calls: the resources that the set documents, "type:id"
}

// Labelled reads a data set to judge by. A folder without the set has no runs.
func Labelled(dir string, view View) ([]LabelledRun, error) {
	f, err := os.Open(filepath.Join(dir, "runs.jsonl.gz"))
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	type run struct {
		ID    string `json:"run_id"`
		Set   string `json:"dataset"`
		Agent string `json:"agent_id"`
		Task  string `json:"task_id"`
		Label Label  `json:"label"`
	}
	runs, err := readLines[run](f)
	if err != nil {
		return nil, fmt.Errorf("%s: runs: %w", dir, err)
	}
	in, err := open(dir)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	calls, err := readCalls(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	out := make([]LabelledRun, len(runs))
	at := make(map[string]int, len(runs))
	for i, r := range runs {
		out[i] = LabelledRun{ID: r.ID, Set: r.Set, Agent: r.Agent, Task: r.Task, View: view, Label: r.Label}
		at[r.ID] = i
	}
	of := make([][]*recorded, len(runs))
	for i := range calls {
		c := &calls[i]
		// A set without kinds of callers is of agents alone.
		if k, known := at[c.RunID]; known && (c.Caller == "agent" || c.Caller == "") {
			c.owner = out[k].Agent
			of[k] = append(of[k], c)
		}
	}
	log, err := newLog()
	if err != nil {
		return nil, err
	}
	for k := range out {
		if err := out[k].read(log, of[k]); err != nil {
			return nil, fmt.Errorf("%s: run %s: %w", dir, out[k].ID, err)
		}
	}
	return out, nil
}

// read takes in the run's calls in the order of time, which is that of a log:
// calls of one turn may have been made in another.
func (r *LabelledRun) read(log *log, calls []*recorded) error {
	slices.SortStableFunc(calls, func(a, b *recorded) int { return int(a.TS - b.TS) })
	for _, c := range calls {
		call, line, err := log.read(c, r.View)
		if err != nil {
			return fmt.Errorf("call %d: %w", c.Seq, err)
		}
		r.Calls, r.Lines, r.Named = append(r.Calls, call), append(r.Lines, line), append(r.Named, c.Resources)
	}
	place := func(seq int) int {
		if i := slices.IndexFunc(calls, func(c *recorded) bool { return c.Seq == seq }); i >= 0 {
			return i
		}
		before := 0 // another caller's: as many as came before it
		for _, c := range calls {
			if c.Seq < seq {
				before++
			}
		}
		return before
	}
	if r.Label.FirstMalicious != nil {
		first := place(*r.Label.FirstMalicious)
		r.Label.FirstMalicious = &first
	}
	r.Label.Onset = place(r.Label.Onset)
	return nil
}
