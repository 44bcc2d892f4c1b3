package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const loopConfig = `detect: {mode: armed}
control: {trip_budget: {per_hour: 100000, agents_percent: 100}, point: test, listen: "127.0.0.1:%d"}
learn: {quarantine: 0s, window: 240h, every: 10h, min_runs: 50}`

// withLoop installs Flyball with everything armed, and with a baseline learned from the past
// of a fleet that reads and writes orders.
func withLoop(t *testing.T, env ...string) *flyball {
	t.Helper()
	return withLoopOn(t, "", "", env...)
}

// withLoopAnd is withLoop with additional configuration.
func withLoopAnd(t *testing.T, more string, env ...string) *flyball {
	t.Helper()
	return withLoopOn(t, "", more, env...)
}

// withLoopOn is withLoopAnd with an outside Kafka.
func withLoopOn(t *testing.T, kafka, more string, env ...string) *flyball {
	t.Helper()
	return withLoopIn(t, install(t, kafka, ""), more, env...)
}

// withLoopIn is withLoopAnd in an installation that was not started.
func withLoopIn(t *testing.T, f *flyball, more string, env ...string) *flyball {
	t.Helper()
	configure(t, f, fmt.Sprintf(loopConfig, f.ports["control"])+"\n"+more)
	withPast(t, f, env...)
	return f
}

// withPast starts an installation that learns the past of the fleet.
func withPast(t *testing.T, f *flyball, env ...string) {
	t.Helper()
	withPastSince(t, f, time.Now().Add(-20*time.Hour), env...)
}

// withPastSince is withPast with a past that begins at a time.
func withPastSince(t *testing.T, f *flyball, start time.Time, env ...string) {
	t.Helper()
	f.start(env...)
	f.sendPast(start)
	f.learnOfPast()
}

