// Package dataset reads recorded agent traffic, a folder with calls.jsonl.gz and
// runs.jsonl.gz, and writes its calls as a gateway would have logged them.
//
// It does not read labels: a log has none.
package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
)

// Record is a call of a data set, as its lines have it.
type Record struct {
	Set       string   `json:"dataset"`
	RunID     string   `json:"run_id"`
	AgentID   string   `json:"agent_id"`
	TaskID    string   `json:"task_id"`
	TS        int64    `json:"ts"`
	Seq       int      `json:"seq"`
	Method    string   `json:"method"`
	Path      string   `json:"path"`
	Digest    string   `json:"args_digest"`
	Status    int      `json:"status"`
	Request   int64    `json:"request_bytes"`
	Response  int64    `json:"response_bytes"`
	Latency   *int64   `json:"latency_ms"`
	User      string   `json:"principal_id"`
	Caller    string   `json:"caller_kind"`
	Template  string   `json:"path_template"`
	Resources []string `json:"resources"`
	Synthetic bool     `json:"ts_synthetic"`

	// Owner is the agent whose run the call is part of. Other callers in the
	// run (a simulated user's device) come through the same gateway consumer.
	Owner string `json:"-"`
}

// Calls reads the calls of a folder, in the order of its file. Owner is not set.
func Calls(dir string) ([]Record, error) {
	return readFile[Record](os.DirFS(dir), "calls.jsonl.gz", dir)
}

// Runs reads the lines about runs of a folder. An error wraps fs.ErrNotExist where the
// folder has none.
func Runs[T any](dir string) ([]T, error) {
	return readFile[T](os.DirFS(dir), "runs.jsonl.gz", dir)
}

// InTimeOrder reads the calls of a folder with the owners of their runs, in the order
// of their times; calls of one run that have the same time keep their order.
func InTimeOrder(dir string) ([]Record, error) { return inTimeOrder(os.DirFS(dir), dir) }

func inTimeOrder(folder fs.FS, name string) ([]Record, error) {
	calls, err := readFile[Record](folder, "calls.jsonl.gz", name)
	if err != nil {
		return nil, err
	}
	type run struct {
		ID    string `json:"run_id"`
		Agent string `json:"agent_id"`
	}
	runs, err := readFile[run](folder, "runs.jsonl.gz", name)
	if err != nil {
		return nil, err
	}
	agents := make(map[string]string, len(runs))
	for _, r := range runs {
		agents[r.ID] = r.Agent
	}
	for i := range calls {
		c := &calls[i]
		if c.Owner = agents[c.RunID]; c.Owner == "" {
			c.Owner = c.AgentID
		}
	}
	sort.SliceStable(calls, func(i, j int) bool { return calls[i].TS < calls[j].TS })
	return calls, nil
}

// readFile reads a compressed file of JSON lines.
func readFile[T any](folder fs.FS, file, name string) ([]T, error) {
	f, err := folder.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s is no data set: %w", name, err)
	}
	defer f.Close()
	out, err := readLines[T](f)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, file, err)
	}
	return out, nil
}

func readLines[T any](in io.Reader) ([]T, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	var out []T
	r := bufio.NewReaderSize(z, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 1 {
			var v T
			if err := json.Unmarshal(line, &v); err != nil {
				return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
			}
			out = append(out, v)
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
