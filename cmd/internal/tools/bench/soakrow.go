package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// counters are what a process has done since its start, and what it holds at a time.
type counters struct {
	at                      time.Time
	in, stored              int
	cpu, engine             time.Duration
	collector, used         float64 // CPU seconds, as the Go runtime estimates them
	entries, entryBytes     float64
	live, limit, stateBytes float64
	rss, engineRSS          int // MiB
	openRuns                float64
	lag                     map[string]float64 // seconds, by group; empty: the process did not know it
	topics, files           int64              // bytes of the broker's files; of the engine's
	answers                 []time.Duration    // of the broker since the reading before, the shortest first
}

// stages are the readers on the path of a call.
var stages = []struct{ name, group string }{{"ingest", "flyball-ingest"}, {"detect", "flyball-detect"}, {"store", "flyball-store"}}

// read reads the counters of a running process.
func (s *setup) read(pid int, load *soakLoad) (counters, error) {
	families, err := s.scrape()
	if err != nil {
		return counters{}, err
	}
	child := children(pid)
	c := counters{rss: statusMiB(pid, "VmRSS:"), lag: map[string]float64{}, topics: bytesBelow(filepath.Join(s.dir, "data", "broker")),
		files: bytesBelow(filepath.Join(s.dir, "data", "engine"))}
	for _, p := range child {
		c.engineRSS += statusMiB(p, "VmRSS:")
	}
	stored, err := s.storedCalls()
	if err != nil {
		return counters{}, err
	}
	c.stored = stored - s.stored
	c.answers = s.answers.take()
	// Together, after what takes time.
	c.at, c.in, c.cpu, c.engine = time.Now(), int(load.acknowledged.Load()), cpu(pid), cpu(child...)
	c.collector, c.used = total(families, "flyball_collector_cpu_seconds_total"), total(families, "flyball_runtime_cpu_seconds_total")
	c.entries = total(families, "flyball_detect_state_entries_total")
	c.entryBytes = total(families, "flyball_detect_state_written_bytes_total")
	c.live, c.limit = total(families, "flyball_heap_live_bytes"), total(families, "flyball_memory_limit_bytes")
	c.stateBytes, c.openRuns = total(families, "flyball_detect_state_bytes"), total(families, "flyball_detect_open_runs")
	for _, m := range families["flyball_lag_seconds"].GetMetric() {
		g := label(m, "group")
		c.lag[g] = max(c.lag[g], m.GetGauge().GetValue())
	}
	return c, nil
}

// scrape reads the metrics of the process.
func (s *setup) scrape() (map[string]*dto.MetricFamily, error) {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.metrics))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(r.Body)
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// total is the sum of a metric over its labels; 0 if the process does not have it.
func total(families map[string]*dto.MetricFamily, name string) (sum float64) {
	for _, m := range families[name].GetMetric() {
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	return sum
}

// bytesBelow is the size of all files of a folder. Files that vanish meanwhile do not count.
func bytesBelow(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// statusMiB is a size in /proc/PID/status.
func statusMiB(pid int, key string) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, key); ok {
			kib := 0
			_, _ = fmt.Sscan(v, &kib)
			return kib / 1024
		}
	}
	return 0
}

// row is what happened between two readings.
type row struct {
	seconds        float64 // since the load began, at the end of the row
	in, stored     float64 // calls a second
	behind         int     // calls acknowledged and not stored
	cpu, engine    float64 // microseconds of CPU a call acknowledged: Flyball with its broker, engine
	cores          float64 // both
	collector      float64 // share of the runtime's CPU time
	live, rss      float64 // MiB, without the engine
	engineRSS      int
	openRuns       float64
	entries        float64 // a second
	entryKB, state float64 // kB of entries a second; MB of stored entries that count
	lag            map[string]float64
	topics, files  float64 // MB
	answers        []time.Duration
	cut            bool // the process was stopped or started meanwhile: no figures of CPU
}

func rowBetween(began time.Time, a, b *counters, cut bool) row {
	dt := b.at.Sub(a.at).Seconds()
	calls := float64(b.in - a.in)
	r := row{seconds: b.at.Sub(began).Seconds(), in: calls / dt, stored: float64(b.stored-a.stored) / dt, behind: b.in - b.stored,
		live: b.live / (1 << 20), rss: float64(b.rss), engineRSS: b.engineRSS, openRuns: b.openRuns, state: b.stateBytes / 1e6, lag: b.lag,
		topics: float64(b.topics) / 1e6, files: float64(b.files) / 1e6, answers: b.answers, cut: cut}
	if cut {
		return r
	}
	if calls == 0 {
		calls = float64(b.stored - a.stored) // of a backlog
	}
	r.cpu, r.engine = float64((b.cpu-a.cpu).Microseconds())/calls, float64((b.engine-a.engine).Microseconds())/calls
	r.cores = (b.cpu - a.cpu + b.engine - a.engine).Seconds() / dt
	if used := b.used - a.used; used > 0 {
		r.collector = (b.collector - a.collector) / used
	}
	r.entries, r.entryKB = (b.entries-a.entries)/dt, (b.entryBytes-a.entryBytes)/dt/1e3
	return r
}

const rowHead = "    s  in/s stored/s behind | µs/call engine cores GC% | live   RSS engine MiB | lag s i/d/s | " +
	"open runs entries/s  kB/s state MB | topics files MB | broker answers ms, p50 p99"

func (r row) String() string {
	lags := make([]string, len(stages))
	for i, s := range stages {
		lags[i] = "?"
		if lag, known := r.lag[s.group]; known {
			lags[i] = fmt.Sprintf("%.0f", lag)
		}
	}
	cpu := fmt.Sprintf("%7.1f %6.1f %5.2f %3.0f", r.cpu, r.engine, r.cores, 100*r.collector)
	if r.cut {
		cpu = fmt.Sprintf("%7s %6s %5s %3s", "-", "-", "-", "-")
	}
	return fmt.Sprintf("%5.0f %5.0f %8.0f %6d | %s | %4.0f %5.0f %6d     | %-11s | %9.0f %9.0f %5.0f %8.1f | %6.0f %5.0f    | %7s %6s",
		r.seconds, r.in, r.stored, r.behind, cpu, r.live, r.rss, r.engineRSS, strings.Join(lags, "/"),
		r.openRuns, r.entries, r.entryKB, r.state, r.topics, r.files, millisAt(r.answers, .5), millisAt(r.answers, .99))
}

// millisAt returns a quantile of sorted times.
func millisAt(took []time.Duration, q float64) string {
	if len(took) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 1e3*took[min(int(q*float64(len(took))), len(took)-1)].Seconds())
}
