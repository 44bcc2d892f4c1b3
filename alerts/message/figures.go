package message

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/schema"
	"flyball/schema/wording"
)

// Figures are the values of one feature, in numbers that a person reads. An unknown value is empty.
type Figures struct {
	Feature  string
	Observed string
	Usual    string
	UsualOf  string // whose past the usual value is of; empty: not recorded
	Peers    string
	Humans   string
}

func figuresOf(of []schema.Contribution) []Figures {
	out := make([]Figures, 0, len(of))
	for i := range of {
		c := &of[i]
		f := wording.FeatureOf(c.Feature)
		row := Figures{Feature: Fit(clean(f.Text), maxFeature), Observed: observed(c, f.Unit), UsualOf: clean(wording.Median(c.UsualOf)),
			Usual: figure(c.Usual, f.Unit), Peers: figure(c.Peers, f.Unit), Humans: figure(c.Humans, f.Unit)}
		if row.Usual == "" && wording.Usual(math.NaN(), f.Unit, c.UsualOf) == wording.NothingLearned {
			row.Usual = wording.NothingLearned
		}
		out = append(out, row)
	}
	return out
}

// observed is the observed value; a share names the calls behind it.
func observed(c *schema.Contribution, unit wording.Unit) string {
	text := figure(c.Observed, unit)
	if text == "" || unit != wording.Share || c.OfCalls == 0 {
		return text
	}
	return fmt.Sprintf("%s (%d of %s)", text, c.Hits, calls(c.OfCalls))
}

// figure is wording.Figure, with a likelihood instead of its logarithm, and empty for an unknown value.
func figure(v schema.OptionalFloat, unit wording.Unit) string {
	switch {
	case v.IsZero():
		return ""
	case unit == wording.Nats:
		return likelihood(float64(v))
	case unit == wording.Calls && v > 0 && v < 1: // an average
		return "less than 1 call"
	}
	return wording.Figure(float64(v), unit)
}

// likelihood returns a number of nats as "1 in n".
func likelihood(nats float64) string {
	const million = 1e6
	switch n := math.Exp(nats); {
	case n < 1.5:
		return "not unlikely"
	case n < 10:
		return "1 in " + strconv.FormatFloat(n, 'f', 0, 64)
	case n < million:
		return "1 in " + wording.Figure(rounded(n), wording.Plain)
	}
	return "less than 1 in a million"
}

// rounded returns a number with two digits that count.
func rounded(n float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(n))-1)
	return math.Round(n/step) * step
}

// Line returns the figures as one line of text.
func (f Figures) Line() string {
	text := f.Feature
	if f.Observed != "" {
		text += ": " + f.Observed
	}
	usual := "usual "
	if f.UsualOf != "" {
		usual += "(" + f.UsualOf + ") "
	}
	for _, v := range []struct{ word, value string }{{usual, f.Usual}, {"peers ", f.Peers}, {"humans ", f.Humans}} {
		if v.value != "" {
			text += ", " + v.word + v.value
		}
	}
	return text
}

// Lines returns the lines of all figures, divided by a text.
func Lines(of []Figures, by string) string {
	var out []string
	for _, f := range of {
		out = append(out, f.Line())
	}
	return strings.Join(out, by)
}
