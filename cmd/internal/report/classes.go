package report

import (
	"fmt"
	"io"
	"math"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
	"flyball/schema/wording"
)

// ClassLine is a class of acquaintance in a version: its thresholds, and the runs from which they follow.
type ClassLine struct {
	Acquaintance schema.Acquaintance `json:"acquaintance"`
	Agents       int                 `json:"agents"` // of the version, in this class
	Thresholds   Thresholds          `json:"thresholds"`
	// Runs is the weight of the clean runs that were scored by a baseline that knew as much of their agent as the class
	// says: a run that was scored in two ways counts half in each. Groups is the number of groups that were left out, for
	// a class that is calibrated by groups.
	Runs   uint64 `json:"held_out_runs"`
	Groups int    `json:"held_out_groups,omitempty"`
	// Uncalibrated is the named reason why the class has no thresholds of its own; empty: it has.
	Uncalibrated string `json:"uncalibrated,omitempty"`
}

// Thresholds are the scores above which a run reaches each level; absent: no run reaches it.
type Thresholds struct {
	Annotate schema.OptionalFloat `json:"annotate,omitzero"`
	Alert    schema.OptionalFloat `json:"alert,omitzero"`
	Trip     schema.OptionalFloat `json:"trip,omitzero"`
}

// reached returns a threshold; unknown: no score reaches it.
func reached(score float64) schema.OptionalFloat {
	if score >= math.MaxFloat64 {
		return schema.Unknown
	}
	return schema.OptionalFloat(score)
}

func thresholds(l calibrate.Levels) Thresholds {
	return Thresholds{reached(l[0]), reached(l[1]), reached(l[2])}
}

// classLines returns the classes of a version, without the raise of single peer groups. tripShare is the share of clean
// runs that may trip.
func classLines(b *baseline.Baseline, learned map[string]schema.Learned, tripShare float64) (out []ClassLine) {
	agents := map[schema.Acquaintance]int{}
	for _, l := range learned {
		agents[l.Acquaintance]++
	}
	for v := schema.KnownAgent; v > schema.NothingLearned; v-- {
		line := ClassLine{Acquaintance: v, Agents: agents[v], Thresholds: thresholds(b.Thresholds().Levels(v, "", tripShare)),
			Uncalibrated: b.Thresholds().Uncalibrated(v)}
		if c := b.ByClass; c != nil {
			switch v {
			case schema.KnownAgent:
				line.Runs = uint64(c.KnownAgent.Runs)
			case schema.NewAgent:
				line.Runs = uint64(c.NewAgent.Runs)
			case schema.NewPopulation:
				line.Groups = len(c.NewPopulation.Groups)
				for _, r := range c.NewPopulation.Groups {
					line.Runs += uint64(r.Runs)
				}
			}
		}
		out = append(out, line)
	}
	return out
}

// classes prints the classes of a version.
func classes(w io.Writer, lines []ClassLine) error {
	err := Table(w, "CLASS | AGENTS | ANNOTATE ABOVE | ALERT ABOVE | TRIP ABOVE | WEIGHT OF HELD-OUT RUNS?", func(row func(...any)) {
		for i := range lines {
			l := &lines[i]
			out := wording.Figure(float64(l.Runs), wording.Plain)
			if l.Groups > 0 {
				out += fmt.Sprintf(" of %d groups", l.Groups)
			}
			t := &l.Thresholds
			row(l.Acquaintance, l.Agents, threshold(t.Annotate), threshold(t.Alert), threshold(t.Trip), out)
		}
	})
	if err != nil {
		return err
	}
	Printf(w, "A run that was held out in two ways counts half in each class.\n")
	fmt.Fprintln(w)
	for i := range lines {
		l := &lines[i]
		text := wording.Acquaintance(l.Acquaintance)
		if l.Uncalibrated != "" {
			text += "; " + wording.Uncalibrated(l.Uncalibrated)
		}
		Printf(w, "%s: %s\n", l.Acquaintance, text)
	}
	return nil
}

func threshold(score schema.OptionalFloat) string {
	if score.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%.2f", float64(score))
}
