package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// backlog is what waits in a topic before it is measured.
type backlog struct {
	n, agents int
	learned   int    // calls of the baseline; 0: none
	peer      bool   // measure ClickHouse's own Kafka engine on the same topic first
	profiles  string // folder for profiles; empty: none
	// ordinary: the runs are those of the traffic, which began so long ago that its last call is now; nil: one long run an agent.
	ordinary *soakTraffic
	past     time.Duration // with ordinary: for how long runs of the baseline begin
	pastRuns int           // with ordinary: runs of the baseline
}

// measured is what one backlog took.
type measured struct {
	rate        float64 // calls stored a second
	own, engine float64 // microseconds of CPU a call: Flyball with its broker, engine
	memory      int     // MiB, the peak without the engine
	peer        peerMeasured
}

// cost is the CPU of a call in all processes, in microseconds.
func (m *measured) cost() float64 { return m.own + m.engine }

// ratio is the CPU of a call over that of a record of the peer; 0: the peer was not measured.
func (m *measured) ratio() float64 {
	if m.peer.cost() == 0 {
		return 0
	}
	return m.cost() / m.peer.cost()
}

// repeat measures the backlog several times and prints the medians.
func (b *backlog) repeat(binary string, runs int) error {
	var all []measured
	for i := range runs {
		m, err := b.measure(binary, i)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	of := func(value func(*measured) float64) float64 {
		var v []float64
		for i := range all {
			v = append(v, value(&all[i]))
		}
		return median(v)
	}
	fmt.Printf("medians of %d runs, %d records: %.0f calls/s; CPU a call: %.1f µs = %.1f Flyball and broker + %.1f engine; memory %.0f MiB",
		runs, b.n, of(func(m *measured) float64 { return m.rate }), of((*measured).cost), of(func(m *measured) float64 { return m.own }),
		of(func(m *measured) float64 { return m.engine }), of(func(m *measured) float64 { return float64(m.memory) }))
	if b.peer {
		fmt.Printf("; peer %.1f µs, ratio %.2f", of(func(m *measured) float64 { return m.peer.cost() }), of((*measured).ratio))
	}
	fmt.Println()
	return nil
}

// measure measures the backlog once.
func (b *backlog) measure(binary string, seed int) (m measured, err error) {
	s, done, err := newSetup()
	if err != nil {
		return m, err
	}
	defer done()
	if b.profiles != "" {
		s.profiles = ", profiles: true"
	}
	size, err := b.prepare(s, binary, seed, &m)
	if err != nil {
		return m, err
	}
	past, inputs := 0, "{topic: gw, format: envoy_json}"
	if b.ordinary != nil {
		inputs += ", " + b.otherInput()
		if err := s.closePast(binary, b.pastRuns); err != nil {
			return m, err
		}
	}
	if b.learned > 0 {
		if past, err = s.learn(binary, b.learned); err != nil {
			return m, err
		}
	}
	idle, err := s.measureStart(binary, b.otherInput())
	if err != nil {
		return m, err
	}
	if err := s.write(inputs); err != nil {
		return m, err
	}
	began := time.Now()
	cmd, err := s.start(binary)
	if err != nil {
		return m, err
	}
	defer stop(cmd)
	child := children(cmd.Process.Pid)
	// Profiles of five seconds each, so that the last one ends soon after the last call.
	profiling, end := context.WithCancel(context.Background())
	defer end()
	profiled := make(chan error, 1)
	go func() { profiled <- s.saveCPU(profiling, b.profiles) }()
	if err := b.await(s, cmd.Process.Pid, past, began); err != nil {
		return m, err
	}
	end()
	took, n := time.Since(began)-idle.took, b.n
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	m.rate, m.own, m.engine = float64(n)/took.Seconds(), per(cpu(cmd.Process.Pid)-idle.own), per(cpu(child...)-idle.engine)
	m.memory = peakMiB(cmd.Process.Pid)
	after, err := s.scrape()
	if err != nil {
		return m, err
	}
	of := func(name string) float64 { return (total(after, name) - total(idle.metrics, name)) / float64(n) }
	agents := b.agents
	if b.ordinary != nil {
		agents = b.ordinary.agents
	}
	fmt.Printf("run %d: %d records of %d bytes, %d agents: %.0f calls/s end to end; CPU a call: %.1f µs Flyball and broker, %.1f µs engine; "+
		"peak memory without the engine %d MiB", seed+1, b.n, size, agents, m.rate, m.own, m.engine, m.memory)
	if b.peer {
		fmt.Printf("; ratio to the peer %.2f", m.ratio())
	}
	fmt.Printf("\n       allocated a call: %.1f kB in %.1f objects\n", of("go_memstats_alloc_bytes_total")/1e3,
		of("go_memstats_mallocs_total"))
	for _, name := range bounds {
		fmt.Printf("       %s: %.0f\n", name, total(after, name))
	}
	if b.ordinary != nil {
		s.printDecisions()
	}
	s.printStored(b.n)
	return m, errors.Join(<-profiled, s.saveProfiles(b.profiles, "heap", "allocs"))
}

// bounds are metrics that count calls or records which met a bound of a part.
var bounds = []string{"flyball_detect_refusals_total", "flyball_ingest_dead_letters_total", "flyball_broker_refused_for_space_total",
	"flyball_broker_unread_records", "flyball_store_skipped_total", "flyball_store_refused_partitions", "flyball_log_lost_records_total"}

// started is what a start takes until the process is ready: it is no part of a call's cost.
type started struct {
	took, own, engine time.Duration
	metrics           map[string]*dto.MetricFamily
}

// measureStart starts a process that has nothing to read, on the data that is there, and stops it.
func (s *setup) measureStart(binary, inputs string) (of started, err error) {
	if err := s.write(inputs); err != nil {
		return of, err
	}
	began := time.Now()
	cmd, err := s.start(binary)
	if err != nil {
		return of, err
	}
	defer stop(cmd)
	of = started{took: time.Since(began), own: cpu(cmd.Process.Pid), engine: cpu(children(cmd.Process.Pid)...)}
	if of.metrics, err = s.scrape(); err != nil {
		return of, err
	}
	fmt.Printf("       a start with nothing to read: %.1f s, CPU %.2f s Flyball and broker, %.2f s engine (left out below)\n",
		of.took.Seconds(), of.own.Seconds(), of.engine.Seconds())
	return of, nil
}

// saveCPU writes profiles of the process's CPU into a folder, one after the other, until ctx ends: cpu-1.pb.gz and so on.
func (s *setup) saveCPU(ctx context.Context, dir string) error {
	for i := 1; dir != "" && ctx.Err() == nil; i++ {
		if err := s.saveProfiles(dir, "profile?seconds=5"); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(dir, "profile.pb.gz"), filepath.Join(dir, fmt.Sprintf("cpu-%d.pb.gz", i))); err != nil {
			return err
		}
	}
	return nil
}

