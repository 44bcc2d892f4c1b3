package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/evaluate"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
)

// detected is the result of detect for one run.
type detected struct {
	score  float64            // score at the end of the run
	rises  map[string]float64 // by the position of the call at which the score was written
	calls  []string           // positions in flyball.calls, in order
	alarms [len(evaluate.Levels)]*schema.CallRef
}

// detected returns the results of runs by their keys.
func (f *flyball) detected() map[string]*detected {
	f.t.Helper()
	out, byID := map[string]*detected{}, map[string]*detected{}
	var runs []struct {
		Key   string   `json:"run_key"`
		ID    string   `json:"run_id"`
		Score *float64 `json:"score"`
	}
	f.rows(&runs, "SELECT run_key, run_id, score FROM flyball.runs")
	for _, r := range runs {
		d := &detected{rises: map[string]float64{}}
		if r.Score != nil {
			d.score = *r.Score
		}
		out[r.Key], byID[r.ID] = d, d
	}
	// In a record of flyball.calls, calls have the order of their source.
	type place struct {
		ID    string  `json:"run_id"`
		Place string  `json:"place"`
		Value float64 `json:"value"`
	}
	var calls, rises []place
	f.rows(&calls, `SELECT run_id, concat(toString(calls_partition), '/', toString(calls_offset), '/', toString(row_number() OVER (PARTITION BY calls_partition, calls_offset ORDER BY source_offset, item) - 1)) AS place
FROM flyball.calls ORDER BY calls_partition, calls_offset, source_offset, item`)
	for _, c := range calls {
		byID[c.ID].calls = append(byID[c.ID].calls, c.Place)
	}
	f.rows(&rises, "SELECT run_id, concat(toString(calls_partition), '/', toString(calls_offset), '/', toString(item)) AS place, value "+
		"FROM flyball.scores")
	for _, s := range rises {
		byID[s.ID].rises[s.Place] = s.Value
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	f.everyRecord(ctx, wire.EventsTopic, func(r *kgo.Record) {
		e, err := wire.DecodeEvent(r.Value)
		if err != nil {
			f.t.Fatal(err)
		}
		if e.Kind != schema.EventFinding || !slices.Contains(score.Families[:], e.Finding.Family) {
			return
		}
		for i, level := range []schema.Level{schema.LevelAlert, schema.LevelTrip} {
			first := &out[e.Finding.RunKey].alarms[i]
			if at := e.Finding.Call; e.Finding.Level >= level && (*first == nil || at.Version() < (*first).Version()) {
				*first = &at
			}
		}
	})
	return out
}

// agree compares the results of detect with those of a detector in this process, and counts
// the alarms of each level.
func agree(t *testing.T, runs []*evaluate.Labelled, deployed map[string]*detected,
	by *evaluate.Detector) (alarms [len(evaluate.Levels)]int) {
	t.Helper()
	for _, r := range runs {
		d, path := deployed[r.ID], by.Scores(r)
		if d == nil || len(d.calls) != len(path) {
			t.Errorf("%s: detect has another run of this key: %+v", r.ID, d)
			continue
		}
		if final := path[len(path)-1]; !close9(final, d.score) {
			t.Errorf("%s ends at %.12g in process, at %.12g in detect", r.ID, final, d.score)
		}
		for place, value := range d.rises {
			if i := slices.Index(d.calls, place); i < 0 || !close9(path[i], value) {
				t.Errorf("%s rises to %.12g in detect at call %d, in process: %v", r.ID, value, i+1, path)
			}
		}
		for level, threshold := range by.Thresholds(r.Agent, r.Group) {
			want, got := slices.IndexFunc(path, func(x float64) bool { return x > threshold })+1, 0 // number of the call in the run, from 1; 0: none
			if at := d.alarms[level]; at != nil {
				if got = slices.Index(d.calls, at.String()) + 1; got == 0 {
					t.Errorf("%s: a finding at %s, which is no call of the run", r.ID, at)
				}
			}
			if want > 0 {
				alarms[level]++
			}
			if want != got {
				t.Errorf("%s alarms at %g of runs at call %d of %d in process, at %d in detect (0: never)", r.ID, evaluate.Levels[level], want,
					len(path), got)
			}
		}
	}
	return alarms
}

// everyRecord reads a topic up to its present end.
func (f *flyball) everyRecord(ctx context.Context, name string, do func(*kgo.Record)) {
	f.t.Helper()
	client, err := kgo.NewClient(append(f.login(), kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, name)
	if err != nil {
		f.t.Fatal(err)
	}
	behind := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			behind[o.Partition] = o.Offset
		}
	})
	for len(behind) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			f.t.Fatalf("%s, partitions and ends that were not reached %v: %v", name, behind, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= behind[r.Partition] {
				delete(behind, r.Partition)
			}
			do(r)
		})
	}
}

// rows reads the rows of a query.
func (f *flyball) rows(into any, query string) {
	f.t.Helper()
	text, err := f.sql(query + " SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow")
	if err != nil {
		f.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte("["+strings.Join(strings.Split(text, "\n"), ",")+"]"), into); err != nil {
		f.t.Fatal(err)
	}
}
