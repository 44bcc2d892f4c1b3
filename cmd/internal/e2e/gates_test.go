package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// governed returns an installation in which the agent support/bot has a history: it reads
// orders, writes notes, and refunds small amounts.
func governed(t *testing.T, more string) *flyball {
	t.Helper()
	f := install(t, "", "", append([]string{
		"detect: {mode: armed}",
		"routes:",
		"  - {method: POST, template: /v1/refunds, effect: pay, reversibility: irreversible, amount: 'field:amount', currency: 'field:currency'}",
		"  - {method: DELETE, template: '/v1/orders/{order_id}', effect: delete, reversibility: irreversible, resources: ['order_id:order']}",
		"  - {method: PATCH, template: '/v1/orders/{order_id}', effect: update, reversibility: reversible, resources: ['order_id:order']}"},
		strings.Split(strings.TrimSpace(more), "\n")...)...)
	f.start()
	var past []string
	start := time.Now().Add(-30 * time.Hour)
	for run := range 30 {
		at := start.Add(time.Duration(run) * 20 * time.Minute)
		key := fmt.Sprint("past-", run)
		past = append(past, record(at, "support/bot", key, fmt.Sprint("/v1/orders/", run), "GET", 200, 500),
			record(at.Add(time.Second), "support/bot", key, fmt.Sprint("/v1/orders/", run), "PATCH", 200, 20),
			strings.Replace(record(at.Add(2*time.Second), "support/bot", key, "/v1/refunds", "POST", 200, 30), "{",
				fmt.Sprintf(`{"amount":"%d.50","currency":"EUR",`, 5+run%20), 1),
			record(at.Add(3*time.Second), "admin/bot", "admin-"+key, fmt.Sprint("/v1/orders/", run), "DELETE", 204, 0))
	}
	f.send(past...)
	f.until("the past is stored", time.Minute, "120", func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	f.until("its amounts are known", time.Minute, "30", func() (string,
		error) {
		return f.sql("SELECT countIf(attrs['amount'] != '') FROM flyball.calls")
	})
	f.until("its runs are stored", time.Minute, "30", func() (string, error) {
		return f.sql("SELECT count() FROM flyball.runs WHERE agent_id = 'support/bot' AND calls = 3")
	})
	return f
}

func TestManifestIsLearnedHeldAskedAndReviewed(t *testing.T) {
	f := governed(t, "")
	before := f.run([]int{0}, "reach", "--agent", "support/bot")
	if !strings.Contains(before, "no manifest") || !strings.Contains(before, "nothing bounds how many") {
		t.Errorf("without a manifest:\n%s", before)
	}
	text := f.run([]int{0}, "manifest", "learn", "--agent", "support/bot")
	for _, want := range []string{"30 clean runs", `"PATCH /v1/orders/{order_id}"`, `"order:*"`, "alone_below: 2", "30 calls in 30 runs"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the proposal:\n%s", want, text)
		}
	}
	file := filepath.Join(t.TempDir(), "support.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := f.run([]int{0}, "manifest", "check", "--file", file, "support/bot"); !strings.Contains(out, "support/bot: 6") &&
		!strings.Contains(out, "90 of 90 calls fit") && !strings.Contains(out, "calls fit") {
		t.Errorf("the proposal does not fit its own history:\n%s", out)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\nagent: support/bot\nscope: {routes: [everything]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run([]int{0}, "manifest", "apply", "--reason", "first", file)
	if out := f.run([]int{1}, "manifest", "apply", "--reason", "oops", bad); !strings.Contains(out, "scope.routes[0]") {
		t.Errorf("the error does not name the line: %s", out)
	}
	if out := f.run([]int{0}, "manifest", "show", "support/bot"); !strings.Contains(out, "alone_below") {
		t.Errorf("a bad file took the place of a good one:\n%s", out)
	}

	// Usual calls pass; new kinds of calls need an approval.
	if code, h, body := f.check("support/bot", "r1", "PATCH", "/v1/orders/7"); code != 200 {
		t.Fatalf("%d %v %s", code, h, body)
	}
	code, h, body := f.check("support/bot", "r1", "DELETE", "/v1/orders/7")
	gate := h.Get("X-Flyball-Gate")
	if code != 403 || gate == "" || h.Get("X-Flyball-Problem") != "step-up" {
		t.Fatalf("%d %v %s", code, h, body)
	}
	if out := f.run([]int{0}, "breakers", "gates"); !strings.Contains(out, gate) || !strings.Contains(out, "pending") ||
		!strings.Contains(out, "order:7") {
		t.Errorf("%s", out)
	}
	r := f.alertRules()
	r.fires("flyball-gate-waits", "{agent=support/bot}", 30*time.Second)
	f.run([]int{0}, "breakers", "grant", gate, "--reason", "the customer asked for it")
	r.fires("flyball-gate-waits", "none", 30*time.Second)
	if code, h, body := f.check("support/bot", "r1", "DELETE", "/v1/orders/7"); code != 200 || h.Get("X-Flyball-Why") != "granted" {
		t.Fatalf("%d %v %s", code, h, body)
	}
	if code, _, _ := f.check("support/bot", "r1", "DELETE", "/v1/orders/7"); code != 403 {
		t.Fatal("one yes let two calls pass")
	}

	// A task limits the run; the limit ends with the task.
	f.run([]int{0}, "task", "declare", "support/bot", "r2", "--target", "order:1", "--for", "10m")
	if code, h, _ := f.check("support/bot", "r2", "PATCH", "/v1/orders/2"); code != 403 ||
		h.Get("X-Flyball-Why") != "policy.task:target_outside" {
		t.Errorf("%d %v", code, h)
	}
	f.run([]int{0}, "task", "end", "r2", "--reason", "done")
	if code, h, _ := f.check("support/bot", "r2", "GET", "/v1/orders/1"); code != 403 || h.Get("X-Flyball-Why") != "policy.task:after_task" {
		t.Errorf("%d %v", code, h)
	}

	after := f.run([]int{0}, "reach", "--agent", "support/bot")
	if !strings.Contains(after, "manifest version") || !strings.Contains(after, "asks") || !strings.Contains(after, "ONE CHANGE") {
		t.Errorf("with a manifest:\n%s", after)
	}
	f.until("the answers are stored", 30*time.Second, "1", func() (string, error) {
		return f.sql("SELECT count() FROM flyball.gates WHERE state = 'granted'")
	})
	if out := f.run([]int{0}, "manifest", "review", "support/bot"); !strings.Contains(out, "DELETE /v1/orders/{order_id}") ||
		!strings.Contains(out, "GRANTED") {
		t.Errorf("%s", out)
	}

	// The audit trail contains all commands, and its hash chain is valid.
	f.until("the trail is stored", 30*time.Second, "true", func() (string, error) {
		var r struct {
			Live *struct{ Seq uint64 }
			End  struct{ Seq uint64 }
		}
		f.json(&r, "audit", "verify", "-o", "json")
		return fmt.Sprint(r.Live != nil && r.Live.Seq == r.End.Seq && r.End.Seq >= 6), nil
	})
	if _, err := f.sql("ALTER TABLE flyball.audit_store UPDATE reason = 'nothing' WHERE seq = 2 SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	if out := f.run([]int{1}, "audit", "verify"); !strings.Contains(out, "entry 2 was changed") {
		t.Errorf("%s", out)
	}
	out := f.run([]int{0}, "status")
	for _, want := range []string{"automatic trips", "questions waiting"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in status:\n%s", want, out)
		}
	}
}

func TestReceiptNamesEveryHopOfATrip(t *testing.T) {
	f := withLoop(t)
	f.runAway("fleet/a3", "bad", 30*time.Second)
	f.until("a receipt", 20*time.Second, "1 true", func() (string, error) {
		var list []struct {
			FindingID string    `json:"finding_id"`
			Call      time.Time `json:"call_at"`
			Commanded time.Time `json:"commanded_at"`
			Exposure  struct{ Calls uint64 }
			Points    []struct {
				Applied     time.Time `json:"applied_at"`
				FirstDenied time.Time `json:"first_denied_at"`
				Denied      uint64
			}
		}
		f.json(&list, "breakers", "receipts", "-o", "json")
		if len(list) == 0 || len(list[0].Points) == 0 {
			return fmt.Sprint(len(list)), nil
		}
		var one struct {
			Family string
			Card   struct{ Means string }
		}
		if f.json(&one, "findings", "show", list[0].FindingID, "-o", "json"); one.Family != "runaway.loop" || one.Card.Means == "" {
			return fmt.Sprintf("%+v", one), nil
		}
		f.run([]int{0}, "findings", "verdict", list[0].FindingID, "true", "--reason", "it was a loop")
		r, p := list[0], list[0].Points[0]
		return fmt.Sprint(len(list), " ", !r.Commanded.Before(r.Call) && !p.FirstDenied.Before(p.Applied) && p.Denied > 0 &&
			r.Exposure.Calls > 0), nil
	})
	f.until("the verdict is stored", 20*time.Second, "true true", func() (string, error) {
		var list []struct{ Family, Verdict string }
		f.json(&list, "findings", "--since", "")
		judged := false
		for _, l := range list {
			judged = judged || l.Verdict == "true"
		}
		var rates []struct{ True, Benign uint64 }
		f.json(&rates, "findings", "rates")
		return fmt.Sprint(judged, " ", len(rates) == 1 && rates[0].True == 1), nil
	})
}

// A baseline that was learned from runs that are too short makes every agent of the fleet a
// runaway at the same time. Two of twenty agents may be stopped; the others continue, and a
// page is sent.
func TestPoisonedBaselineStopsFewOfAFleet(t *testing.T) {
	f := install(t, "", "")
	ample := fmt.Sprintf(loopConfig, f.ports["control"])
	configure(t, f, strings.Replace(ample, "trip_budget: {per_hour: 100000, agents_percent: 100}, ", "", 1)) // this leaves the default budget
	withPast(t, f)
	const agents = 14
	for call := range 40 {
		var lines []string
		for a := range agents {
			lines = append(lines, record(time.Now(), fmt.Sprint("fleet/a", a), fmt.Sprint("longer-", a), "/v1/orders/7", "GET", 200, 512))
		}
		f.send(lines...)
		if call%10 == 9 {
			time.Sleep(300 * time.Millisecond)
		}
	}
	f.until("trips beyond the budget are withheld", 30*time.Second, "true", func() (string, error) {
		var s struct {
			Control struct {
				Open   int                                                 `json:"breakers_open"`
				Budget struct{ Trips, Of, Agents, OfAgents, Withheld int } `json:"trip_budget"`
			}
		}
		f.json(&s, "status", "-o", "json")
		b := s.Control.Budget
		if s.Control.Open > 2 || b.Agents > 2 {
			t.Fatalf("%d breakers, %d agents of 20 are stopped", s.Control.Open, b.Agents)
		}
		return fmt.Sprint(b.Withheld >= agents-4), nil
	})
	denied := 0
	for a := range agents {
		if code, _, _ := f.check(fmt.Sprint("fleet/a", a), fmt.Sprint("longer-", a), "GET", "/v1/orders/7"); code == 403 {
			denied++
		}
	}
	if denied == 0 || denied > 2 {
		t.Errorf("%d of %d agents are denied", denied, agents)
	}
	f.until("each withheld trip is told of", 20*time.Second, "true", func() (string, error) {
		n, err := f.sql("SELECT count() >= 10 FROM flyball.breakers WHERE mode = 'trip_withheld'")
		return map[string]string{"1": "true"}[n], err
	})
}

// Baselines do not learn from a run with an alarm until a person labels it benign, and never
// after a person labels it true.
func TestBenignRunTeachesAgainAndATrueOneNever(t *testing.T) {
	f := withLoop(t)
	var lines []string
	for i := range 60 {
		lines = append(lines, record(time.Now().Add(-5*time.Hour+time.Duration(i)*time.Second), "fleet/a3", "nightly", "/v1/orders/7", "GET", 200,
			512))
	}
	f.send(lines...)
	var id string
	f.until("the run is found", 30*time.Second, "true", func() (string, error) {
		var list []struct {
			ID string `json:"finding_id"`
		}
		f.json(&list, "findings", "--since", "")
		if len(list) > 0 {
			id = list[0].ID
		}
		return fmt.Sprint(id != ""), nil
	})
	f.until("and stored", 30*time.Second, "60", func() (string,
		error) {
		return f.sql("SELECT calls FROM flyball.runs WHERE run_key = 'nightly'")
	})
	learned := func(want string) {
		t.Helper()
		f.until("learn takes "+want, 20*time.Second, "true", func() (string, error) {
			return fmt.Sprint(strings.Contains(f.run([]int{0}, "learn", "--once"), want+" runs")), nil
		})
	}
	learned("200")
	var all []struct {
		ID string `json:"finding_id"`
	}
	f.json(&all, "findings", "--since", "")
	for _, x := range all { // one run can have several findings
		f.run([]int{0}, "findings", "verdict", x.ID, "benign", "--reason", "the nightly check")
	}
	learned("201")
	f.until("the verdict stands", 20*time.Second, "benign", func() (string, error) {
		return f.sql("SELECT toString(verdict) FROM flyball.verdicts WHERE finding_id = '" + id + "'")
	})
	if out := f.run([]int{1}, "findings", "verdict", id[:8], "true", "--reason", "it was not"); !strings.Contains(out, "--replace") {
		t.Errorf("another verdict stands, and the command says %s", out)
	}
	f.run([]int{0}, "findings", "verdict", id[:8], "true", "--replace", "--reason", "it was not the nightly check")
	learned("200")
	f.until("both verdicts are shown", 20*time.Second, "[true benign]", func() (string, error) {
		var shown struct {
			Verdicts []struct{ Verdict string }
		}
		f.json(&shown, "findings", "show", id)
		var said []string
		for _, v := range shown.Verdicts {
			said = append(said, v.Verdict)
		}
		return fmt.Sprint(said), nil
	})
}
