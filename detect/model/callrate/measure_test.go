package callrate

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"flyball/detect/model/calibrate"
)

// Measures how often simulated fleets alarm and how soon floods are detected, with and without the
// factors of the hour of the week. It runs only when FLYBALL_MEASURE is set, and prints the contents of
// cmd/internal/tools/bench/season.txt.
func TestMeasureSimulated(t *testing.T) {
	if os.Getenv("FLYBALL_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_MEASURE=1")
	}
	const seeds = 40
	scenarios := []struct {
		name     string
		change   func(*traffic)
		from, to int // range of watched days
	}{
		{"weeks like one another", func(*traffic) {}, 42, 56},
		{"rates grow by 5 % a week", func(g *traffic) { g.drift = .05 }, 42, 56},
		{"after a holiday week", func(g *traffic) { g.holidays = []int{5} }, 42, 56},
		{"in a holiday week", func(g *traffic) { g.holidays = []int{6} }, 42, 49},
		{"clocks changed, the week after", func(g *traffic) { g.summer = 6 }, 42, 49},
	}
	fmt.Printf("%-31s %-6s  %-28s %-28s\n", "ALARMS OF A WEEK OF AN AGENT", "asked", "by the hour of the week", "any hour alike")
	for _, s := range scenarios {
		fleets := make([]*traffic, seeds)
		callers := make([][]*caller, seeds)
		for i := range fleets {
			fleets[i] = newTraffic(uint64(100+i), 8)
			s.change(fleets[i])
			callers[i] = fleets[i].fleet()
		}
		for _, share := range []float64{.001, .01} {
			line := fmt.Sprintf("%-31s %-6.3g ", s.name, 7*share)
			for _, seasonal := range []bool{true, false} {
				total := outcome{by: map[string]int{}}
				for i, g := range fleets {
					total.add(watch(g, callers[i], s.from, s.to, share, seasonal))
				}
				days := float64(total.days)
				low, high := calibrate.Wilson(float64(total.alarms), days)
				line += fmt.Sprintf(" %-28s", fmt.Sprintf("%.4f (%.4f to %.4f)", 7*float64(total.alarms)/days, 7*low, 7*high))
			}
			fmt.Println(line)
		}
	}

	fmt.Printf("\n%-24s %-14s %-12s  %-26s %-26s\n", "MINUTES UNTIL SEEN", "calls a minute", "at", "by the hour of the week", "any hour alike")
	groups := []string{"desk", "search", "ops", "feed"}
	type at struct {
		group string
		rate  float64
		hour  float64
		seas  bool
	}
	delays := map[at][]int{}
	for seed := range uint64(seeds) {
		g := newTraffic(100+seed, 7)
		callers := g.fleet()
		for _, seasonal := range []bool{true, false} {
			body := g.learn(callers, 44, seasonal)
			for i, c := range callers {
				for _, rate := range []float64{20, 60, 200} {
					for _, hour := range []float64{2, 11} {
						k := at{c.group, rate, hour, seasonal}
						delays[k] = append(delays[k], flooded(body, g, c, g.local(44, c.zone, hour+float64((i*13+int(seed)*7)%60)/60), rate, .001))
					}
				}
			}
		}
	}
	for _, group := range groups {
		for _, rate := range []float64{20, 60, 200} {
			for _, hour := range []float64{2, 11} {
				line := fmt.Sprintf("%-24s %-14.0f %-12s ", group, rate, map[float64]string{2: "night", 11: "noon"}[hour])
				for _, seasonal := range []bool{true, false} {
					v := delays[at{group, rate, hour, seasonal}]
					slices.Sort(v)
					n := len(v) - 1
					for n >= 0 && v[n] == never {
						n--
					}
					line += fmt.Sprintf(" %-26s",
						fmt.Sprintf("%s (%s), seen %.0f %%", minutes(v[len(v)/2]), minutes(v[len(v)*9/10]), 100*float64(n+1)/float64(len(v))))
				}
				fmt.Println(line)
			}
		}
	}
}

func minutes(n int) string {
	if n == never {
		return "–"
	}
	return fmt.Sprint(n)
}
