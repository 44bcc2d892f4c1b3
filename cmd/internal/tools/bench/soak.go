package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// soakOptions are what -soak measures.
type soakOptions struct {
	duration      time.Duration
	traffic       soakTraffic
	gap, lateness time.Duration // of the configuration; gap is that of runs, sessions and conversations
	restart       bool          // stop and start the process in the middle
	every         time.Duration // between two rows
	profiles      string        // folder for profiles after the last row; empty: none
	past          time.Duration // for how long runs begin of the traffic to learn from
}

// closedRunsStay is how long detect keeps a closed run for late calls (stitch.DefaultLimits, EvictAfter).
const closedRunsStay = 15 * time.Minute

// settles is when the numbers of open and of closed runs have stopped to grow: the first runs have made their calls and were silent
// for the gap, the watermark, which is late by the lateness, has passed that, and they are no longer kept for late calls.
func (o *soakOptions) settles() time.Duration {
	return o.gap + o.lateness + 3*time.Duration(o.traffic.calls)*o.traffic.pause + closedRunsStay
}

// soak measures ordinary traffic at a steady rate against one process with embedded parts, prints a row
// every ten seconds and then what grew after the first gap. It returns whether everything was flat.
func soak(binary string, o soakOptions) (bool, error) {
	s, done, err := newSetup()
	if err != nil {
		return false, err
	}
	defer done()
	cmd, load, end, err := s.beginSoak(binary, &o)
	if err != nil {
		return false, err
	}
	defer func() { stop(cmd) }()
	defer end()
	endAnswers, err := s.startAnswers()
	if err != nil {
		return false, err
	}
	defer endAnswers()
	began := time.Now()
	fmt.Println(rowHead)
	before, err := s.read(cmd.Process.Pid, load)
	if err != nil {
		return false, err
	}
	var rows []row
	cut := false
	restartAt, restarted := began.Add(o.duration/2), !o.restart
	for at := began.Add(o.every); !at.After(began.Add(o.duration)); at = at.Add(o.every) {
		time.Sleep(time.Until(at))
		if !restarted && time.Now().After(restartAt) {
			restarted, cut = true, true
			stopped := time.Now()
			stop(cmd)
			next, err := s.start(binary)
			if err != nil {
				return false, err
			}
			cmd = next
			fmt.Printf("      restarted: ready %.1f s after the signal to stop\n", time.Since(stopped).Seconds())
		}
		after, err := s.read(cmd.Process.Pid, load)
		if err != nil {
			fmt.Printf("      no row: %v\n", err) // the next one covers both
			continue
		}
		r := rowBetween(began, &before, &after, cut)
		fmt.Println(r)
		rows, before, cut = append(rows, r), after, false
	}
	if o.profiles != "" {
		if err := s.saveProfiles(o.profiles, "profile?seconds=30", "heap", "allocs"); err != nil {
			return false, err
		}
	}
	end()
	lost := s.printLost(load)
	metrics := s.printMetrics("flyball_detect_findings_total", "flyball_detect_refusals_total", "flyball_detect_closed_early_total",
		"flyball_detect_late_total", "flyball_memory_limit_bytes")
	return printVerdicts(verdicts(rows, &o)), errors.Join(lost, metrics)
}

// beginSoak starts a process with a learned baseline and the load. end stops the load and waits until its
// records are acknowledged, at most a minute.
func (s *setup) beginSoak(binary string, o *soakOptions) (cmd *exec.Cmd, load *soakLoad, end func(), err error) {
	if o.profiles != "" {
		s.profiles = ", profiles: true"
	}
	s.more = fmt.Sprintf("detect: {run_gap: %[1]s, session_gap: %[1]s, conversation_gap: %[1]s, lateness: %[2]s}\n", o.gap, o.lateness)
	if o.past > 0 {
		if err := s.write("{topic: past, format: envoy_json}"); err != nil {
			return nil, nil, nil, err
		}
		if cmd, err = s.start(binary); err != nil {
			return nil, nil, nil, err
		}
		past, runs, err := writePast(s.kafka, "past", o.traffic, o.past, time.Now().Add(-2*(o.gap+o.lateness)))
		stop(cmd)
		if err != nil {
			return nil, nil, nil, err
		}
		if err := s.closePast(binary, runs); err != nil {
			return nil, nil, nil, err
		}
		if _, err := s.learn(binary, past); err != nil {
			return nil, nil, nil, err
		}
	}
	// A topic that nobody reads any more would hold the watermark back.
	if err := s.write("{topic: gw, format: envoy_json}, {topic: past, format: envoy_json}"); err != nil {
		return nil, nil, nil, err
	}
	if cmd, err = s.start(binary); err != nil {
		return nil, nil, nil, err
	}
	client, err := soakProducer(s.kafka, "gw")
	if err != nil {
		stop(cmd)
		return nil, nil, nil, err
	}
	s.stored = s.countStored()
	load = &soakLoad{}
	return cmd, load, load.start(client, newRunPool(o.traffic, "run", 22), time.Minute), nil
}

// closePast lets a process read the past until all of its runs are closed: the watermark passes the last of them when
// ingest has had nothing to read for a while. The runs that are closed first are shorter than the others, so a baseline of
// them alone would find too many of the same traffic too long.
func (s *setup) closePast(binary string, runs int) error {
	cmd, err := s.start(binary)
	if err != nil {
		return err
	}
	defer stop(cmd)
	for end := time.Now().Add(10 * time.Minute); s.count("SELECT count() FROM flyball.runs WHERE state = 'closed'") < runs; {
		if time.Now().After(end) {
			return fmt.Errorf("%d runs of the past are closed after 10 minutes, want %d",
				s.count("SELECT count() FROM flyball.runs WHERE state = 'closed'"), runs)
		}
		time.Sleep(500 * time.Millisecond)
	}
	return nil
}

