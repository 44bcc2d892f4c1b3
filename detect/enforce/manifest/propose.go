package manifest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// Totals holds the totals of an agent's clean history.
type Totals struct {
	Calls, Runs, Days          uint64
	PeakHour, PeakIrreversible uint64 // calls in the busiest hour, irreversible calls on the busiest day
	Since, Until               time.Time
}

// maxListedReads is how many routes of reads are listed by name; if there are more, all are granted
// by prefixes of their paths.
const maxListedReads = 40

// Propose returns a manifest that grants what an agent did in its clean runs and little more, with
// the evidence as a comment on every line. An irreversible call needs approval, except below an
// amount that the evidence gives: only a person may decide that a route needs no approval at all.
// It is an error if the proposal does not allow its own evidence.
func Propose(agent, owner string, used []Usage, t Totals) ([]byte, error) {
	var p proposal
	p.head(agent, owner, t)
	p.routes(used)
	p.resources(used)
	p.autonomy(used)
	p.quotas(t)
	m, err := Parse(p.text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the proposal cannot be read: %w", err)
	}
	for _, v := range m.Check(agent, used).Violations {
		if strings.HasPrefix(v.Why, "policy.scope") {
			return nil, fmt.Errorf("the proposal does not grant %s, which it was made of: %s", v.Route, v.Why)
		}
	}
	return p.text.Bytes(), nil
}

// proposal is the text of a manifest that is being written.
type proposal struct{ text bytes.Buffer }

// line writes a line, with its evidence as a comment.
func (p *proposal) line(text, why string, args ...any) {
	if why != "" {
		text += "  # " + fmt.Sprintf(why, args...)
	}
	p.text.WriteString(text + "\n")
}

func (p *proposal) head(agent, owner string, t Totals) {
	p.line(fmt.Sprintf("# Proposed from %d clean runs of %d days, %d calls, %s to %s. Read every line before it is put in force.",
		t.Runs, t.Days, t.Calls, date(t.Since), date(t.Until)), "")
	p.line(fmt.Sprintf("version: %d", formatVersion), "")
	p.line("agent: "+strconv.Quote(agent), "")
	if owner == "" {
		p.line("owner: \"\"", "nobody is registered: write who is called at 3 a.m.")
	} else {
		p.line("owner: "+strconv.Quote(owner), "")
	}
}

func (p *proposal) routes(used []Usage) {
	p.line("scope:", "")
	p.line("  routes:", "")
	reads := 0
	for i := range used {
		if used[i].Reversibility == schema.ReadOnly {
			reads++
		}
	}
	type total struct{ calls, routes uint64 }
	prefixes := map[string]total{}
	for i := range used {
		u := &used[i]
		if u.Reversibility == schema.ReadOnly && reads > maxListedReads && u.Tool == "" {
			t := prefixes[prefix(u)]
			prefixes[prefix(u)] = total{t.calls + u.Calls, t.routes + 1}
			continue
		}
		p.line("    - "+strconv.Quote(u.Name()), "%s: %d calls in %d runs, last %s", u.Reversibility, u.Calls, u.Runs, date(u.LastAt))
	}
	for _, name := range sortedKeys(prefixes) {
		t := prefixes[name]
		p.line("    - "+strconv.Quote(name), "read_only: %d calls of %d routes", t.calls, t.routes)
	}
}

func (p *proposal) resources(used []Usage) {
	types := map[string]uint64{} // calls that changed one
	for i := range used {
		if used[i].Reversibility == schema.ReadOnly {
			continue
		}
		for _, k := range used[i].ResourceTypes {
			types[k] += used[i].Calls
		}
	}
	if len(types) == 0 {
		return
	}
	p.line("  resources:", "")
	for _, k := range sortedKeys(types) {
		p.line("    - "+strconv.Quote(k+":*"), "%d calls changed one", types[k])
	}
}

func (p *proposal) autonomy(used []Usage) {
	head := false
	for i := range used {
		u := &used[i]
		if u.Reversibility != schema.Irreversible {
			continue
		}
		if !head {
			p.line("autonomy:", "")
			head = true
		}
		if u.WithAmount == u.Calls && u.Calls >= 20 && u.Currency != "" {
			p.line(fmt.Sprintf("  - {routes: [%q], alone_below: %s, per_day: %s, currency: %s}",
				u.Name(), decimal(round2(u.P95Amount)), decimal(round2(1.5*u.DayAmount)), u.Currency),
				"95 %% of %d calls were below %s, the largest was %s, the most in a day %s",
				u.Calls, decimal(u.P95Amount), decimal(u.MaxAmount), decimal(u.DayAmount))
			continue
		}
		why := "ask: never lets it go on alone"
		if u.WithAmount < u.Calls && u.WithAmount > 0 {
			why = fmt.Sprintf("the amount of %d of %d calls is unknown: name where it stands under routes", u.Calls-u.WithAmount, u.Calls)
		}
		p.line(fmt.Sprintf("  - {routes: [%q], ask: always}", u.Name()), "%d calls in %d clean runs; %s", u.Calls, u.Runs, why)
	}
}

func (p *proposal) quotas(t Totals) {
	p.line("quotas:", "")
	p.line(fmt.Sprintf("  - {name: calls, calls: %d, per: 1h}", roundUp(2*t.PeakHour)), "twice the busiest hour, %d", t.PeakHour)
	if t.PeakIrreversible > 0 {
		p.line(fmt.Sprintf("  - {name: irreversible, irreversible: %d, per: 24h}", roundUp(2*t.PeakIrreversible)),
			"twice the busiest day, %d", t.PeakIrreversible)
	}
}

// prefix returns the pattern of reads that begin with the first two segments of a route.
func prefix(u *Usage) string {
	segs := strings.Split(strings.Trim(u.Route, "/"), "/")
	n := slices.IndexFunc(segs, func(s string) bool { return strings.HasPrefix(s, "{") })
	if n < 0 || n > 2 {
		n = min(2, len(segs))
	}
	return strings.TrimSuffix(u.Method+" /"+strings.Join(segs[:n], "/"), "/") + "/**"
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// roundUp rounds up to two significant digits, at least 10.
func roundUp(n uint64) uint64 {
	step := uint64(1)
	for n/step >= 100 {
		step *= 10
	}
	return max((n+step-1)/step*step, 10)
}

// round2 rounds an amount up to two significant digits.
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

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func indexed(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
