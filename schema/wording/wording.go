// Package wording turns the names that findings, gates and rates carry into texts for people:
// programs read the names, people read the texts.
//
// It depends only on the name and the number. It does not translate, and it decides nothing.
package wording

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Unit is the unit of a figure.
type Unit uint8

const (
	Plain      Unit = iota // a number without a unit
	Share                  // a share of calls, 0 to 1
	Calls                  // a number of calls
	Bytes                  // bytes
	Tokens                 // tokens of a model
	Money                  // units of the run's currency
	Nats                   // −ln of a probability
	Deviations             // standard deviations
	Routes                 // a number of routes or targets
	Runs                   // a number of runs
	Seconds                // seconds
)

// Figure returns a value with its unit: "25 calls", "4.2 MB", "0.2 %". An unknown value (NaN or
// infinite) is "-".
func Figure(value float64, unit Unit) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "-"
	}
	switch unit {
	case Share:
		return Percent(value)
	case Bytes:
		return bytesText(value)
	case Seconds:
		return time.Duration(value * float64(time.Second)).Round(time.Millisecond).String()
	}
	word := map[Unit]string{Calls: "call", Tokens: "token", Routes: "route", Runs: "run", Money: "unit of money", Nats: "nat",
		Deviations: "standard deviation"}[unit]
	text := number(value)
	switch {
	case word == "":
		return text
	case unit == Money:
		return strconv.FormatFloat(value, 'f', 2, 64) + " of its currency"
	case text != "1":
		word += "s"
	}
	return text + " " + word
}

// Count returns a number with its noun: "1 run", "2 runs".
func Count[N int | int64 | uint64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatInt(int64(n), 10) + " " + noun
}

// NothingLearned stands where a usual value or a rate would be, if nothing was learned that the
// caller may be compared with.
const NothingLearned = "nothing learned"

// Names of the runs or sessions that a usual value or a rate is of.
const (
	ofNothing     = "nothing_learned"
	ofPeople      = "people"
	ofPopulations = "populations"
)

// Usual returns a usual value with its unit. If it is unknown because nothing was learned (of names
// whose it is, as in evidence), it is "nothing learned".
func Usual(value float64, unit Unit, of string) string {
	if of == ofNothing && (math.IsNaN(value) || math.IsInf(value, 0)) {
		return NothingLearned
	}
	return Figure(value, unit)
}

// number returns a number without an exponent: whole from 1,000 on, else with three digits. A number
// too small for them is "less than 0.001".
func number(x float64) string {
	abs := math.Abs(x)
	switch {
	case abs == math.Trunc(abs) && abs < 1e15, abs >= 1000:
		return grouped(strconv.FormatFloat(x, 'f', 0, 64))
	case abs < 0.001:
		return "less than 0.001"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(abs))))
	return trimZeros(strconv.FormatFloat(x, 'f', digits, 64))
}

func trimZeros(s string) string {
	if !strings.ContainsRune(s, '.') {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// grouped puts a comma between groups of three digits: 1,234,567.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// minPercent is the smallest share, in percent, that is printed as a number.
const minPercent = 0.1

// Percent returns a share as a percentage. A share that would need an exponent is "less than 0.1 %".
func Percent(share float64) string {
	p := 100 * share
	switch {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return "-"
	case p == 0:
		return "0 %"
	case p < minPercent:
		return "less than 0.1 %"
	case p > 100-minPercent && p < 100:
		return "more than 99.9 %"
	case p >= 10:
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return trimZeros(strconv.FormatFloat(p, 'f', 1, 64)) + " %"
}

func bytesText(b float64) string {
	units := []string{"kB", "MB", "GB", "TB", "PB"}
	if b < 1000 {
		return number(math.Round(b)) + " B"
	}
	i := -1
	for b >= 999.5 && i < len(units)-1 {
		b, i = b/1000, i+1
	}
	return number(math.Round(b*10)/10) + " " + units[i]
}
