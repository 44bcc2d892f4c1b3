package demo

import (
	"fmt"
	"regexp"
)

// repetition counts what of a run repeats.
type repetition struct {
	calls   int
	same    int // calls of the most frequent call with one answer
	repeats int // calls that repeat an earlier call with the same answer
	failed  int // failures of the method and path that fail most
	similar int // calls of the most frequent call, if digits in paths do not count
}

// request identifies what a call asks for.
type request struct {
	method, path string
	body         int
	arguments    string
}

// answered is a request and its answer.
type answered struct {
	request
	status, sent int
}

// inLog is a request as the gateway's log has it: by method, path and the size of its body.
func inLog(c *call) request { return request{method: c.Method, path: c.Path, body: c.Body} }

// inRecord is a request as it was recorded: its arguments are known.
func inRecord(c *call) request {
	return request{method: c.Method, path: c.Path, body: c.Body, arguments: c.Arguments}
}

func (r repetition) String() string {
	return fmt.Sprintf("%d of %d repeat an earlier one with the same answer, one call up to %d times, "+
		"%d failures of one method and path, %d that differ at most in digits of the path", r.repeats, r.calls, r.same, r.failed, r.similar)
}

// count counts the repetition of calls whose requests are told apart by identity.
func count(calls []call, identity func(*call) request) repetition {
	same, failed, similar := map[answered]int{}, map[request]int{}, map[request]int{}
	out := repetition{calls: len(calls)}
	for i := range calls {
		c := &calls[i]
		at := answered{identity(c), c.Status, c.Sent}
		if same[at]++; same[at] > 1 {
			out.repeats++
		}
		like := request{method: c.Method, path: digits.ReplaceAllString(c.Path, "#")}
		similar[like]++
		out.same, out.similar = max(out.same, same[at]), max(out.similar, similar[like])
		if c.Status >= 400 {
			place := request{method: c.Method, path: c.Path}
			failed[place]++
			out.failed = max(out.failed, failed[place])
		}
	}
	return out
}

var digits = regexp.MustCompile(`[0-9]+`)

// leftOut is why a recorded run is left out of the play, or "". Such a run ran away when it was recorded: live it would
// rightly be stopped, and in the history a person would have labelled it, so that no baseline learns from it.
func (r repetition) leftOut() string {
	switch {
	case r.same >= 6:
		return "one call with one answer 6 times"
	case r.repeats >= 10:
		return "10 calls that repeat an earlier one with the same answer"
	case r.failed >= 4:
		return "4 failures of one method and path"
	case r.similar >= 10:
		return "10 calls that differ at most in digits of the path"
	}
	return ""
}
