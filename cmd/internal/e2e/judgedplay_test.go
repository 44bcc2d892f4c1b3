package e2e

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/baselinestore"
	"flyball/detect/evaluate"
	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
)

// play sends runs in the form of a view's log, and waits until they are stored. Some logs
// contain calls in the order in which they ended, which differs from the order of their start.
func (f *flyball) play(view labelled.View, runs []*recording) []*evaluate.Labelled {
	f.t.Helper()
	read, err := labelled.Examples(folder(f.t, runs), view)
	if err != nil {
		f.t.Fatal(err)
	}
	type line struct {
		at     int64
		record *kgo.Record
	}
	var lines []line
	var out []*evaluate.Labelled
	for i := range read {
		r := &read[i]
		if n := len(r.Calls); i%9 == 0 && n > 2 {
			r.Calls[n-2], r.Calls[n-1] = r.Calls[n-1], r.Calls[n-2]
			r.Lines[n-2], r.Lines[n-1] = r.Lines[n-1], r.Lines[n-2]
		}
		at := int64(0)
		for k := range r.Calls {
			at = max(at, r.Calls[k].Start)
			lines = append(lines, line{at, &kgo.Record{Key: []byte(r.Agent), Value: r.Lines[k]}})
		}
		out = append(out, r.ForEvaluation())
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	records := make([]*kgo.Record, len(lines))
	for i := range lines {
		records[i] = lines[i].record
	}
	before := f.sqlInt("SELECT count() FROM flyball.calls")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := f.kafka().ProduceSync(ctx, records...).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
	all := fmt.Sprint(before + len(records))
	f.until("calls are stored", time.Minute, all+"\t"+all, func() (string, error) {
		return f.sql("SELECT count(), (SELECT sum(calls) FROM flyball.runs) FROM flyball.calls")
	})
	return out
}

// learnOnce learns from the stored runs and returns the published baseline.
func (f *flyball) learnOnce() *baseline.Baseline {
	f.t.Helper()
	f.t.Setenv("FLYBALL_LEARN_MIN_RUNS", "50")
	f.run([]int{0}, "learn", "--once")
	body, err := baselinestore.LatestBaseline(context.Background(), kafka.Config{Options: f.login()}, func(string) bool { return true })
	if err != nil {
		f.t.Fatal(err)
	}
	return body
}

// runIDs returns the ids of stored runs by their keys.
func (f *flyball) runIDs() map[string]string {
	f.t.Helper()
	var rows []runRow
	f.json(&rows, "runs", "--since", "", "--limit", "1000000")
	out := map[string]string{}
	for _, r := range rows {
		out[r.RunKey] = r.RunID
	}
	return out
}
