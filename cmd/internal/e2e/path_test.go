package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func (f *flyball) replay(dir string, more ...string) {
	f.t.Helper()
	f.run(nil, append([]string{"replay", dir, "--topic", "gateway-logs", "--as", "envoy_json", "--speed", "max"}, more...)...)
}

func TestEveryCallStoredOnceInItsRun(t *testing.T) {
	tr := makeTraffic(1, 400, 10)
	f := install(t, "", "").start()
	f.replay(tr.write(t, 0, len(tr.lines)))
	f.storedOnce(tr.calls, 90*time.Second)
	f.checkRuns(tr)
}

// The same log at another speed has the same result.
func TestSpeedChangesNothing(t *testing.T) {
	tr := makeTraffic(2, 30, 4)
	fast := install(t, "", "").start()
	fast.replay(tr.write(t, 0, len(tr.lines)))
	fast.storedOnce(tr.calls, 60*time.Second)
	fast.checkRuns(tr)
	want := fast.runsText()
	fast.stop()

	slow := install(t, "", "").start()
	slow.run(nil, "replay", tr.write(t, 0, len(tr.lines)), "--topic", "gateway-logs", "--as", "envoy_json", "--speed", "720")
	slow.storedOnce(tr.calls, 60*time.Second)
	slow.checkRuns(tr)
	if got := slow.runsText(); got != want {
		t.Fatalf("runs differ at another speed:\n%s", firstDifference(got, want))
	}
}

// metric returns the sum of one of the process's metrics. The name may be that of a series, or the beginning of one in braces.
func (f *flyball) metric(name string) float64 {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", f.ports["metrics"]))
	if err != nil {
		return -1
	}
	defer r.Body.Close()
	var sum float64
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		if series, value, ok := strings.Cut(s.Text(), " "); ok && (series == name || strings.HasPrefix(series, name+"{") ||
			strings.Contains(name, "{") && strings.HasPrefix(series, name)) {
			v, _ := strconv.ParseFloat(value, 64)
			sum += v
		}
	}
	return sum
}

func (f *flyball) sqlInt(q string) int {
	var n int
	s, err := f.sql(q)
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(s, &n)
	return n
}

func firstDifference(a, b string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("at %d:\n%.400s\n%.400s", i, a[max(0, i-200):], b[max(0, i-200):])
		}
	}
	return fmt.Sprintf("lengths %d and %d", len(a), len(b))
}

// The process is killed exactly between two durable writes.
func TestKilledAtFailPoints(t *testing.T) {
	tr := makeTraffic(4, 300, 10)
	for _, stage := range []string{"ingest.durable|committed:1", "detect.output|checkpoint:2", "detect.entries|record:2",
		"store.inserted|committed:1"} {
		t.Run(strings.NewReplacer("|", "-").Replace(stage), func(t *testing.T) {
			f := install(t, "", "", "detect: {checkpoint_every: 2s}")
			half := len(tr.lines) / 2
			armed := f.dir + "/armed"
			f.start("FLYBALL_TEST_FAILPOINT="+stage, "FLYBALL_TEST_ARMED="+armed)
			arm := func() {
				if err := os.WriteFile(armed, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// Entries are written from the first call on: armed before, the process, and the
			// broker in it, would end while the records are being sent.
			late := strings.HasPrefix(stage, "detect.entries")
			if !late {
				arm()
			}
			f.replay(tr.write(t, 0, half))
			if late {
				arm()
			}
			if !f.waitKilled(60 * time.Second) {
				t.Fatalf("stage %s was not passed", stage)
			}
			f.start()
			f.replay(tr.write(t, half, len(tr.lines)))
			f.storedOnce(tr.calls, 90*time.Second)
			f.checkRuns(tr)
		})
	}
}

func TestEngineKilled(t *testing.T) {
	tr := makeTraffic(5, 600, 10)
	f := install(t, "", "").start()
	for i := range 10 {
		f.replay(tr.write(t, i*len(tr.lines)/10, (i+1)*len(tr.lines)/10))
		f.killChild()
	}
	f.storedOnce(tr.calls, 120*time.Second)
	f.checkRuns(tr)
}

// killChild kills the engine child of the process.
func (f *flyball) killChild() {
	f.t.Helper()
	for _, pid := range children(f.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func children(parent int) []int {
	var out []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		var pid, ppid int
		rest := string(b)
		if i := strings.LastIndex(rest, ")"); i > 0 {
			var state string
			_, _ = fmt.Sscan(e.Name(), &pid)
			_, _ = fmt.Sscan(rest[i+1:], &state, &ppid)
		}
		if ppid == parent {
			out = append(out, pid)
		}
	}
	return out
}

// ClickHouse is not reachable: the other parts continue, the journal grows, and the store
// later catches up.
func TestClickHouseGone(t *testing.T) {
	tr := makeTraffic(6, 300, 10)
	server := install(t, "", "").start() // its engine is the outside ClickHouse
	f := install(t, "", fmt.Sprintf("127.0.0.1:%d", server.ports["clickhouse"])).start()
	f.ports["clickhouse"] = server.ports["clickhouse"]
	third := len(tr.lines) / 3
	f.replay(tr.write(t, 0, third))
	f.storedOnce(third, 60*time.Second)
	server.stop()
	f.replay(tr.write(t, third, len(tr.lines)))
	time.Sleep(away())
	select {
	case err := <-f.exited:
		t.Fatalf("process ended with ClickHouse away: %v", err)
	default:
	}
	server.start()
	f.storedOnce(tr.calls, 120*time.Second)
	f.checkRuns(tr)
}

// away is how long ClickHouse is away: longer than the longest pause between two attempts of the store.
func away() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("FLYBALL_TEST_AWAY")); err == nil {
		return d
	}
	return 6 * time.Second
}

// A second process joins the group of every role during the load, and leaves.
func TestRebalanceInTheMiddle(t *testing.T) {
	tr := makeTraffic(7, 900, 10)
	one := install(t, "", "").start()
	key := one.dir + "/data/secret.key"
	quarter := len(tr.lines) / 4
	one.replay(tr.write(t, 0, quarter))
	var roles []*flyball
	for _, role := range []string{"ingest", "detect", "store"} {
		f := install(t, fmt.Sprintf("127.0.0.1:%d", one.ports["kafka"]), fmt.Sprintf("127.0.0.1:%d", one.ports["clickhouse"]),
			"secret_key_file: "+key)
		f.role = role
		f.beside(one)
		f.launch()
		roles = append(roles, f)
	}
	one.replay(tr.write(t, quarter, 2*quarter))
	for _, f := range roles {
		f.ready(60 * time.Second)
	}
	one.replay(tr.write(t, 2*quarter, 3*quarter))
	for _, f := range roles {
		f.stop()
	}
	one.replay(tr.write(t, 3*quarter, len(tr.lines)))
	one.storedOnce(tr.calls, 120*time.Second)
	one.checkRuns(tr)
}
