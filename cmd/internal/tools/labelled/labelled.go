// Package labelled reads labelled agent traffic, to evaluate the detector and to learn
// the model of shared credentials: recorded runs with their labels, their calls as
// ingest would have read them from a gateway's log.
//
// It does not evaluate anything itself: detect/evaluate does.
package labelled

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"flyball/cmd/internal/dataset"
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

// Example is a run of a data set with its label and the agent's own calls, as ingest
// reads them from the log that View shows.
type Example struct {
	ID    string
	Set   string
	Agent string
	Task  string
	View  View
	Label Label // FirstMalicious and Onset are places in Calls
	Calls []schema.Call
	Lines [][]byte   // of Calls: the lines of the log
	Named [][]string // of Calls: the resources that the set documents, "type:id"
}

// Examples reads a data set to judge by. A folder without the set has none.
func Examples(dir string, view View) ([]Example, error) {
	type run struct {
		ID    string `json:"run_id"`
		Set   string `json:"dataset"`
		Agent string `json:"agent_id"`
		Task  string `json:"task_id"`
		Label Label  `json:"label"`
	}
	runs, err := dataset.Runs[run](dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	calls, err := dataset.Calls(dir)
	if err != nil {
		return nil, err
	}
	out := make([]Example, len(runs))
	at := make(map[string]int, len(runs))
	for i, r := range runs {
		out[i] = Example{ID: r.ID, Set: r.Set, Agent: r.Agent, Task: r.Task, View: view, Label: r.Label}
		at[r.ID] = i
	}
	of := make([][]*dataset.Record, len(runs))
	for i := range calls {
		c := &calls[i]
		// A set without kinds of callers is of agents alone.
		if k, known := at[c.RunID]; known && (c.Caller == "agent" || c.Caller == "") {
			c.Owner = out[k].Agent
			of[k] = append(of[k], c)
		}
	}
	reader, err := newLogReader()
	if err != nil {
		return nil, err
	}
	for k := range out {
		if err := out[k].read(reader, of[k]); err != nil {
			return nil, fmt.Errorf("%s: run %s: %w", dir, out[k].ID, err)
		}
	}
	return out, nil
}

// read adds the run's calls in the order of time, as in a log; the data set may list the
// calls of one turn in another order.
func (r *Example) read(reader *logReader, calls []*dataset.Record) error {
	slices.SortStableFunc(calls, func(a, b *dataset.Record) int { return int(a.TS - b.TS) })
	for _, c := range calls {
		call, line, err := reader.read(c, r.View)
		if err != nil {
			return fmt.Errorf("call %d: %w", c.Seq, err)
		}
		r.Calls, r.Lines, r.Named = append(r.Calls, call), append(r.Lines, line), append(r.Named, c.Resources)
	}
	place := func(seq int) int {
		if i := slices.IndexFunc(calls, func(c *dataset.Record) bool { return c.Seq == seq }); i >= 0 {
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
