package score

import (
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// frugal makes a baseline of runs that use about 1,000 tokens, move about 50 and have one irreversible
// call. logged sets whether these quantities are logged.
func frugal(logged bool) *baseline.Baseline {
	b := baseline.New("t")
	for i := range 60 {
		run := &baseline.TrainingRun{ID: fmt.Sprint(i), Agent: fmt.Sprint("g/a", i%3), Group: "g"}
		var f feature.RunMemory
		for n := range 4 {
			c := feature.Input{Route: feature.RouteHash("POST /pay"), Args: uint64(4*i + n), Result: 1, Write: true}
			if logged {
				c.Tokens, c.Money, c.Currency, c.Irreversible = uint64(230+i), 12, "EUR", n == 0
			}
			run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, "POST /pay")
		}
		run.Usage = f.Usage
		b.Learn(run)
	}
	b.Finish()
	return b
}

func spend(b *baseline.Baseline, c feature.Input) *RunScore {
	m, run := NewModel(b), new(RunScore)
	for n := range 4 {
		c.Route, c.Args, c.Write = feature.RouteHash("POST /pay"), uint64(1000+n), true
		c.Start, c.End = int64(10+n), int64(10+n)+c.End
		run.Add(m, Reference{Agent: "g/a1", Group: "g"}, &c, int64(n), schema.Irreversible)
		c.End -= c.Start
	}
	return run
}

func TestTokensAndMoneyBeyondAllRunsAlarm(t *testing.T) {
	b := frugal(true)
	usual := spend(b, feature.Input{Tokens: 250, Money: 12, Currency: "EUR"})
	if usual.value(statTokens) > 3 || usual.value(statMoney) > 3 {
		t.Errorf("a usual run: tokens %.1f, money %.1f", usual.value(statTokens), usual.value(statMoney))
	}
	wild := spend(b, feature.Input{Tokens: 100_000, Money: 5000, Currency: "EUR"})
	if wild.value(statTokens) < 10 || wild.value(statMoney) < 9 || wild.Families[wild.TopFamily()] < 2*decade {
		t.Errorf("400 times the tokens: %.1f, the money: %.1f", wild.value(statTokens), wild.value(statMoney))
	}
	for _, c := range wild.Explain(wild.TopFamily(), 0) {
		if c.Feature == "money" && (float64(c.Observed) != 20_000 || float64(c.Usual) < 30 || float64(c.Usual) > 80) {
			t.Errorf("%+v", c)
		}
	}
}

func TestWhatNobodyLoggedIsNotJudged(t *testing.T) {
	run := spend(frugal(false), feature.Input{Tokens: 1e9, Money: 1e9, Currency: "EUR"})
	if run.value(statTokens) != 0 || run.value(statMoney) != 0 {
		t.Errorf("tokens %.1f, money %.1f of a baseline that knows none", run.value(statTokens), run.value(statMoney))
	}
}

func TestOtherCurrenciesAreNotAddedUp(t *testing.T) {
	var f feature.RunMemory
	for i, currency := range []string{"EUR", "JPY", "EUR"} {
		f.Add(&feature.Input{Route: 1, Args: uint64(i), Money: 100, Currency: currency})
	}
	if f.Usage.Money != 200 {
		t.Errorf("%g", f.Usage.Money)
	}
	if feature.ParseAmount("NaN") != 0 || feature.ParseAmount("-5") != 0 || feature.ParseAmount("1e300") != 1e12 ||
		feature.ParseAmount("12.5") != 12.5 {
		t.Error("amounts that cannot be meant")
	}
}

// Parallel calls are not counted as repeats, and the length of their series is counted.
func TestParallelCallsAreARow(t *testing.T) {
	var f feature.RunMemory
	for i := range 6 {
		f.Add(&feature.Input{Route: 1, Args: uint64(i), Start: int64(10 + i), End: 100})
	}
	f.Add(&feature.Input{Route: 1, Args: 9, Start: 200, End: 210})
	f.Add(&feature.Input{Route: 1, Args: 10, Start: 205})
	if f.Usage.Parallel != 5 {
		t.Errorf("%d in a row", f.Usage.Parallel)
	}
	var none feature.RunMemory
	for i := range 5 {
		none.Add(&feature.Input{Route: 1, Args: uint64(i), Start: int64(i)})
	}
	if none.Usage.Parallel != 0 {
		t.Errorf("%d in a row of calls whose ends nobody logged", none.Usage.Parallel)
	}
}

// A run that makes parallel calls for the first time does not alarm because of them.
func TestWorkersInParallelAreNoRunaway(t *testing.T) {
	m, run := NewModel(frugal(true)), new(RunScore)
	for i := range 40 {
		c := feature.Input{Route: feature.RouteHash("POST /pay"), Args: uint64(1e6 + i), Write: true, Start: int64(10 + i), End: 1000}
		run.Add(m, Reference{Agent: "g/a1", Group: "g"}, &c, int64(i), schema.Reversible)
	}
	if x := run.value(statParallel); x < 5 || specs[statParallel].anchored(x) >= 2*decade {
		t.Errorf("39 calls in a row: %.1f, %.1f on the scale", x, specs[statParallel].anchored(x))
	}
}
