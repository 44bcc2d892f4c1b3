// Command stitchtruth measures how well calls are bound to runs, on runs that
// are known: the bundled traffic, stripped down to what a rule may see, played
// by 1, 4 and 16 workers at a time under one credential, and bound again.
//
// Pairwise precision is the share of pairs of calls that were put into one run
// and are of one; recall the share of pairs of one run that were put into one.
//
// The result holds only for agents with the timing of its workers: the pause between two
// runs of a worker is exponentially distributed.
package main

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"flyball/cmd/internal/traffic"
	"flyball/detect/stitch"
	"flyball/schema"
)

// rule is what is left of a call for stitching to go by.
type rule struct {
	name  string
	leave func(c *schema.Call, run, worker int)
}

var rules = []rule{
	{"run id (explicit)", func(c *schema.Call, run, _ int) { c.RunKey = fmt.Sprint("run-", run) }},
	{"trace, one a run", func(c *schema.Call, run, _ int) { c.TraceID = [16]byte{1, byte(run), byte(run >> 8), byte(run >> 16)} }},
	{"conversation, one a run", func(c *schema.Call, run, _ int) { c.ConversationID = fmt.Sprint("conv-", run) }},
	{"conversation, one a worker", func(c *schema.Call, _, worker int) { c.ConversationID = fmt.Sprint("conv-", worker) }},
	{"time and verified user, one a worker", func(c *schema.Call, _, worker int) {
		c.PrincipalID, c.PrincipalTrust = fmt.Sprint("user-", worker), schema.TrustVerified
	}},
	{"credential and time alone (session)", func(*schema.Call, int, int) {}},
}

func main() {
	runs, err := known()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LEFT TO GO BY\tAT A TIME\tRUNS\tCALLS\tBOUND INTO\tPRECISION\tRECALL")
	for _, r := range rules {
		for _, workers := range []int{1, 4, 16} {
			m := measure(runs, r, workers, pauseMean, 1)
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%.3f\t%.3f\n", r.name, workers, m.runs, m.calls, m.bound, m.precision, m.recall)
		}
	}
	t.Flush()
}

// pauseMean is the mean pause between two runs of a worker.
const pauseMean = 30 * time.Minute

// known are the start times of the calls of each run, relative to its first.
func known() ([][]time.Duration, error) {
	byRun := map[string][]int64{}
	for _, set := range traffic.Sets {
		f, err := traffic.Files.Open(set + "/calls.jsonl.gz")
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(z)
		for d.More() {
			var c struct {
				RunID string `json:"run_id"`
				TS    int64  `json:"ts"`
			}
			if err := d.Decode(&c); err != nil {
				return nil, err
			}
			byRun[c.RunID] = append(byRun[c.RunID], c.TS)
		}
		f.Close()
	}
	var ids []string
	for id := range byRun {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var out [][]time.Duration
	for _, id := range ids {
		ts := byRun[id]
		slices.Sort(ts)
		var run []time.Duration
		for _, t := range ts {
			run = append(run, time.Duration(t-ts[0])*time.Millisecond)
		}
		out = append(out, run)
	}
	return out, nil
}

// measured is how well one rule did.
type measured struct {
	runs, calls, bound int
	precision, recall  float64
}

// call of a worker.
type call struct {
	at          time.Duration
	run, worker int
}

// play gives the runs to workers, one after the other, with pauses between.
func play(runs [][]time.Duration, workers int, pause time.Duration, seed uint64) []call {
	random := rand.New(rand.NewPCG(seed, 7))
	order := random.Perm(len(runs))
	free := make([]time.Duration, workers) // when a worker is free again
	for i := range free {
		free[i] = time.Duration(random.ExpFloat64() * float64(pause))
	}
	var out []call
	for _, run := range order {
		worker := 0
		for i := range free {
			if free[i] < free[worker] {
				worker = i
			}
		}
		for _, at := range runs[run] {
			out = append(out, call{free[worker] + at, run, worker})
		}
		free[worker] += runs[run][len(runs[run])-1] + time.Duration(random.ExpFloat64()*float64(pause))
	}
	slices.SortStableFunc(out, func(a, b call) int { return cmp.Compare(a.at, b.at) })
	return out
}

func measure(runs [][]time.Duration, r rule, workers int, pause time.Duration, seed uint64) measured {
	calls := play(runs, workers, pause, seed)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	together := map[[2]any]int{} // calls by (bound, true) run
	bound, truth := map[schema.RunID]int{}, map[int]int{}
	for i, k := range calls {
		c := schema.Call{
			Tenant:          "t",
			RoutingKey:      "c:key",
			CredentialID:    "key",
			CredentialTrust: schema.TrustInfrastructure,
			Method:          "GET",
			RouteKey:        "/x",
			Start:           began.Add(k.at).UnixNano(),
			DurationNs:      int64(50 * time.Millisecond),
			Pos:             schema.Position{Offset: int64(i)},
		}
		r.leave(&c, k.run, k.worker)
		p.Apply(&c, int64(i))
		p.Advance(c.Start-int64(stitch.DefaultLimits().Lateness), int64(i))
		together[[2]any{c.RunID, k.run}]++
		bound[c.RunID]++
		truth[k.run]++
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var same, of, are float64
	for _, n := range together {
		same += pairs(n)
	}
	for _, n := range bound {
		of += pairs(n)
	}
	for _, n := range truth {
		are += pairs(n)
	}
	return measured{runs: len(truth), calls: len(calls), bound: len(bound), precision: same / max(of, 1), recall: same / max(are, 1)}
}
