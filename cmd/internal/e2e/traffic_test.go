package e2e

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"
)

// traffic is a data set in the form that `flyball replay` reads: runs of a few agents, in time
// order.
type traffic struct {
	calls int
	byRun map[string]int
	lines []string
	runs  []string
}

// makeTraffic generates runs from a seed: some interleaved, some alone, with ids and times.
func makeTraffic(seed uint64, runs, callsPerRun int) traffic {
	r := rand.New(rand.NewPCG(seed, 1))
	base := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	type call struct {
		at   int64
		line string
	}
	var all []call
	t := traffic{byRun: map[string]int{}}
	for i := range runs {
		run, agent := fmt.Sprintf("run-%d-%04d", seed, i), fmt.Sprintf("agent-%d", i%17)
		at := base.Add(time.Duration(r.IntN(7200)) * time.Second)
		n := 1 + r.IntN(2*callsPerRun)
		for seq := range n {
			at = at.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			kind := []string{"orders", "customers", "refunds", "invoices"}[r.IntN(4)]
			id := fmt.Sprint(1000 + r.IntN(5000))
			line, _ := json.Marshal(map[string]any{
				"dataset": "made", "run_id": run, "agent_id": agent, "task_id": fmt.Sprint("task-", i%29), "caller_kind": "agent",
				"ts": at.UnixMilli(), "seq": seq, "tool": "t", "method": []string{"GET", "GET", "POST", "DELETE"}[r.IntN(4)],
				"path": "/" + kind + "/" + id, "path_template": "/" + kind + "/{id}", "resources": []string{kind[:len(kind)-1] + ":" + id},
				"args_digest": fmt.Sprintf("%012x", r.Uint64()>>16), "status": []int{200, 200, 200, 404}[r.IntN(4)],
				"request_bytes": r.IntN(500), "response_bytes": r.IntN(5000), "latency_ms": r.IntN(200),
			})
			all = append(all, call{at.UnixNano(), string(line)})
		}
		t.byRun[run] = n
		t.calls += n
		t.runs = append(t.runs, fmt.Sprintf(`{"dataset":"made","run_id":%q,"agent_id":%q,"n_calls":%d}`, run, agent, n))
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at < all[j].at })
	for _, c := range all {
		t.lines = append(t.lines, c.line)
	}
	return t
}

// write writes lines [from, to) to a folder that replay reads.
func (t traffic) write(tb testing.TB, from, to int) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, lines := range map[string][]string{"calls.jsonl.gz": t.lines[from:to], "runs.jsonl.gz": t.runs} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			tb.Fatal(err)
		}
		z := gzip.NewWriter(f)
		for _, l := range lines {
			fmt.Fprintln(z, l)
		}
		if err := z.Close(); err != nil {
			tb.Fatal(err)
		}
		f.Close()
	}
	return dir
}

// runRow has the fields of `flyball runs -o json` that the tests use.
type runRow struct {
	RunID  string `json:"run_id"`
	RunKey string `json:"run_key"`
	Calls  int    `json:"calls"`
	State  string `json:"state"`
}

// checkRuns compares the stored runs with those that were sent.
func (f *flyball) checkRuns(t traffic) {
	f.t.Helper()
	f.until("runs with the right number of calls", 30*time.Second, "ok", func() (string, error) {
		var rows []runRow
		f.json(&rows, "runs", "--since", "", "--limit", "1000000")
		if len(rows) != len(t.byRun) {
			return fmt.Sprintf("%d runs, sent %d", len(rows), len(t.byRun)), nil
		}
		for _, r := range rows {
			if t.byRun[r.RunKey] != r.Calls {
				return fmt.Sprintf("run %s has %d calls, sent %d", r.RunKey, r.Calls, t.byRun[r.RunKey]), nil
			}
		}
		return "ok", nil
	})
}

// runsText returns every run as `flyball runs` prints it, without values that depend on the
// time of the query (the watermark determines whether a run is open).
func (f *flyball) runsText() string {
	f.t.Helper()
	var rows []map[string]any
	f.json(&rows, "runs", "--since", "", "--limit", "1000000")
	for _, r := range rows {
		delete(r, "state")
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i]["run_id"].(string) < rows[j]["run_id"].(string) })
	b, err := json.Marshal(rows)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}
