package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// withExceptions is withLoop with exceptions for intended actions of agents.
func withExceptions(t *testing.T, exceptions string) *flyball {
	t.Helper()
	f := install(t, "", "")
	configure(t, f, strings.Replace(fmt.Sprintf(loopConfig, f.ports["control"]), "detect: {mode: armed}",
		"detect:\n  mode: armed\n  exceptions:\n"+exceptions, 1))
	withPast(t, f)
	return f
}

func TestWhatIsMeantIsRecordedAndDeniesNobody(t *testing.T) {
	f := withExceptions(t, `
    - {name: nightly export, agent: fleet/a3, family: runaway.*, routes: ["GET /v1/orders/{id}"], expires: "2099-01-01T00:00:00Z", approver: ana, why: reporting}
    - {name: over, agent: fleet/a4, family: runaway.*, expires: "2020-01-01T00:00:00Z", approver: ana, why: reporting}
`)
	var lines []string
	for i := range 40 {
		lines = append(lines, record(time.Now().Add(time.Duration(i)*time.Millisecond), "fleet/a3", "meant", "/v1/orders/7", "GET", 200, 512))
	}
	f.send(lines...)
	f.until("the finding shows its exception", 30*time.Second, "trip nightly export 0", func() (string, error) {
		s, err := f.sql("SELECT toString(max(level)), max(exception), (SELECT count() FROM flyball.decisions WHERE agent_id = 'fleet/a3') " +
			"FROM flyball.findings WHERE agent_id = 'fleet/a3' AND family = 'runaway.loop'")
		return strings.ReplaceAll(s, "\t", " "), err
	})
	for range 5 {
		if code, _, body := f.check("fleet/a3", "meant", "GET", "/v1/orders/7"); code != 200 {
			t.Fatalf("what is meant was answered with %d: %s", code, body)
		}
	}
	var open []any
	if f.json(&open, "breakers", "list"); len(open) != 0 {
		t.Errorf("%d breakers are open: %v", len(open), open)
	}
	// The exception is for one route; an expired exception has no effect; a kill switch ignores exceptions.
	for i := range 40 {
		f.send(record(time.Now().Add(time.Duration(i)*time.Millisecond), "fleet/a3", "meant", "/v1/orders/9", "DELETE", 200, 2))
		if code, _, _ := f.check("fleet/a3", "meant", "GET", "/v1/orders/7"); code == 403 {
			break
		} else if i == 39 {
			t.Error("the run went on to something else and was not denied")
		}
	}
	if n := f.runAway("fleet/a4", "expired", 30*time.Second); n > 40 {
		t.Errorf("denied after %d calls", n)
	}
	f.run([]int{0}, "breakers", "trip", "agent", "fleet/a3", "--until-reset", "--reason", "test")
	if code, _, _ := f.check("fleet/a3", "another", "GET", "/v1/orders/7"); code != 403 {
		t.Errorf("tripped by hand: %d", code)
	}
	var listed []struct {
		Name, State string
		Findings    int
	}
	f.json(&listed, "findings", "exceptions")
	if len(listed) != 2 || listed[0].State != "in_force" || listed[1].State != "expired" || listed[1].Findings != 0 {
		t.Errorf("exceptions: %+v", listed)
	}
	if out := f.run([]int{0}, "check-config"); !strings.Contains(out, "configuration is good") {
		t.Errorf("check-config: %s", out)
	}
}
