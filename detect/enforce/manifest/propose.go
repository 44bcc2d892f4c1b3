package manifest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// Totals of an agent's clean history.
type Totals struct {
	Calls, Runs, Days          uint64
	PeakHour, PeakIrreversible uint64
	Since, Until               time.Time
}

// maxListedReads are listed by name; more are granted by what their paths begin with.
const maxListedReads = 40

// Propose writes a manifest that grants what an agent did in its clean runs and
// little more, with the evidence behind every line. An irreversible call asks
// unless amounts say how far it goes alone: a machine does not decide that a
// person is not asked. It fits its own evidence.
func Propose(agent, owner string, used []Usage, t Totals) ([]byte, error) {
	var b bytes.Buffer
	line := func(text, why string, args ...any) {
		if why != "" {
			text += "  # " + fmt.Sprintf(why, args...)
		}
		b.WriteString(text + "\n")
	}
	line(fmt.Sprintf("# Proposed from %d clean runs of %d days, %d calls, %s to %s. Read every line before it is put in force.", t.Runs, t.Days, t.Calls, day10(t.Since), day10(t.Until)), "")
	line(fmt.Sprintf("version: %d", FormatVersion), "")
	line("agent: "+strconv.Quote(agent), "")
	if owner == "" {
		line("owner: \"\"", "nobody is registered: write who is called at 3 a.m.")
	} else {
		line("owner: "+strconv.Quote(owner), "")
	}
	line("scope:", "")
	line("  routes:", "")
	reads, types := 0, map[string]uint64{}
	for i := range used {
		if used[i].Reversibility == schema.ReadOnly {
			reads++
		}
	}
	prefixes := map[string][3]uint64{}
	for i := range used {
		u := &used[i]
		if u.Reversibility == schema.ReadOnly && reads > maxListedReads && u.Tool == "" {
			p := prefixes[prefix(u)]
			prefixes[prefix(u)] = [3]uint64{p[0] + u.Calls, p[1] + u.Runs, p[2] + 1}
			continue
		}
		line("    - "+strconv.Quote(u.Name()), "%s: %d calls in %d runs, last %s", u.Reversibility, u.Calls, u.Runs, day10(u.LastAt))
		if u.Reversibility != schema.ReadOnly {
			for _, k := range u.ResourceTypes {
				types[k] += u.Calls
			}
		}
	}
	for _, p := range sorted(prefixes) {
		n := prefixes[p]
		line("    - "+strconv.Quote(p), "read_only: %d calls of %d routes", n[0], n[2])
	}
	if len(types) > 0 {
		line("  resources:", "")
		for _, k := range sorted(types) {
			line("    - "+strconv.Quote(k+":*"), "%d calls changed one", types[k])
		}
	}
	proposeAutonomy(line, used)
	line("quotas:", "")
	line(fmt.Sprintf("  - {name: calls, calls: %d, per: 1h}", roundUp(2*t.PeakHour)), "twice the busiest hour, %d", t.PeakHour)
	if t.PeakIrreversible > 0 {
		line(fmt.Sprintf("  - {name: irreversible, irreversible: %d, per: 24h}", roundUp(2*t.PeakIrreversible)), "twice the busiest day, %d", t.PeakIrreversible)
	}
	m, err := Parse(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the proposal cannot be read: %w", err)
	}
	for _, v := range m.Check(agent, used).Violations {
		if strings.HasPrefix(v.Why, "policy.scope") {
			return nil, fmt.Errorf("the proposal does not grant %s, which it was made of: %s", v.Route, v.Why)
		}
	}
	return b.Bytes(), nil
}

func proposeAutonomy(line func(string, string, ...any), used []Usage) {
	head := false
	for i := range used {
		u := &used[i]
		if u.Reversibility != schema.Irreversible {
			continue
		}
		if !head {
			line("autonomy:", "")
			head = true
		}
		if u.WithAmount == u.Calls && u.Calls >= 20 && u.Currency != "" {
			line(fmt.Sprintf("  - {routes: [%q], alone_below: %s, per_day: %s, currency: %s}", u.Name(), decimal(round2(u.P95Amount)), decimal(round2(1.5*u.DayAmount)), u.Currency),
				"95 %% of %d calls were below %s, the largest was %s, the most in a day %s", u.Calls, decimal(u.P95Amount), decimal(u.MaxAmount), decimal(u.DayAmount))
			continue
		}
		why := "ask: never lets it go on alone"
		if u.WithAmount < u.Calls && u.WithAmount > 0 {
			why = fmt.Sprintf("the amount of %d of %d calls is unknown: name where it stands under routes", u.Calls-u.WithAmount, u.Calls)
		}
		line(fmt.Sprintf("  - {routes: [%q], ask: always}", u.Name()), "%d calls in %d clean runs; %s", u.Calls, u.Runs, why)
	}
}

// prefix grants reads by the first two segments of their path.
func prefix(u *Usage) string {
	segs := strings.Split(strings.Trim(u.Route, "/"), "/")
	n := slices.IndexFunc(segs, func(s string) bool { return strings.HasPrefix(s, "{") })
	if n < 0 || n > 2 {
		n = min(2, len(segs))
	}
	return strings.TrimSuffix(u.Method+" /"+strings.Join(segs[:n], "/"), "/") + "/**"
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// roundUp to two digits, at least 10.
func roundUp(n uint64) uint64 {
	step := uint64(1)
	for n/step >= 100 {
		step *= 10
	}
	return max((n+step-1)/step*step, 10)
}

// round2 rounds an amount up to two digits.
func round2(v float64) float64 {
	if v <= 0 {
		return 0.01
	}
	step := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/step-1e-9) * step
}

func decimal(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), ".")
}

func day10(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func indexed(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
