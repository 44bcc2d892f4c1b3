package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"flyball/detect/backtest"
	"flyball/detect/policy"
	"flyball/schema/wording"
)

// Backtest prints the decisions that one or two configurations would have made.
func Backtest(w io.Writer, r *backtest.Report, learnedOf uint64) error {
	Printf(
		w,
		"%s to %s UTC: %d runs, %d calls; baseline %s of %d runs\n\n",
		r.Since.Format(time.DateTime),
		r.Until.Format(time.DateTime),
		r.Runs,
		r.Calls,
		r.Baseline,
		learnedOf,
	)
	sides := []*backtest.Side{&r.Present}
	head := " | PRESENT"
	if r.Candidate != nil {
		sides, head = append(sides, r.Candidate), head+" | CANDIDATE"
	}
	err := Table(w, head, func(row func(...any)) {
		line := func(what string, of func(*backtest.Side) string) {
			cells := []any{Prose(what)}
			for _, s := range sides {
				cells = append(cells, of(s))
			}
			row(cells...)
		}
		line("configuration", func(s *backtest.Side) string { return s.Configuration })
		line("detect.false_trips_per_1000", func(s *backtest.Side) string { return fmt.Sprintf("%g", s.FalseTripsPer1000) })
		line("trip above, without a raise of peers", func(s *backtest.Side) string {
			return threshold(reached(s.Threshold)) + " (" + s.ThresholdOf.String() + ")"
		})
		line("runs decided on", func(s *backtest.Side) string { return fmt.Sprint(len(s.Trips)) })
		line("  in 1,000 (95 %)", func(s *backtest.Side) string {
			return fmt.Sprintf("%.2f (%.2f to %.2f)", 1000*s.Share, 1000*s.Low, 1000*s.High)
		})
		line("  found true, benign, test, by nobody", func(s *backtest.Side) string {
			return fmt.Sprintf("%d, %d, %d, %d", s.Verdicts.True, s.Verdicts.Benign, s.Verdicts.Test, s.Verdicts.Unjudged)
		})
		allArmed := !slices.ContainsFunc(sides, func(s *backtest.Side) bool { return s.Prevented.Calls != s.IfArmed.Calls })
		for _, part := range []struct {
			title string
			skip  bool
			of    func(*backtest.Side) *backtest.Harm
		}{{"prevented after the trip: calls", false, func(s *backtest.Side) *backtest.Harm { return &s.Prevented }},
			{"… if all of it were armed: calls", allArmed, func(s *backtest.Side) *backtest.Harm { return &s.IfArmed }}} {
			if part.skip {
				continue
			}
			line(part.title, func(s *backtest.Side) string { return fmt.Sprint(part.of(s).Calls) })
			line("  irreversible calls", func(s *backtest.Side) string { return fmt.Sprint(part.of(s).Irreversible) })
			line("  distinct resources", func(s *backtest.Side) string { return fmt.Sprint(part.of(s).Resources) })
			line("  amounts", func(s *backtest.Side) string { return amounts(part.of(s).Amounts) })
			line("  bytes out", func(s *backtest.Side) string { return fmt.Sprint(part.of(s).BytesOut) })
		}
		line("stopped of what nobody found true: runs", func(s *backtest.Side) string {
			return fmt.Sprintf("%d (%d benign, %d unjudged)", s.BlockedWork.Runs, s.BlockedWork.Benign, s.BlockedWork.Unjudged)
		})
		line("  their calls", func(s *backtest.Side) string { return fmt.Sprint(s.BlockedWork.Calls) })
		line("  runs beside them, and calls", func(s *backtest.Side) string {
			return fmt.Sprintf("%d, %d", s.BlockedWork.Others, s.BlockedWork.OtherCalls)
		})
	})
	if err != nil {
		return err
	}
	if err := backtestTrips(w, r, sides); err != nil {
		return err
	}
	backtestRemarks(w, r, sides)
	return nil
}