// printLost waits until all calls are stored, and says how many are not and how many are stored twice.
func (s *setup) printLost(load *soakLoad) error {
	in, began := int(load.acknowledged.Load()), time.Now()
	for time.Since(began) < 2*time.Minute {
		if got, err := s.storedCalls(); err != nil || got-s.stored >= in {
			if err != nil {
				return err
			}
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	stored, distinct, err := s.distinctCalls("source_topic = 'gw'")
	if err != nil {
		return err
	}
	fmt.Printf("acknowledged %d, failed %d; stored, distinct: %d, %d; the rest was stored in %.1f s\n", in, load.failed.Load(), stored,
		distinct, took.Seconds())
	return nil
}

// distinctSlices is into how many slices the stored calls are divided to count those that differ: one statement about 36 million needs
// 3 GiB.
const distinctSlices = 32

// distinctCalls counts the stored calls that a condition selects, and how many of them differ by their place in the input.
func (s *setup) distinctCalls(where string) (stored, distinct int, err error) {
	for slice := range distinctSlices {
		got, err := s.sql(fmt.Sprintf("SELECT count(), uniqExact(source_partition, source_offset, item) FROM flyball.calls WHERE %s"+
			" AND source_offset %% %d = %d", where, distinctSlices, slice))
		if err != nil {
			return 0, 0, err
		}
		var n, d int
		if _, err := fmt.Sscan(got, &n, &d); err != nil {
			return 0, 0, fmt.Errorf("count distinct calls: %q: %w", got, err)
		}
		stored, distinct = stored+n, distinct+d
	}
	return stored, distinct, nil
}

// saveProfiles writes profiles of the process into a folder, by their names below /debug/pprof: "profile?seconds=30" is CPU.
func (s *setup) saveProfiles(dir string, names ...string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/%s", s.metrics, name))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return err
		}
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %.200s", name, r.Status, body)
		}
		file, _, _ := strings.Cut(name, "?")
		if err := os.WriteFile(filepath.Join(dir, file+".pb.gz"), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// verdict is what became of one figure after the first gap.
type verdict struct {
	figure    string
	trend     trend
	tolerated float64
	judgement judgement
}

const (
	// toleratedGrowth is how much CPU and memory may grow from the first row after the first gap to the last,
	// as a share of their mean.
	toleratedGrowth = 0.1
	// toleratedLag is how much the lag of a stage may grow, in seconds. Lag is read every five seconds.
	toleratedLag = 2
	// settlesAfterRestart is how long rows after a restart are left out: state is read, and what waited is worked off.
	settlesAfterRestart = 30
)

// verdicts judges the rows after the first gap, without those after a restart.
func verdicts(rows []row, o *soakOptions) []verdict {
	cutAt := -1e9
	var kept []row
	for _, r := range rows {
		if r.cut {
			cutAt = r.seconds
		}
		if r.seconds > o.settles().Seconds()+o.every.Seconds() && r.seconds > cutAt+settlesAfterRestart {
			kept = append(kept, r)
		}
	}
	of := func(figure string, value func(*row) float64, tolerated func(mean float64) float64) verdict {
		var x, y []float64
		for i := range kept {
			if v := value(&kept[i]); !math.IsNaN(v) {
				x, y = append(x, kept[i].seconds), append(y, v)
			}
		}
		t := fitTrend(x, y)
		v := verdict{figure: figure, trend: t, tolerated: tolerated(t.mean), judgement: undecided}
		if len(y) >= 3 && 2*len(y) > len(kept) {
			v.judgement = t.judge(v.tolerated)
		}
		return v
	}
	share := func(mean float64) float64 { return toleratedGrowth * mean }
	out := []verdict{
		of("CPU, µs a call, engine included", func(r *row) float64 { return r.cpu + r.engine }, share),
		of("live heap, MiB", func(r *row) float64 { return r.live }, share),
		of("RSS without the engine, MiB", func(r *row) float64 { return r.rss }, share),
		of("open runs", func(r *row) float64 { return r.openRuns }, share),
		of("calls behind, s", func(r *row) float64 { return float64(r.behind) / float64(o.traffic.rate) },
			func(float64) float64 { return toleratedLag }),
	}
	for _, s := range stages {
		lag := func(r *row) float64 {
			if v, known := r.lag[s.group]; known {
				return v
			}
			return math.NaN()
		}
		out = append(out, of("lag of "+s.name+", s", lag, func(float64) float64 { return toleratedLag }))
	}
	return out
}

// printVerdicts prints a line for each figure and whether all are flat, and returns the latter.
func printVerdicts(list []verdict) bool {
	for _, v := range list {
		if math.IsNaN(v.trend.mean) || math.IsInf(v.trend.most, 1) {
			fmt.Printf("%-32s undecided: too few rows after the first gap, or they hang together too much\n", v.figure)
			continue
		}
		fmt.Printf("%-32s %-9s %s; tolerated %.3g\n", v.figure, v.judgement, v.trend, v.tolerated)
	}
	if i := slices.IndexFunc(list, func(v verdict) bool { return v.judgement != flat }); i >= 0 {
		fmt.Printf("not shown to be flat: %s\n", list[i].figure)
		return false
	}
	fmt.Println("flat after the first gap")
	return true
}
