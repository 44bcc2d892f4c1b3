package wording

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Clean is the clean runs that a rate is about.
type Clean struct {
	// Of names whose runs they are: own, peers, everybody, people (sessions of the tenant's people),
	// populations (groups that were left out, each scored by a baseline that did not know it);
	// tail: none of them reached the score, and the rate is an estimate; nothing_learned: none are
	// known that the run may be compared with, and there is no rate. Empty: unknown.
	Of string
	// Runs is how many there are; 0: unknown.
	Runs uint64
}

// rarest is the lowest rate that is printed as a number: one in a million runs.
const rarest = 1_000_000

// rateKnown reports whether a rate has a meaning. The 0 of a finding of a rule, and of one where
// nothing was learned, has none.
func rateKnown(rate float64, c Clean) bool {
	return c.Of != ofNothing && rate >= 0 && rate <= 1 && (rate > 0 || c.Of != "")
}

// Rate returns how rare a score is among clean runs, as a sentence without its end. It never claims
// more than the runs can show: what no run reached is "rarer than any of n", and the estimate of the
// fitted tail is called an estimate.
func Rate(rate float64, c Clean) string {
	if c.Of == ofNothing {
		return "how rare it is in clean runs is not known: " + NothingLearned
	}
	if math.IsNaN(rate) || rate < 0 || rate > 1 {
		return "how rare it is in clean runs is not known"
	}
	of := "clean runs" + whose(c.Of)
	if c.Of == ofPeople {
		of = "sessions of the tenant's people"
	}
	switch {
	case c.beyond(rate):
		return "rarer than 1 in " + grouped(strconv.FormatUint(c.Runs, 10)) + " " + of
	case c.Of == "tail" && c.Runs > 0:
		return fmt.Sprintf("rarer than any of %s clean runs; %s", grouped(strconv.FormatUint(c.Runs, 10)), estimate(rate))
	case c.Of == "tail":
		return "rarer than any clean run that is known; " + estimate(rate)
	case rate*rarest < 1:
		return "rarer than 1 in a million " + of
	case c.Runs > 0:
		return fmt.Sprintf("%s %s (%s are known)", oneIn(rate), of, grouped(strconv.FormatUint(c.Runs, 10)))
	}
	return oneIn(rate) + " " + of
}

// ShortRate returns a rate for the cell of a table: "1 in 2,500", "< 1 in 340", "< 1 in a million",
// "nothing learned".
// For a score that no run reached, it is the bound that the runs show, or else the estimate of the
// fitted tail; the cell does not tell an estimate from a rate.
func ShortRate(rate float64, c Clean) string {
	switch {
	case c.Of == ofNothing:
		return NothingLearned
	case !rateKnown(rate, c):
		return "-"
	case c.Of == "tail" && c.Runs > 0 || c.beyond(rate):
		return "< 1 in " + grouped(strconv.FormatUint(c.Runs, 10))
	case rate*rarest < 1:
		return "< 1 in a million"
	}
	return strings.TrimSuffix(oneIn(rate), " of")
}

// beyond reports whether groups that were left out have too few runs to show a rate. They have no fitted tail.
func (c Clean) beyond(rate float64) bool {
	return c.Of == ofPopulations && c.Runs > 0 && rate*float64(c.Runs) < 1
}

func estimate(rate float64) string {
	if rate*rarest < 1 {
		return "the model's estimate is less than 1 in a million"
	}
	return "the model's estimate is " + oneIn(rate)
}

// oneIn returns a rate as "1 in n". A rate above a third is a percentage.
func oneIn(rate float64) string {
	if rate <= 0 {
		return "none of the"
	}
	if rate > 1./3 {
		return Percent(rate) + " of"
	}
	n := 1 / rate
	if n >= 100 { // two digits are all that a rate of few runs has
		step := math.Pow(10, math.Floor(math.Log10(n))-1)
		n = math.Round(n/step) * step
	}
	return "1 in " + grouped(strconv.FormatFloat(math.Round(n), 'f', 0, 64))
}

func whose(of string) string {
	switch of {
	case "own":
		return " of the agent"
	case "peers":
		return " of its peers"
	case "everybody":
		return " of all agents"
	case ofPopulations:
		return " of groups that were left out of learning"
	}
	return ""
}