// sendPast sends the past of the fleet and waits until it is stored.
func (f *flyball) sendPast(start time.Time) {
	f.t.Helper()
	var past []string
	for agent := range 20 {
		for run := range 10 {
			for call := range 6 {
				at := start.Add(time.Duration(run)*time.Hour + time.Duration(call)*time.Second)
				past = append(past, record(at, fmt.Sprintf("fleet/a%d", agent), fmt.Sprintf("past-%d-%d", agent, run),
					fmt.Sprintf("/v1/orders/%d", run*100+call), "GET", 200, 400+17*call))
			}
		}
	}
	f.send(past...)
	f.until("the past is stored", time.Minute, "1200", func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	f.until("the past has runs", time.Minute, "200", func() (string,
		error) {
		return f.sql("SELECT count() FROM flyball.runs WHERE calls = 6")
	})
}

// learnOfPast makes a baseline of the past of the fleet.
func (f *flyball) learnOfPast() {
	f.t.Helper()
	if out := f.run([]int{0}, "learn", "--once"); !strings.Contains(out, "200 runs") {
		f.t.Fatalf("learned of another past: %s", out)
	}
}

// configure replaces the lines of install about control and learn.
func configure(t *testing.T, f *flyball, more string) {
	t.Helper()
	raw, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, l := range strings.Split(string(raw), "\n") {
		if !strings.HasPrefix(l, "control:") && !strings.HasPrefix(l, "learn:") {
			kept = append(kept, l)
		}
	}
	if err := os.WriteFile(f.config, []byte(strings.Join(kept, "\n")+"\n"+more+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func record(at time.Time, agent, run, path, method string, status, bytes int) string {
	return fmt.Sprintf(`{"start_time":%q,"method":%q,"path":%q,"response_code":%d,"bytes_sent":%d,"duration":5,"request_id":"%s-%d","x_consumer":%q,"x_agent_run_id":%q}`,
		at.UTC().Format("2006-01-02T15:04:05.000Z"), method, path, status, bytes, run, at.UnixNano(), agent, run)
}

// check calls the check endpoint as a gateway does.
func (f *flyball) check(agent, run, method, path string) (int, http.Header, string) {
	f.t.Helper()
	req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/check", f.ports["check"]), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("X-Original-Method", method)
	req.Header.Set("X-Original-URI", path)
	req.Header.Set("X-Consumer", agent)
	if run != "" {
		req.Header.Set("X-Agent-Run-Id", run)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(body)
}

// runAway sends the same call until the check denies the run, and returns the number of calls.
func (f *flyball) runAway(agent, run string, within time.Duration) int {
	f.t.Helper()
	end := time.Now().Add(within)
	for n := 1; time.Now().Before(end); n++ {
		f.send(record(time.Now(), agent, run, "/v1/orders/7", "GET", 200, 512))
		for range 5 {
			if code, _, _ := f.check(agent, run, "GET", "/v1/orders/7"); code == http.StatusForbidden {
				return n
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	f.logState()
	f.t.Fatalf("%s was not stopped in %s", run, within)
	return 0
}

// logState logs how the process is, how far it has read, and in which of its functions goroutines wait. The last ends it.
func (f *flyball) logState() {
	out, _ := exec.Command(binary, "status", "--config", f.config).CombinedOutput()
	_ = f.cmd.Process.Signal(syscall.SIGQUIT)
	time.Sleep(2 * time.Second)
	waiting := map[string]int{}
	for _, g := range strings.Split(f.tail(2_000_000), "\ngoroutine ")[1:] {
		_, state, _ := strings.Cut(strings.SplitN(g, "\n", 2)[0], "[")
		_, frame, ok := strings.Cut(g, "\nflyball/")
		if frame, _, _ = strings.Cut(frame, "\n"); ok {
			waiting[strings.TrimSuffix(state, "]:")+" "+frame[:strings.LastIndex(frame+"(", "(")]]++
		}
	}
	f.t.Logf("status:\n%s\ngoroutines: %v", out, waiting)
}

func TestRunawayIsDeniedAndNobodyElse(t *testing.T) {
	f := withLoop(t)
	if code, _, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1"); code != 200 {
		t.Fatalf("before anything happened the check answers %d", code)
	}
	f.check("fleet/a3", "known-before", "GET", "/v1/orders/1")
	n := f.runAway("fleet/a3", "bad", 30*time.Second)
	t.Logf("denied after %d calls", n)
	if n > 30 {
		t.Errorf("%d calls until the first denial", n)
	}
	code, header, body := f.check("fleet/a3", "bad", "DELETE", "/v1/orders/9")
	if code != 403 || header.Get("Content-Type") != "application/problem+json" || header.Get("X-Flyball-Run") == "" ||
		!json.Valid([]byte(body)) {
		t.Errorf("the denial: %d %v %s", code, header, body)
	}
	if code, _, _ := f.check("fleet/a3", "renamed", "GET", "/v1/orders/7"); code != 403 {
		t.Errorf("the tripped run came back under another name: %d", code)
	}
	for _, ok := range [][2]string{{"fleet/a3", "known-before"}, {"fleet/a1", "good"}, {"fleet/a4", "another"}} {
		if code, _, body := f.check(ok[0], ok[1], "GET", "/v1/orders/7"); code != 200 {
			t.Errorf("%v was denied: %d %s", ok, code, body)
		}
	}
	// A person resets this generation of the breaker.
	var open []struct {
		Scope      struct{ Kind, Value string }
		Generation uint64
	}
	f.json(&open, "breakers", "list")
	if len(open) != 1 || open[0].Scope.Kind != "run" {
		t.Fatalf("breakers: %+v", open)
	}
	f.run([]int{1}, "breakers", "reset", open[0].Scope.Kind, open[0].Scope.Value, "--if-match", fmt.Sprint(open[0].Generation+1), "--reason",
		"wrong one")
	f.run([]int{0}, "breakers", "reset", open[0].Scope.Kind, open[0].Scope.Value, "--if-match", fmt.Sprint(open[0].Generation), "--reason",
		"looked at it")
	if code, _, _ := f.check("fleet/a3", "bad", "GET", "/v1/orders/8"); code != 200 {
		t.Errorf("after the reset: %d", code)
	}
	// A manual kill switch, and a bypass.
	f.run([]int{0}, "breakers", "trip", "credential", "fleet/a1", "--until-reset", "--reason", "leaked key")
	if code, _, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1"); code != 403 {
		t.Errorf("tripped by hand: %d", code)
	}
	f.run([]int{0}, "bypass", "--for", "2s", "--reason", "test")
	if code, _, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1"); code != 200 {
		t.Errorf("bypassed: %d", code)
	}
	f.until("the bypass ends by itself", 20*time.Second, "403", func() (string, error) {
		code, _, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1")
		return fmt.Sprint(code), nil
	})
	f.until("finding, decision and breakers are stored", 20*time.Second, "1 1 1", func() (string, error) {
		s, err := f.sql("SELECT (SELECT countIf(level = 'trip') > 0 FROM flyball.findings), (SELECT countIf(mode = 'armed') > 0 FROM " +
			"flyball.decisions), (SELECT count() >= 3 FROM flyball.breakers)")
		return strings.ReplaceAll(s, "\t", " "), err
	})
	f.until("what was asked is stored beside what was done", 20*time.Second, "1", func() (string, error) {
		return f.sql("SELECT countIf(observer_kind = 'gate' AND outcome = 'denied') >= 3 FROM flyball.calls")
	})
	var findings []struct {
		Family, Level string
		Evidence      []map[string]any
	}
	f.json(&findings, "findings", "--since", "")
	if len(findings) == 0 || len(findings[0].Evidence) == 0 {
		t.Errorf("findings: %+v", findings)
	}
}

func TestReplayOfLastYearFindsAndDoesNotTrip(t *testing.T) {
	f := withLoop(t)
	var lines []string
	old := time.Now().AddDate(-1, 0, 0)
	for i := range 60 {
		lines = append(lines, record(old.Add(time.Duration(i)*time.Second), "fleet/a5", "last-year", "/v1/orders/7", "GET", 200, 512))
	}
	f.send(lines...)
	f.until("the old runaway is found", 30*time.Second, "1", func() (string, error) {
		return f.sql("SELECT uniqExact(run_id) FROM flyball.decisions WHERE mode = 'would_have' AND why = 'call_too_old'")
	})
	var open []any
	if f.json(&open, "breakers", "list"); len(open) != 0 {
		t.Fatalf("a back-fill opened %d breakers", len(open))
	}
}

type backtestSide struct {
	Trips []struct {
		Agent_id, Family, Mode, Action, Why, Rule string
		Call                                      uint64
		At                                        time.Time
		Scope                                     struct{ Kind string }
		Prevented                                 struct{ Calls, Irreversible, Resources uint64 }
	}
	Prevented       struct{ Calls, Irreversible uint64 }
	Healthy_blocked struct{ Runs, Calls, Unjudged_runs uint64 }
	Unused          []struct{ Kind, Name, Why string }
}

func TestBacktestSaysWhatWouldHaveTripped(t *testing.T) {
	f := withLoop(t)
	var lines []string
	for i := range 40 {
		lines = append(lines, record(time.Now().Add(-3*time.Hour).Add(time.Duration(i)*time.Second), "fleet/a7", "stored-runaway", "/v1/orders/7",
			[]string{"GET", "DELETE"}[i/38], 200, 512))
	}
	f.send(lines...)
	f.until("the runaway is stored", 30*time.Second, "40", func() (string, error) {
		return f.sql("SELECT calls FROM flyball.runs WHERE run_key = 'stored-runaway'")
	})
	candidate := f.dir + "/candidate.yaml"
	if err := os.WriteFile(candidate, []byte(`detect:
  mode: armed
  policy:
    - {name: runaways ask, family: "*", action: gate}
    - {name: batch is slowed, tag: batch, action: throttle}
  exceptions:
    - {name: nightly export, agent: fleet/a9, family: runaway.*, expires: "2099-01-01T00:00:00Z", approver: ana, why: reporting}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Runs, Calls        int
		Present, Candidate backtestSide
		Difference         struct {
			Only_present, Only_candidate []string
			Changed                      []struct{ Present, Candidate struct{ Action string } }
		}
		Notes []string
	}
	f.json(&got, "backtest", "--since", "48h", "--candidate", candidate)
	if got.Runs != 201 || got.Calls != 1240 || len(got.Present.Trips) != 1 || len(got.Candidate.Trips) != 1 {
		t.Fatalf("backtest: %+v", got)
	}
	trip, other := got.Present.Trips[0], got.Candidate.Trips[0]
	if trip.Agent_id != "fleet/a7" || trip.Family != "runaway.loop" || trip.Mode != "armed" || trip.Action != "deny" ||
		trip.Scope.Kind != "run" || trip.Why != "run_named_by_request" || trip.Rule != "trip denies" ||
		trip.Call+trip.Prevented.Calls != 40 || trip.Prevented.Irreversible != 2 || trip.Prevented.Resources != 1 ||
		got.Present.Prevented.Irreversible != 2 {
		t.Errorf("trip: %+v", trip)
	}
	if other.Call > trip.Call || other.Action != "gate" || other.Rule != "runaways ask" || other.Prevented.Calls != 2 ||
		other.Prevented.Irreversible != 2 {
		t.Errorf("by the candidate: %+v", other)
	}
	if h := got.Present.Healthy_blocked; h.Runs != 1 || h.Unjudged_runs != 1 || h.Calls != trip.Prevented.Calls {
		t.Errorf("of what nobody found true: %+v", h)
	}
	if d := got.Difference; len(d.Only_present)+len(d.Only_candidate) != 0 || len(d.Changed) != 1 || d.Changed[0].Present.Action != "deny" ||
		d.Changed[0].Candidate.Action != "gate" {
		t.Errorf("difference: %+v", d)
	}
	if u := got.Candidate.Unused; len(u) != 2 || u[0].Name != "batch is slowed" || u[1].Name != "nightly export" ||
		u[1].Why != "matched_nothing" || len(got.Present.Unused) != 0 {
		t.Errorf("unused: %+v and %+v", got.Present.Unused, u)
	}
	table := f.run([]int{0}, "backtest", "--since", "48h", "--candidate", candidate)
	for _, want := range []string{"CANDIDATE", "runaways ask", `exception "nightly export" matched nothing`,
		"people have judged 0 of the 1 runs", "both but otherwise on 1"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not say %q:\n%s", want, table)
		}
	}
	// A person labels the finding true: then no normal run was stopped.
	finding, err := f.sql("SELECT finding_id FROM flyball.findings WHERE family = 'runaway.loop'")
	if err != nil {
		t.Fatal(err)
	}
	f.run([]int{0}, "findings", "verdict", finding, "true", "--reason", "it was a loop")
	f.until("the verdict is heard", 20*time.Second, "0", func() (string, error) {
		f.json(&got, "backtest", "--since", "48h")
		return fmt.Sprint(got.Present.Healthy_blocked.Runs), nil
	})
	// Errors of a candidate are reported before data is read.
	if err := os.WriteFile(candidate, []byte("detect: {exceptions: [{name: x, agent: y, family: runaway.loop}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run([]int{2}, "backtest", "--candidate", candidate)
	// The stored calls were evaluated by the same rules when they arrived.
	f.until("the same call tripped it", 20*time.Second, fmt.Sprint(trip.At.UnixMilli()), func() (string, error) {
		return f.sql("SELECT toUnixTimestamp64Milli(min(at)) FROM flyball.decisions WHERE agent_id = 'fleet/a7'")
	})
	f.until("the same was decided on it, but for the age of the call", 20*time.Second,
		trip.Action+" "+trip.Scope.Kind+" "+trip.Rule+" call_too_old", func() (string, error) {
			return f.sql("SELECT concat(action, ' ', scope_kind, ' ', rule, ' ', why) FROM flyball.decisions ORDER BY at LIMIT 1")
		})
}

func TestKilledBetweenFindingAndCommand(t *testing.T) {
	for _, stage := range []string{"detect.finding|command", "control.folded|event", "detect.output|checkpoint"} {
		t.Run(strings.NewReplacer("|", "_", ".", "_").Replace(stage), func(t *testing.T) {
			armed := t.TempDir() + "/armed"
			f := withLoop(t, "FLYBALL_TEST_FAILPOINT="+stage+":1", "FLYBALL_TEST_ARMED="+armed, "FLYBALL_DETECT_CHECKPOINT_EVERY=1s")
			if err := os.WriteFile(armed, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for i := range 20 { // a loop, not yet a flood: one family, one decision
				lines = append(lines, record(time.Now().Add(time.Duration(i)*time.Millisecond), "fleet/a6", "bad", "/v1/orders/7", "GET", 200, 512))
			}
			left := f.trySend(lines...)
			if !f.waitKilled(30 * time.Second) {
				t.Fatalf("the fail point %s was not reached", stage)
			}
			f.start()
			// The broker is killed with the process: unacknowledged records are sent again.
			f.send(left...)
			f.until("the run is denied after the restart", 30*time.Second, "403", func() (string, error) {
				code, _, _ := f.check("fleet/a6", "bad", "GET", "/v1/orders/7")
				return fmt.Sprint(code), nil
			})
			f.until("one decision, one breaker", 20*time.Second, "1 1", func() (string, error) {
				s, err := f.sql("SELECT uniqExact(decision_id), (SELECT uniqExact(generation) FROM flyball.breakers WHERE state = 'open' AND mode " +
					"= 'armed') FROM flyball.decisions WHERE run_id IN (SELECT run_id FROM flyball.runs WHERE run_key = 'bad') AND scope_kind = 'run'")
				return strings.ReplaceAll(s, "\t", " "), err
			})
			f.until("each call stored once", 20*time.Second, "20", func() (string, error) {
				return f.sql("SELECT if(count() = uniqExact((source_partition, source_offset)), uniqExact(request_id), 0) FROM flyball.calls WHERE " +
					"run_key = 'bad' AND observer_kind != 'gate'")
			})
		})
	}
}
