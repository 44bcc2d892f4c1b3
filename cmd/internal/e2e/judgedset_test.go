package e2e

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recording is a recorded run: the line of the run and those of its calls, in order.
type recording struct {
	id, agent string
	run       map[string]any
	calls     []map[string]any
}

// recordings returns the wanted runs of a data set's folder, by id.
func recordings(t *testing.T, dir fs.FS, wanted func(run map[string]any) bool) []*recording {
	t.Helper()
	var out []*recording
	byID := map[string]*recording{}
	each(t, dir, "runs.jsonl.gz", func(run map[string]any) {
		if wanted(run) {
			r := &recording{id: run["run_id"].(string), agent: run["agent_id"].(string), run: run}
			out, byID[r.id] = append(out, r), r
		}
	})
	each(t, dir, "calls.jsonl.gz", func(c map[string]any) {
		if r := byID[c["run_id"].(string)]; r != nil && (c["caller_kind"] == nil || c["caller_kind"] == "agent") {
			r.calls = append(r.calls, c)
		}
	})
	out = slices.DeleteFunc(out, func(r *recording) bool { return len(r.calls) == 0 })
	slices.SortFunc(out, func(a, b *recording) int { return cmp.Compare(a.id, b.id) })
	return out
}

func each(t *testing.T, dir fs.FS, name string, do func(map[string]any)) {
	t.Helper()
	f, err := dir.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for lines := json.NewDecoder(z); lines.More(); {
		var v map[string]any
		if err := lines.Decode(&v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		do(v)
	}
}

// begin moves the starts of runs between two times, one after the other, and those of each
// agent evenly, because a day has a limited share of the learned runs. The times between calls
// do not change, except that long pauses are shortened.
func begin(runs []*recording, from, to time.Time) {
	const silence = 60_000
	of, n, place := map[string]int{}, map[string]int{}, map[*recording]float64{}
	for _, r := range runs {
		of[r.agent]++
	}
	for _, r := range runs {
		n[r.agent]++
		place[r] = (float64(n[r.agent]) - .5) / float64(of[r.agent])
	}
	slices.SortStableFunc(runs, func(a, b *recording) int { return cmp.Compare(place[a], place[b]) })
	for i, r := range runs {
		moved := float64(from.UnixMilli() + int64(i)*to.Sub(from).Milliseconds()/int64(len(runs)))
		before := r.calls[0]["ts"].(float64)
		for _, c := range r.calls {
			ts := c["ts"].(float64)
			moved += min(ts-before, silence) // calls of one turn can be logged in another order
			before, c["ts"] = ts, moved
		}
	}
}

// folder writes a data set.
func folder(t *testing.T, runs []*recording) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, lines func(put func(any))) {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z := gzip.NewWriter(f)
		out := json.NewEncoder(z)
		lines(func(v any) {
			if err := out.Encode(v); err != nil {
				t.Fatal(err)
			}
		})
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("runs.jsonl.gz", func(put func(any)) {
		for _, r := range runs {
			put(r.run)
		}
	})
	write("calls.jsonl.gz", func(put func(any)) {
		for _, r := range runs {
			for _, c := range r.calls {
				put(c)
			}
		}
	})
	return dir
}

// kindsOfRunaway returns, for each kind of runaway, the next call of the run by its number.
var kindsOfRunaway = map[string]func(r *recording, n int) map[string]any{
	"loop":  func(r *recording, _ int) map[string]any { return r.calls[len(r.calls)/2] },
	"cycle": func(r *recording, n int) map[string]any { return r.calls[n%min(len(r.calls), 5)] },
	"sweep": func(_ *recording, n int) map[string]any {
		return asked("GET", fmt.Sprintf("/ledger/v1/entries/%d", 4000+n), "/ledger/v1/entries/{id:[0-9]{4}}", 200, 300+n%7)
	},
	"retry": func(_ *recording, n int) map[string]any {
		c := asked("POST", "/ledger/v1/entries", "", 503, 80+n%3)
		c["args_digest"] = "the same"
		return c
	},
	"deletes": func(_ *recording, n int) map[string]any {
		return asked("DELETE", fmt.Sprintf("/ledger/v1/members/%d/roles/%d", n, n), "", 204, 0)
	},
	"bytes": func(_ *recording, n int) map[string]any {
		return asked("GET", "/ledger/v1/entries", "", 200, 20_000<<(n/4))
	},
	"fanout": func(_ *recording, n int) map[string]any {
		return asked("GET", fmt.Sprintf("/%s/v1/status", strings.Repeat("x", 1+n%23)), "", 200, 40+n)
	},
}

func asked(method, path, template string, status, given int) map[string]any {
	c := map[string]any{"method": method, "path": path, "status": status, "request_bytes": 30, "response_bytes": given, "latency_ms": 900,
		"args_digest": path}
	if template != "" {
		c["path_template"] = template
		if i := strings.LastIndexByte(path, '/'); strings.Contains(template, "{") {
			c["resources"] = []string{"entry:" + path[i+1:], "book:" + path[i+1:i+2]}
		}
	}
	return c
}

// runaway returns a recorded run that continues with calls of a kind of runaway.
func runaway(base *recording, kind string, calls int) *recording {
	r := &recording{id: base.id + "-" + kind, agent: base.agent, run: maps.Clone(base.run)}
	r.run["run_id"] = r.id
	for _, c := range base.calls {
		r.calls = append(r.calls, maps.Clone(c))
	}
	last := base.calls[len(base.calls)-1]["ts"].(float64)
	for n := range calls {
		c := maps.Clone(kindsOfRunaway[kind](base, n))
		c["ts"] = last + 400*float64(n+1) // some begin before the previous one has ended
		r.calls = append(r.calls, c)
	}
	r.number()
	return r
}

func (r *recording) number() {
	for i, c := range r.calls {
		c["run_id"], c["agent_id"], c["task_id"], c["seq"] = r.id, r.agent, r.run["task_id"], i
	}
}

// fleet returns runs of an agent with routes that the gateway knows, overlapping calls and
// some deletes. Half of the runs belong to an agent that only claims its identity.
func fleet(runs int) (out []*recording) {
	for i := range runs {
		name := []string{"ledger/clerk", "drifter/clerk"}[i%2]
		r := &recording{id: fmt.Sprint("ledger-", i), agent: name}
		r.run = map[string]any{"run_id": r.id, "agent_id": name, "task_id": fmt.Sprint("ledger/", i%7)}
		if i%2 == 1 {
			r.run["agent_id"] = "" // not a consumer of the gateway
		}
		for n := range 2 + i%5 {
			r.calls = append(r.calls, kindsOfRunaway["sweep"](r, 31*i+n))
		}
		if i%4 == 0 {
			r.calls = append(r.calls, kindsOfRunaway["deletes"](r, i))
		}
		for n, c := range r.calls {
			c["ts"] = float64(1000 + 700*n)
		}
		r.number()
		out = append(out, r)
	}
	return out
}
