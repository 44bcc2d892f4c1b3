package wording

import (
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func TestRateClaimsMoreThanItsCleanRunsCanShow(t *testing.T) {
	for _, tc := range []struct {
		rate        float64
		clean       Clean
		long, short string
	}{
		{4.6e-189, Clean{"tail", 340}, "rarer than any of 340 clean runs; the model's estimate is less than 1 in a million", "< 1 in 340"},
		{0.0021, Clean{"tail", 340}, "rarer than any of 340 clean runs; the model's estimate is 1 in 480", "< 1 in 340"},
		{8.3e-235, Clean{"tail", 0}, "rarer than any clean run that is known; the model's estimate is less than 1 in a million",
			"< 1 in a million"},
		{8.3e-235, Clean{"everybody", 0}, "rarer than 1 in a million clean runs of all agents", "< 1 in a million"},
		{0.0004, Clean{"own", 2500}, "1 in 2,500 clean runs of the agent (2,500 are known)", "1 in 2,500"},
		{0.01, Clean{"peers", 1234567}, "1 in 100 clean runs of its peers (1,234,567 are known)", "1 in 100"},
		{0.5, Clean{"own", 60}, "50 % of clean runs of the agent (60 are known)", "50 %"},
		{math.NaN(), Clean{}, "how rare it is in clean runs is not known", "-"},
		{math.Inf(1), Clean{}, "how rare it is in clean runs is not known", "-"},
		{0, Clean{}, "rarer than 1 in a million clean runs", "-"},
		{0, Clean{"nothing_learned", 0}, "how rare it is in clean runs is not known: nothing learned", "nothing learned"},
		{0.005, Clean{"populations", 750}, "1 in 200 clean runs of groups that were left out of learning (750 are known)", "1 in 200"},
		{0.0001, Clean{"populations", 750}, "rarer than 1 in 750 clean runs of groups that were left out of learning", "< 1 in 750"},
		{0, Clean{"populations", 750}, "rarer than 1 in 750 clean runs of groups that were left out of learning", "< 1 in 750"},
		{0.0066, Clean{"people", 150}, "1 in 150 sessions of the tenant's people (150 are known)", "1 in 150"},
	} {
		if got := Rate(tc.rate, tc.clean); got != tc.long {
			t.Errorf("%v of %+v is %q, want %q", tc.rate, tc.clean, got, tc.long)
		}
		if got := ShortRate(tc.rate, tc.clean); got != tc.short {
			t.Errorf("%v of %+v is %q in a table, want %q", tc.rate, tc.clean, got, tc.short)
		}
	}
}

func TestRateWithoutAMeaningIsANumber(t *testing.T) {
	for _, tc := range []struct {
		rate  float64
		of    string
		known bool
	}{
		{0, "nothing_learned", false}, {0.01, "nothing_learned", false}, {0, "", false}, {math.NaN(), "own", false},
		{math.Inf(1), "", false}, {0, "populations", true}, {1e-9, "tail", true}, {0.01, "", true}, {1, "own", true},
	} {
		if got := rateKnown(tc.rate, Clean{Of: tc.of}); got != tc.known {
			t.Errorf("%v of %q has a meaning: %v", tc.rate, tc.of, got)
		}
	}
}

func TestUsualValueOfNothingLearnedIsANumber(t *testing.T) {
	for _, tc := range []struct {
		value float64
		of    string
		want  string
	}{
		{math.NaN(), "nothing_learned", "nothing learned"}, {math.NaN(), "own", "-"}, {math.NaN(), "", "-"}, {3, "own", "3 calls"},
	} {
		if got := Usual(tc.value, Calls, tc.of); got != tc.want {
			t.Errorf("%v of %q is %q, want %q", tc.value, tc.of, got, tc.want)
		}
	}
}

func TestFigureHasAnExponentOrNoUnit(t *testing.T) {
	for _, tc := range []struct {
		value float64
		unit  Unit
		want  string
	}{
		{0.00000013, Share, "less than 0.1 %"}, {0.9999, Share, "more than 99.9 %"}, {1, Share, "100 %"}, {0, Share, "0 %"},
		{0.0213, Share, "2.1 %"}, {5.24288e+07, Bytes, "52.4 MB"}, {669.9, Bytes, "670 B"}, {999_999, Bytes, "1 MB"}, {0, Bytes, "0 B"},
		{1, Calls, "1 call"}, {25, Calls, "25 calls"}, {0.0576, Calls, "0.0576 calls"}, {1234567, Calls, "1,234,567 calls"},
		{1e-9, Calls, "less than 0.001 calls"}, {-0.5, Deviations, "-0.5 standard deviations"}, {20.284, Money, "20.28 of its currency"},
		{1e14, Tokens, "100,000,000,000,000 tokens"}, {90, Seconds, "1m30s"}, {math.NaN(), Calls, "-"}, {math.Inf(1), Share, "-"},
		{7, Plain, "7"},
	} {
		if got := Figure(tc.value, tc.unit); got != tc.want {
			t.Errorf("%v is %q, want %q", tc.value, got, tc.want)
		}
	}
	exponent := regexp.MustCompile(`[0-9]e[+-]?[0-9]|NaN|Inf`)
	for exp := -300; exp <= 300; exp += 3 {
		for unit := Plain; unit <= Runs; unit++ {
			if got := Figure(1.234*math.Pow(10, float64(exp)), unit); exponent.MatchString(got) {
				t.Errorf("1e%d is %q", exp, got)
			}
		}
	}
}

// The reasons that manifests, breakers and policies give, as constants of their packages.
func TestNamedReasonHasNoText(t *testing.T) {
	named := regexp.MustCompile(`[wW]hy[A-Za-z]+ += "((?:policy|scope)\.[a-z_:]+)"`)
	found := 0
	for _, file := range []string{"manifest/evaluate.go", "ledger/decide.go", "check/checker.go", "check/answer.go", "check/spend.go"} {
		text, err := os.ReadFile("../../detect/enforce/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			if got := Reason(m[1]); got == strings.ReplaceAll(m[1], "_", " ") || strings.Contains(got, "policy.") {
				t.Errorf("%s has no text: %q", m[1], got)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d named reasons were found in the sources", found)
	}
	for why, want := range map[string]string{
		"policy.autonomy:always_asks":  "the manifest wants a person's yes for every such call",
		"policy.autonomy:new_one":      "it is more than the agent may do alone (new one)",
		"scope.learned:write_outside":  "it is outside of what similar runs were seen to do (write outside)",
		"nothing_that_anybody_defined": "nothing that anybody defined", "": "",
	} {
		if got := Reason(why); got != want {
			t.Errorf("%q is %q, want %q", why, got, want)
		}
	}
}

func TestFeatureWithADetailLosesIt(t *testing.T) {
	for name, want := range map[string]Feature{
		"failing_retries_slow":                {"calls that fail again with the same arguments, over a long stretch", Share},
		"scope.write_outside POST /refunds":   {"writes on a route that is outside of the learned scope: POST /refunds", Calls},
		"scope.taught_by own_runs_of_task":    {"runs of the agent in this task, which taught the scope", Runs},
		"scope.taught_by peers_runs_of_task":  {"runs of its peers in this task, which taught the scope", Runs},
		"identity.other_name cron of another": {"identity.other name: cron of another", Plain},
	} {
		if got := FeatureOf(name); got != want {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
	if got := Source("peers_runs_of_task", 1); got != "run of its peers in this task" {
		t.Errorf("of one run it is %q", got)
	}
}

func TestPrintedCommandIsSeveralWordsInAShell(t *testing.T) {
	for _, s := range []string{"plain", "", "a b", "it's", "$(id)", "`id`", "a\nb", "*", "a;b"} {
		out, err := exec.Command("bash", "-c", "printf %s "+ShellWord(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q became %q: %v", s, out, err)
		}
	}
}
