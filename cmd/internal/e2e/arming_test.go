package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
)

// agentLine is an entry in the output of `flyball agents -o json`.
type agentLine struct {
	Agent_id    string
	Armed       *bool
	Enforcement string
}

func (f *flyball) enforcementOf(agent string) agentLine {
	f.t.Helper()
	var all []agentLine
	f.json(&all, "agents")
	for _, a := range all {
		if a.Agent_id == agent {
			return a
		}
	}
	f.t.Fatalf("%s is none of %+v", agent, all)
	return agentLine{}
}

// loops repeats a call of an agent until the mode and the reason of its first decision are
// outcome, and returns the status of a further check.
func (f *flyball) loops(agent, run, outcome string) int {
	f.t.Helper()
	for i := range 40 {
		f.send(record(time.Now().Add(time.Duration(i)*time.Millisecond), agent, run, "/v1/orders/7", "GET", 200, 512))
	}
	f.until(run+" was decided on", 30*time.Second, outcome, func() (string, error) {
		return f.sql("SELECT concat(toString(argMin(mode, generation)), ' ', argMin(why, generation)) " +
			"FROM flyball.breakers WHERE agent_id = '" + agent + "' AND state != 'half_open'")
	})
	code, _, _ := f.check(agent, run, "GET", "/v1/orders/7")
	return code
}

func TestArmedByCommandIsEnforcedWithoutARestartAndAFileIsNot(t *testing.T) {
	f := install(t, "", "")
	configure(t, f, strings.Replace(fmt.Sprintf(loopConfig, f.ports["control"]), "{mode: armed}", "{mode: observe}", 1))
	withPast(t, f)
	if code := f.loops("fleet/a3", "observed", "observe observe_mode"); code != 200 {
		t.Fatalf("observed, and the check answers %d", code)
	}

	// The file now contains armed, but the running process must not arm anything.
	raw, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.config, []byte(strings.Replace(string(raw), "{mode: observe}", "{mode: armed}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.until("the file was read again", 20*time.Second, "true", func() (string, error) {
		return fmt.Sprint(strings.Contains(f.tail(1<<20), "changed beyond what is read again")), nil
	})
	if a := f.enforcementOf("fleet/a4"); a.Enforcement != "observe" || a.Armed == nil || *a.Armed {
		t.Errorf("the file says armed, no point enforces it, and agents says %+v", a)
	}
	if out := f.run(nil, "status"); !strings.Contains(out, "enforced at test") || !strings.Contains(out, "observe") {
		t.Errorf("status: %s", out)
	}
	if out := f.run(nil, "arming"); !strings.Contains(out, "No command has armed") || strings.Contains(out, "  armed") {
		t.Errorf("arming: %s", out)
	}

	out := f.run(nil, "arm", "fleet/*", "--reason", "a week of it looked right")
	for _, want := range []string{"armed: fleet/*, in tenant default of deployment d_", "at test", "the configuration of test says: observe",
		"undo: "} {
		if !strings.Contains(out, want) {
			t.Errorf("arm does not say %q: %s", want, out)
		}
	}
	if a := f.enforcementOf("fleet/a4"); a.Enforcement != "armed" {
		t.Errorf("%+v", a)
	}
	if n := f.runAway("fleet/a4", "armed", 30*time.Second); n > 40 {
		t.Errorf("denied after %d calls", n)
	}

	// An exception must not open a breaker.
	out = f.run(nil, "exceptions", "add", "--agent", "fleet/a5", "--family", "runaway.*", "--route", "GET /v1/orders/{id}", "--for", "1h",
		"--reason", "the nightly export")
	if code := f.loops("fleet/a5", "meant", "observe exception"); code != 200 {
		t.Errorf("excepted (%s), and the check answers %d", out, code)
	}
	var listed []struct {
		ID, From string
		Trips    *int
	}
	if f.json(&listed, "exceptions", "list"); len(listed) != 1 || listed[0].From != "command" || listed[0].Trips == nil ||
		*listed[0].Trips == 0 || !strings.HasPrefix(out, listed[0].ID+":") {
		t.Errorf("%+v after %s", listed, out)
	}
	f.run(nil, "exceptions", "remove", listed[0].ID, "--reason", "it is over")

	// Disarmed, the next runaway passes.
	f.run(nil, "disarm", "fleet/*", "--reason", "false alarms")
	if code := f.loops("fleet/a6", "disarmed", "observe observe_mode"); code != 200 {
		t.Errorf("disarmed, and the check answers %d", code)
	}

	// Without a reachable point the command shows no arming.
	t.Setenv("FLYBALL_CONTROL_LISTEN", fmt.Sprintf("127.0.0.1:%d", realparts.FreePort(t)))
	if a := f.enforcementOf("fleet/a4"); a.Armed != nil || a.Enforcement != "" {
		t.Errorf("no point answers, and agents says %+v", a)
	}
	if out := f.run([]int{3}, "agents"); strings.Contains(out, "armed ") || !strings.Contains(out, "unknown") {
		t.Errorf("no point answers, and agents says %s", out)
	}
	if out := f.run([]int{3}, "status"); !strings.Contains(out, "unknown: ") {
		t.Errorf("status: %s", out)
	}
}

