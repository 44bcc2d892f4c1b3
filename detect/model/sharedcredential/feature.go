package sharedcredential

import (
	"strings"

	"flyball/detect/feature"
	"flyball/schema"
)

// Feature is a property of a session that differs between people and machines.
type Feature uint8

// The features, in the order in which they are reported.
const (
	// Repeats is the share of calls that repeat an earlier call with the same answer.
	Repeats Feature = iota
	// Answers is the number of different sizes of answers, divided by the number of answers.
	Answers
	// Requests is the number of different sizes of write requests, divided by the number of write requests.
	Requests
	// Errors is the share of calls that failed.
	Errors
	// Assets is the share of calls that a page makes by itself, without an action of its reader: style
	// sheets, images, telemetry.
	Assets
	// Pace is how far the mean logarithm of the time between calls is from that of
	// the tenant's own people, in standard deviations.
	Pace
	NumFeatures
)

// featureNames holds the names in model.json and in findings.
var featureNames = [NumFeatures]string{"repeats", "answer_sizes", "request_sizes", "errors", "assets", "pace"}

func (f Feature) String() string { return featureNames[f] }

// edges are the lower edges of the bins of a feature, without the first bin. A value equal to an edge is in the bin above
// it.
var edges = [NumFeatures][]float64{
	Repeats:  {1e-9, .1, .3, .5},
	Answers:  {.25, .5, .8, .99},
	Requests: {.2, .4, .7, .95},
	Errors:   {1e-9, .1},
	Assets:   {1e-9, .35, .75},
	Pace:     {-2.5, -1.5, -.5, .5},
}

// machine is the direction in which a feature indicates a machine: 1 for high values, −1 for low ones. The weights of a
// feature's bins are monotone in this direction.
var machine = [NumFeatures]float64{Repeats: 1, Answers: -1, Requests: -1, Errors: 1, Assets: -1, Pace: -1}

// numSamenessFeatures is the number of the first features, which all measure repetition. Only their mean counts.
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

// Values holds the features of a session; NaN means unknown.
type Values [NumFeatures]float64

// Input holds the facts about one call that a session counts.
type Input struct {
	Repeat   bool // an earlier call of the run was the same and had the same answer
	Answered bool // it is known whether the call failed
	Failed   bool
	Write    bool
	Asset    bool
	Sent     uint64 // bytes of the request, 0 unknown
	Given    uint64 // bytes of the answer, 0 unknown
	At       int64  // event time of the start, Unix ns; 0 unknown
	Area     string // what the call is on: see Area
}

// FromCall returns the input of a call. step holds the call's features within its run.
func FromCall(c *schema.Call, step *feature.CallFeatures) Input {
	out := Input{Repeat: step.Repeat, Answered: c.Outcome != schema.OutcomeUnknown, Failed: step.Failed, Write: step.Write,
		Asset: asset(c.Path) || c.Path == "" && asset(c.Route), Sent: c.BytesIn, Given: c.BytesOut, At: c.Start,
		Area: area(c)}
	if c.TSBasis == schema.BasisKafka {
		out.At = 0 // the time at which a collector sent the call is not the time of the call
	}
	return out
}

// asset reports whether a page requests the path by itself: style sheets, images, telemetry.
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