// otherInput is the input of a process that does not read the backlog. A topic that nobody reads any more would hold the watermark
// back, so it is one that all of them read.
func (b *backlog) otherInput() string {
	if b.ordinary != nil {
		return "{topic: past, format: envoy_json}"
	}
	return "{topic: other, format: auto}"
}

// prepare fills the topic before any reader starts, and measures the peer. It returns the size of a record.
func (b *backlog) prepare(s *setup, binary string, seed int, m *measured) (size int, err error) {
	if err := s.write(b.otherInput()); err != nil {
		return 0, err
	}
	cmd, err := s.start(binary)
	if err != nil {
		return 0, err
	}
	defer stop(cmd)
	if b.ordinary != nil {
		size, err = b.fillOrdinary(s.kafka, uint64(seed))
	} else {
		size, err = fill(s.kafka, "gw", b.n, b.agents, uint64(seed))
		if err == nil && b.learned > 0 {
			_, err = fill(s.kafka, "past", b.learned, b.agents/10, uint64(seed)+1000)
		}
	}
	if err == nil && b.peer {
		// Before Flyball: its broker deletes what its readers have read.
		m.peer, err = s.peer(b.n, cmd.Process.Pid, children(cmd.Process.Pid))
	}
	return size, err
}

// printStored prints how many calls are stored and how many bytes each takes by table.
func (s *setup) printStored(n int) {
	if stored, distinct, err := s.distinctCalls("1"); err == nil {
		fmt.Printf("       stored, distinct: %d, %d\n", stored, distinct)
	}
	bytes := "SELECT table, round(sum(data_compressed_bytes) / " + strconv.Itoa(n) + ", 1), sum(rows) FROM system.parts WHERE database " +
		"= 'flyball' AND active GROUP BY table HAVING sum(rows) > 1000 ORDER BY table"
	if got, err := s.sql(bytes); err == nil {
		fmt.Printf("       bytes a call and rows: %s\n", strings.ReplaceAll(strings.ReplaceAll(got, "\t", " "), "\n", ", "))
	}
	parts := "SELECT table, count(), round(sum(rows) / count()) FROM system.part_log WHERE event_type = 'NewPart' GROUP BY table " +
		"ORDER BY table"
	if got, err := s.sql(parts); err == nil && got != "" {
		fmt.Printf("       parts inserted, rows a part: %s\n", strings.ReplaceAll(strings.ReplaceAll(got, "\t", " "), "\n", ", "))
	}
}

// learn stores the past and makes a baseline of it.
func (s *setup) learn(binary string, n int) (int, error) {
	if err := s.write("{topic: past, format: envoy_json}"); err != nil {
		return 0, err
	}
	cmd, err := s.start(binary)
	if err != nil {
		return 0, err
	}
	defer stop(cmd)
	for end := time.Now().Add(2 * time.Minute); s.count("SELECT sum(calls) FROM flyball.runs") < n; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			return 0, fmt.Errorf("the past is not stored after two minutes")
		}
	}
	out, err := exec.Command(binary, "learn", "--once", "--config", s.config).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("learn: %w: %s", err, out)
	}
	fmt.Printf("       %s", out)
	return n, nil
}
