package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/canary"
	"flyball/cmd/internal/doctor"
	"flyball/cmd/internal/realparts"
)

// examine runs flyball doctor and returns its exit status, and what is not good as "check reason".
func (f *flyball) examine(config string) (code int, bad []string, took time.Duration) {
	f.t.Helper()
	cmd := exec.Command(binary, "doctor", "-o", "json", "--config", config)
	var out bytes.Buffer
	cmd.Stdout = &out
	began := time.Now()
	_ = cmd.Run()
	took = time.Since(began)
	var found []doctor.Finding
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		f.t.Fatalf("doctor: %v in %.300s", err, out.String())
	}
	for _, x := range found {
		if x.Result != doctor.Good {
			bad = append(bad, x.Check+" "+x.Reason)
			f.t.Logf("doctor: %s %s: %s", x.Check, x.Reason, x.Found)
		}
	}
	return cmd.ProcessState.ExitCode(), bad, took
}

// changed writes a copy of the configuration with a text replaced.
func (f *flyball) changed(from, to string) string {
	f.t.Helper()
	b, err := os.ReadFile(f.config)
	if err != nil || !strings.Contains(string(b), from) {
		f.t.Fatalf("%q is not in the configuration: %v", from, err)
	}
	file := filepath.Join(f.t.TempDir(), "flyball.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), from, to, 1)), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return file
}

func TestDoctorDoesNotFindPlantedFaults(t *testing.T) {
	p := ring(t)
	f := install(t, "", "", p.config(t)).start()
	code, bad, healthy := f.examine(f.config)
	if code != 0 || len(bad) > 0 {
		t.Errorf("a healthy deployment: exit %d, %v", code, bad)
	}

	// Three faults: the key is readable by others, the receiver is away, and a topic that the file reads does not exist.
	if err := os.Chmod(filepath.Join(f.dir, "data", "secret.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Close()
	planted := f.changed("topic: otlp_spans", "topic: nosuch-spans")
	code, bad, _ = f.examine(planted)
	slices.Sort(bad)
	if want := "files open_to_others, kafka.topics input_missing, receivers receiver_away"; code != 3 || strings.Join(bad, ", ") != want {
		t.Errorf("three faults: exit %d, %v, want %s", code, bad, want)
	}

	f.stop()
	code, bad, away := f.examine(f.config)
	if code != 3 || !slices.Contains(bad, "kafka kafka_away") || !slices.Contains(bad, "clickhouse clickhouse_away") ||
		!slices.Contains(bad, "process process_away") {
		t.Errorf("stopped: exit %d, %v", code, bad)
	}
	// Parts that accept connections and never answer.
	for _, name := range []string{"kafka", "clickhouse", "metrics"} {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", f.ports[name]))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	code, bad, silent := f.examine(f.config)
	if code != 3 || silent > 20*time.Second {
		t.Errorf("silent: exit %d in %s, %v", code, silent, bad)
	}
	t.Logf("doctor: healthy %s, all away %s, all silent %s", healthy, away, silent)
}

// The canary comes back, leaves no rows, no breaker and no budget spent, and pages nobody. Where its path is cut, it says at which hop.
func TestCanaryDoesNotComeBackOrLeavesRows(t *testing.T) {
	p := ring(t)
	f := install(t, "", "", "canary: {interval: 10s, bound: 8s}", p.config(t)).start()
	var r struct {
		Rounds []canary.Round
		Lost   int
	}
	f.json(&r, "canary", "--rounds", "25")
	if r.Lost > 0 || len(r.Rounds) != 25 {
		t.Errorf("%d of %d rounds were lost: %+v", r.Lost, len(r.Rounds), r.Rounds)
	}
	t.Logf("hops over 25 rounds:\n%s", f.run([]int{0}, "canary", "--rounds", "20"))

	metric := func(name string) string {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", f.ports["metrics"]))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		for line := range strings.Lines(b.String()) {
			if v, ok := strings.CutPrefix(line, name+" "); ok {
				return strings.TrimSpace(v)
			}
		}
		return "absent"
	}
	f.until("two rounds of the process", 40*time.Second, "true", func() (string, error) {
		n := metric(`flyball_canary_rounds_total{result="back"}`)
		return fmt.Sprint(n != "0" && n != "1" && n != "absent"), nil
	})
	time.Sleep(2 * time.Second) // rows and snapshots
	for _, view := range []string{"calls", "runs", "findings", "decisions", "breakers", "scores", "touches", "dead_letters"} {
		if n, err := f.sql("SELECT count() FROM flyball." + view); err != nil || n != "0" {
			t.Errorf("%s rows in %s, %v", n, view, err)
		}
	}
	for name, want := range map[string]string{"flyball_canary_lost": "0", "flyball_breakers_open": "0", "flyball_trip_budget_left": "5",
		"flyball_ingest_calls_total": "0", "flyball_detect_trips_total": "0", "flyball_detect_calls_total": "0"} {
		if got := metric(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, args := range [][]string{{"breakers", "list"}, {"breakers", "history"}} {
		if out := f.run([]int{0}, args...); strings.Contains(out, "canary") {
			t.Errorf("%v: %s", args, out)
		}
	}
	p.mu.Lock()
	if len(p.pages) > 0 {
		t.Errorf("a person was paged: %+v", p.pages[0])
	}
	p.mu.Unlock()
	f.rulesFindTheirMetrics(t)

	// Nobody enters the tenant by a name, and no gateway is asked at this address.
	wrong := f.changed(fmt.Sprintf("check: {listen: \"127.0.0.1:%d\"", f.ports["check"]),
		fmt.Sprintf("check: {listen: \"127.0.0.1:%d\"", realparts.FreePort(t)))
	wrong2, err := os.ReadFile(wrong)
	if err != nil || os.WriteFile(wrong, bytes.Replace(wrong2, []byte("bound: 8s"), []byte("bound: 2s"), 1), 0o600) != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "canary", "--once", "--config", wrong)
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "asked") || !strings.Contains(string(out), "MISSING") {
		t.Errorf("the check is away: exit %d\n%s", cmd.ProcessState.ExitCode(), out)
	}

	// With a key that is not in force, nothing is written that would count as an ordinary caller's.
	f.run([]int{0}, "key", "rotate")
	if out := f.run([]int{1}, "canary", "--once"); !strings.Contains(out, "did not accept the canary's receipt") {
		t.Errorf("with another key: %s", out)
	}
	f.until("status tells that the key is not in force", 20*time.Second, "true", func() (string, error) {
		return fmt.Sprint(strings.Contains(f.run([]int{0, 3}, "status"), "it holds other keys than at the start")), nil
	})
	if n, err := f.sql("SELECT count() FROM flyball.calls"); err != nil || n != "0" {
		t.Errorf("%s rows in calls, %v", n, err)
	}
}

var metricName = regexp.MustCompile(`\bflyball_[a-z_]+`)

// rulesFindTheirMetrics fails for a metric of the rules that the process does not export from its start: the increase of a series that
// appears with 1 is 0, and the alert never fires.
func (f *flyball) rulesFindTheirMetrics(t *testing.T) {
	t.Helper()
	rules, err := os.ReadFile("../../../alerts/rules/flyball.yaml")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", f.ports["metrics"]))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var exported bytes.Buffer
	_, _ = exported.ReadFrom(resp.Body)
	names := map[string]bool{}
	for _, name := range metricName.FindAllString(string(rules), -1) {
		names[name] = true
		if !regexp.MustCompile(`(?m)^` + name + `(\{| )`).Match(exported.Bytes()) {
			t.Errorf("the rules use %s, which a process with all roles and a receiver does not export", name)
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d names were found in the rules", len(names))
	}
	t.Logf("%d metrics of the rules are exported", len(names))
}
