package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"flyball/cmd/internal/tiers"
	"flyball/cmd/internal/tools/labelled"
	bundled "flyball/cmd/internal/traffic"
	"flyball/detect/evaluate"
	"flyball/detect/model/calibrate"
)

// recordedTraffic is a folder with data sets that are not part of the repository.
const recordedTraffic = "../../../../shared/data"

// `flyball eval` must evaluate the same detector that detect runs: it learns the same baseline
// from labelled runs as learn does from the log of these runs, and raises alarms at the same
// calls.
func TestJudgedDetectorIsTheDeployedOne(t *testing.T) {
	if calibrate.AlertShare != evaluate.Levels[0] {
		t.Fatalf("detect alerts on %g of clean runs, eval judges %v", calibrate.AlertShare, evaluate.Levels)
	}
	for name, view := range labelled.Views {
		if view == labelled.Gateway {
			continue // no log view: it needs data from bodies, which logs do not contain
		}
		t.Run("bundled traffic in the "+name+" view", func(t *testing.T) {
			var all []*recording
			for _, set := range bundled.Sets {
				dir, err := fs.Sub(bundled.Files, set)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, recordings(t, dir, func(map[string]any) bool { return true })...)
			}
			past, live := apart(all, 15)
			clerks := fleet(100)
			past, live = append(past, clerks[:80]...), append(clerks[80:], live...)
			kinds := []string{"loop", "cycle", "sweep", "retry", "deletes", "bytes", "fanout"}
			for i, r := range live[:8*len(kinds)] {
				live = append(live, runaway(r, kinds[i%len(kinds)], 40))
			}
			same(t, view, past, live)
		})
		t.Run("recorded traffic in the "+name+" view", func(t *testing.T) {
			if _, err := os.Stat(recordedTraffic); err != nil {
				tiers.Skipped("recorded-traffic", fmt.Errorf("%s view: %w", name, err))
				t.Skip(err)
			}
			tiers.Ran("recorded-traffic")
			read := func(set string, one int) []*recording {
				n := 0
				return recordings(t, os.DirFS(recordedTraffic+"/"+set), func(run map[string]any) bool {
					n++
					return n%one == 0
				})
			}
			past, live := apart(append(read("agentdojo", 12), read("tau", 5)...), 8)
			same(t, view, past, append(live, read("runaways", 45)...))
		})
	}
}

// apart separates the runs: every one-th run is live, the others are past.
func apart(all []*recording, one int) (past, live []*recording) {
	for i, r := range all {
		if i%one == 0 {
			live = append(live, r)
		} else {
			past = append(past, r)
		}
	}
	return past, live
}

// same sends the past and then the live runs to an installation, and evaluates both also in
// this process.
func same(t *testing.T, view labelled.View, past, live []*recording) {
	now := time.Now()
	begin(past, now.Add(-9*24*time.Hour), now.Add(-6*time.Hour))
	begin(live, now.Add(-3*time.Hour), now.Add(-2*time.Hour))
	f := install(t, "", "")
	configure(t, f, fmt.Sprintf(`control: {listen: "127.0.0.1:%d"}`+"\n"+`learn: {quarantine: 0s, window: 240h, every: 10h, min_runs: 1000000}`, f.ports["control"]))
	f.start()

	taught := f.play(view, past)
	deployed := f.learnOnce()
	ids := f.runIDs()
	for _, l := range taught {
		l.ID = ids[l.ID] // ids determine which runs are calibrated together
	}
	own := evaluate.LearnDetector(taught)
	differ(t, deployed, own.Baseline)

	alarms := agree(t, f.play(view, live), f.detected(), evaluate.NewDetector(deployed))
	t.Logf("%d runs taught, %d judged, %d alert, %d trip", len(past), len(live), alarms[0], alarms[1])
	if least := len(live) / 8; alarms[0] < least || alarms[1] < least/2 {
		t.Errorf("too few alarms to say that they are the same: %v", alarms)
	}
}