func TestTripByHandResolvesItsTargetAndSaysWhatItDid(t *testing.T) {
	f := install(t, "", "").start()
	f.check("billing/bot", "kk1", "GET", "/v1/orders/1")
	out := f.run(nil, "breakers", "trip", "run", "kk1", "--for", "10m", "--reason", "looks wrong")
	for _, want := range []string{"(key kk1)", "in tenant default of deployment d_", "holds until 20",
		"besides: later runs of the credential billing/bot, and of the agent billing/bot", "undo: flyball --config"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	if code, _, _ := f.check("billing/bot", "kk1", "GET", "/v1/orders/1"); code != 403 {
		t.Errorf("tripped by its key, and the next call is answered with %d", code)
	}
	undo := strings.Fields(out[strings.Index(out, "undo: ")+6:])
	f.run(nil, "breakers", "reset", undo[5], undo[6], "--reason", "looked at it")
	if code, _, _ := f.check("billing/bot", "kk1", "GET", "/v1/orders/1"); code != 200 {
		t.Errorf("reset by what the trip printed, and the next call is answered with %d", code)
	}

	for _, tc := range []struct {
		code int
		want string
		args []string
	}{
		{2, "--until-reset", []string{"run", "kk1"}},
		{2, "looks like a secret", []string{"credential", "sk_raw_leak", "--for", "1m"}},
		{1, "--force", []string{"agent", "nosuchagent", "--for", "1m"}},
		{1, "--force", []string{"run", "nosuchrun", "--for", "1m"}},
		{1, "no IP address", []string{"address", "300.1.1.1", "--for", "1m"}},
		{1, "a route is", []string{"run_route", "x", "--for", "1m"}},
		{0, "open: agent nosuchagent", []string{"agent", "nosuchagent", "--for", "1m", "--force"}},
	} {
		out := f.run([]int{tc.code}, append(append([]string{"breakers", "trip"}, tc.args...), "--reason", "test")...)
		if !strings.Contains(out, tc.want) || strings.Contains(out, "sk_raw_leak") {
			t.Errorf("%v: %s", tc.args, out)
		}
	}
	if out := f.run(nil, "audit", "list", "-o", "json"); strings.Contains(out, "sk_raw_leak") {
		t.Errorf("the audit trail holds the secret: %s", out)
	}

	// A run that is only in the log is in the database, with its caller.
	f.send(record(time.Now(), "support/bot", "only-logged", "/v1/orders/7", "GET", 200, 512))
	f.until("the run is stored", 30*time.Second, "1", func() (string, error) {
		return f.sql("SELECT count() FROM flyball.runs WHERE run_key = 'only-logged'")
	})
	if out := f.run(nil, "breakers", "trip", "run", "only-logged", "--for", "10m", "--reason", "looks wrong"); !strings.Contains(out,
		"of the agent support/bot") {
		t.Errorf("%s", out)
	}
	if code, _, _ := f.check("support/bot", "only-logged", "GET", "/v1/orders/1"); code != 403 {
		t.Errorf("tripped by the key that stands in the database, and the next call is answered with %d", code)
	}
}