// backtestRemarks prints what the tables do not show.
func backtestRemarks(w io.Writer, r *backtest.Report, sides []*backtest.Side) {
	if d := r.Difference; d != nil {
		Printf(
			w,
			"\nonly the candidate decides on %d runs, only the present configuration on %d, both but otherwise on %d\n",
			len(d.OnlyCandidate),
			len(d.OnlyPresent),
			len(d.Changed),
		)
	}
	for i, s := range sides {
		of := [...]string{"present", "candidate"}[i]
		for _, e := range s.Excepted {
			Printf(
				w,
				"%s: exception %q covers %s of %s at call %d of run %s (%s)\n",
				of,
				e.Exception,
				e.Family,
				Dash(e.AgentID),
				e.Call,
				e.RunID,
				e.Level,
			)
		}
		for _, u := range s.Unused {
			Printf(w, "%s: %s %q %s\n", of, unusedKinds[u.Kind], u.Name, unusedReasons[u.Why])
		}
	}
	fmt.Fprintln(w)
	for _, n := range r.Notes {
		Printf(w, "note: %s\n", n)
	}
}

var unusedKinds = map[string]string{"policy": "rule", "armed": "armed pattern", "exception": "exception"}

var unusedReasons = map[string]string{
	policy.MatchedNothing: "matched nothing",
	policy.Hidden:         "matched, and each time another one held",
	policy.ModeArmed:      "does nothing: everything is armed",
	policy.NotReplayed:    "is about findings that a backtest does not make",
}

// backtestTrips prints the runs for which a configuration makes a decision, with the decision
// of each configuration.
func backtestTrips(w io.Writer, r *backtest.Report, sides []*backtest.Side) error {
	by := map[string][2]*backtest.Trip{}
	for i, s := range sides {
		for _, t := range s.Trips {
			pair := by[t.RunID]
			pair[i] = t
			by[t.RunID] = pair
		}
	}
	if len(by) == 0 {
		return nil
	}
	first := func(p [2]*backtest.Trip) *backtest.Trip {
		if p[0] != nil {
			return p[0]
		}
		return p[1]
	}
	runs := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		if c := first(by[a]).At.Compare(first(by[b]).At); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	head := "AT (UTC) | FAMILY | AGENT | CLASS | RUN | SCORE | TRIP ABOVE | VERDICT"
	if len(sides) == 1 {
		head += " | CALL | DECISION | BECAUSE | PREVENTS"
	} else {
		head += " | PRESENT | PREVENTS | CANDIDATE | PREVENTS"
	}
	fmt.Fprintln(w)
	return Table(w, head, func(row func(...any)) {
		for _, id := range runs {
			t := first(by[id])
			cells := []any{t.At.UTC().Format(time.DateTime), t.Family, Dash(t.AgentID), Dash(t.Acquaintance.String()), id,
				fmt.Sprintf("%.1f", t.Score), threshold(t.Threshold), Dash(t.Verdict)}
			if len(sides) == 1 {
				row(append(cells, t.Call, decided(t), t.Rule+", "+wording.Reason(t.Why), prevents(t))...)
				continue
			}
			for _, t := range by[id] {
				if t == nil {
					cells = append(cells, "-", "-")
				} else {
					cells = append(cells, fmt.Sprintf("call %d: %s (%s, %s)", t.Call, decided(t), t.Rule, wording.Reason(t.Why)), prevents(t))
				}
			}
			row(cells...)
		}
	})
}

// decided returns the text of a decision, in brackets if it would not be enforced.
func decided(t *backtest.Trip) string {
	s := t.Action + " " + t.Scope.Kind.String()
	if t.Hardest != t.Action {
		s += ", later " + t.Hardest
	}
	if t.Mode != "armed" {
		return "(" + s + ")"
	}
	return s
}

func prevents(t *backtest.Trip) string {
	p := &t.Prevented
	s := fmt.Sprintf("%d calls, %d irreversible, %d resources", p.Calls, p.Irreversible, p.Resources)
	if len(p.Amounts) > 0 {
		s += ", " + amounts(p.Amounts)
	}
	return s
}

// amounts returns amounts by currency as one text, sorted by currency.
func amounts(m map[string]string) string {
	var out []string
	for _, c := range slices.Sorted(maps.Keys(m)) {
		name := c
		if c == "" {
			name = "of no currency"
		}
		out = append(out, m[c]+" "+name)
	}
	return Dash(strings.Join(out, ", "))
}
