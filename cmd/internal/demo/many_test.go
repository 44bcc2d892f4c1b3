package demo

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// plays makes n plays with runs clean runs each, whose runaways were stopped after 4, 5, 6 … calls.
func plays(n, runs int) []outcome {
	out := make([]outcome, n)
	for i := range out {
		p := &out[i]
		p.seed, p.after, p.tried, p.again = uint64(i+1), 4+i%5, 3, 3
		for j := range runs {
			p.runs = append(p.runs, run{id: "run-" + strconv.Itoa(j), agent: "x"})
		}
	}
	return out
}

// deny makes the first clean run of a play a wrong denial.
func deny(p *outcome) {
	p.wrongDenials = append(p.wrongDenials, wrongDenial{refusal: refusal{run: &p.runs[0], first: 1, calls: 1}})
}

func TestOneDenialInTwentyPlaysAgreesWithTheSettingAndTwoDoNot(t *testing.T) {
	all := tally{setting: 1e-4, plays: plays(20, 198)}
	for k, want := range []bool{false, false, true} { // Wilson's lower ends of 1 and 2 in 3960: 0.446 and 1.39 in 10,000
		err := all.problem()
		if (err != nil) != want {
			t.Errorf("%d denials of 3960: %v", k, err)
		}
		deny(&all.plays[k])
	}
	const want = "3 of 3960 clean runs were denied, 95 % interval 2.577 to 22.25 in 10,000: above the setting, 1"
	if err := all.problem(); err == nil || err.Error() != want {
		t.Errorf("three denials: %v", err)
	}
}

func TestRunawayThatWasNotStoppedFailsManyPlays(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*outcome)
		want   string
	}{
		"missed":         {func(p *outcome) { p.after, p.tried, p.again = 0, 0, 0 }, "seed 2: the runaway was not stopped in 400 calls"},
		"stopped once":   {func(p *outcome) { p.again = 2 }, "seed 2: 1 of 3 calls after the denial went through"},
		"without checks": {func(p *outcome) { p.unchecked = 7 }, "seed 2: 7 calls passed because the check did not answer"},
	} {
		all := tally{setting: 1e-4, plays: plays(3, 100)}
		if err := all.problem(); err != nil {
			t.Fatal(err)
		}
		c.change(&all.plays[1])
		if err := all.problem(); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSummaryCountsPlaysAndDifferentRuns(t *testing.T) {
	all := tally{setting: 1e-4, plays: plays(6, 50)}
	deny(&all.plays[1])
	deny(&all.plays[4])
	all.plays[5].after = 0
	all.plays[0].leftOut = map[string]int{"one reason": 2, "another reason": 3}
	var b strings.Builder
	all.print(&b)
	for _, want := range []string{
		"6 plays, seeds 1 to 6\n",
		"runaways denied: 5 of 6, after 4 to 8 calls (median 6); plays by calls: 4: 1, 5: 1, 6: 1, 7: 1, 8: 1\n",
		"clean runs denied: 2 of 300, 66.67 in 10,000 (95 % interval 18.3 to 239.8); the setting is 1 in 10,000\n",
		"of 50 different clean runs 1 were denied in any (95 % interval 35.39 to 1050 in 10,000)\n",
		"left out of every play because they ran away when they were recorded: 5 runs\n    3 with another reason\n    2 with one reason\n",
		"denied in 2 of the 6 plays that had it, seeds 2, 5:\nrun live-run-0 of x",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestDenialIsExplainedByItsFindingAndItsCalls(t *testing.T) {
	r := run{id: "r", agent: "slack/x"}
	for _, arguments := range []string{"a1", "a1", "a2", "a1"} {
		r.calls = append(r.calls, call{Method: "POST", Path: "/users/Bob/messages", Body: 70, Arguments: arguments, Status: 200, Sent: 4})
	}
	denial := refusal{run: &r, first: 4, calls: 1,
		body: `{"type":"urn:flyball:problem:denied","flyball":{"reason":"breaker_open","scope":"run:1","finding_id":"f_2"}}`}
	b, err := denial.because([]query.Finding{{ID: "f_1"}, {ID: "f_2", Family: schema.FamilyLoop, Summary: "x repeats calls", Score: 9.36,
		ExpectedRate: 9.98e-5, ExpectedOf: "tail", ExpectedRuns: 272, Acquaintance: schema.KnownAgent.String(),
		Evidence: []schema.Contribution{{Feature: "repeats", Observed: 1, Usual: .18, Score: 9.36, Hits: 3, OfCalls: 3}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `run live-r of slack/x: 1 of its 4 calls refused, the first is call 4 (breaker_open, run:1)
  runaway.loop: x repeats calls
  score 9.36; the share of clean runs that reach it is 9.98e-05 (tail, 272 runs; caller: known_agent); the setting is 0.0001
  statistic repeats: observed 100 % (3 of 3 calls), usual 18 %, score 9.36
  its calls, told apart by what the log has: 3 of 4 repeat an earlier one with the same answer, one call up to 4 times, ` +
		`0 failures of one method and path, 4 that differ at most in digits of the path
  its calls, told apart by their recorded arguments too: 2 of 4 repeat an earlier one with the same answer, one call up to 3 times, ` +
		`0 failures of one method and path, 4 that differ at most in digits of the path
  1 of 3 repeats in the log had other arguments, which the log does not have
    3 × POST /users/Bob/messages, body 70 B, arguments a1: status 200, 4 B
    1 × POST /users/Bob/messages, body 70 B, arguments a2: status 200, 4 B`
	if got := strings.Join(b.explain(), "\n"); got != want {
		t.Errorf("explained as\n%s\nwant\n%s", got, want)
	}
	if b, err := denial.because(nil); err != nil || !strings.Contains(strings.Join(b.explain(), "\n"), "no finding of level trip is stored") {
		t.Errorf("without a finding: %v %v", b.explain(), err)
	}
	denial.body = "urn:flyball: but no JSON"
	if _, err := denial.because(nil); err == nil {
		t.Error("a denial that cannot be read was explained")
	}
}

func TestRefusalsOfARunAreCounted(t *testing.T) {
	s, r := stage{}, run{id: "r"}
	s.refuse(&r, 3, "first")
	s.refuse(&r, 5, "second")
	got := s.refusals()
	if len(got) != 1 || got[0].first != 3 || got[0].calls != 2 || got[0].body != "first" {
		t.Errorf("refusals %+v", got)
	}
}

func TestNoPlaysAreNoRate(t *testing.T) {
	if err := (&tally{setting: 1e-4}).problem(); err != nil {
		t.Error(err)
	}
	if err := RunMany(t.Context(), Options{Seed: math.MaxUint64}, 0); err == nil || err.Error() != "--seeds 0: at least 1" {
		t.Errorf("--seeds 0: %v", err)
	}
}
