package sharedcredential

import (
	"strings"

	"flyball/detect/feature"
	"flyball/schema"
)

// Feature of a session.
type Feature uint8

// Features, in the order in which they are reported.
const (
	// Repeats is the share of calls that repeat an earlier one, answer and all.
	Repeats Feature = iota
	// Answers is how many different sizes there are among the answers, per answer.
	Answers
	// Requests is the same of what writes sent.
	Requests
	// Errors is the share of calls that failed.
	Errors
	// Assets is the share of calls that a page makes and not its reader: style
	// sheets, images, telemetry.
	Assets
	// Pace is the typical time between calls, in standard deviations from that of
	// the tenant's own people.
	Pace
	NumFeatures
)

// featureNames in the order of the features.
var featureNames = [NumFeatures]string{"repeats", "answer_sizes", "request_sizes", "errors", "assets", "pace"}

func (f Feature) String() string { return featureNames[f] }

// edges of the bins of a feature; a value on an edge lies above it.
var edges = [NumFeatures][]float64{
	Repeats:  {1e-9, .1, .3, .5},
	Answers:  {.25, .5, .8, .99},
	Requests: {.2, .4, .7, .95},
	Errors:   {1e-9, .1},
	Assets:   {1e-9, .35, .75},
	Pace:     {-2.5, -1.5, -.5, .5},
}

// machine is the direction in which a feature speaks for a machine: it may fall
// or rise, but not turn.
var machine = [NumFeatures]float64{Repeats: 1, Answers: -1, Requests: -1, Errors: 1, Assets: -1, Pace: -1}

// numSamenessFeatures are three sights of one thing, doing the same again: their mean counts once.
const numSamenessFeatures = Requests + 1

func bin(f Feature, v float64) int {
	n := 0
	for _, e := range edges[f] {
		if v >= e {
			n++
		}
	}
	return n
}

// Values of a session, NaN where unknown.
type Values [NumFeatures]float64

// Input is what a session counts of one call.
type Input struct {
	Repeat   bool // the same call with the same answer came earlier in the run
	Answered bool // it is known whether it failed
	Failed   bool
	Write    bool
	Asset    bool
	Sent     uint64 // bytes of the request, 0 unknown
	Given    uint64 // bytes of the answer, 0 unknown
	At       int64  // event time of the start, Unix ns; 0 unknown
}

// FromCall is a call as a session sees it; step is what the call was within its run.
func FromCall(c *schema.Call, step *feature.CallFeatures) Input {
	out := Input{Repeat: step.Repeat, Answered: c.Outcome != schema.OutcomeUnknown, Failed: step.Failed, Write: step.Write,
		Asset: asset(c.Path) || c.Path == "" && asset(c.Route), Sent: c.BytesIn, Given: c.BytesOut, At: c.Start}
	if c.TSBasis == schema.BasisKafka {
		out.At = 0 // the time at which a collector sent the call is not the time of the call
	}
	return out
}

// asset reports a path that a page requests by itself: style sheets, images, telemetry.
func asset(path string) bool {
	if at := strings.IndexByte(path, '?'); at >= 0 {
		path = path[:at]
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	if at := strings.LastIndexByte(last, '.'); at >= 0 {
		switch strings.ToLower(last[at+1:]) {
		case "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "woff", "woff2", "ttf":
			return true
		}
	}
	switch strings.ToLower(last) {
	case "beacon", "collect", "rum", "telemetry", "envelope", "csp-report":
		return true
	}
	return false
}
