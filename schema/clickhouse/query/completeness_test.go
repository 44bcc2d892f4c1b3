package query

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A run lost nothing before it began; an agent that is asked about without a period may have lost calls at any time.
func TestLossOutsideTheReportsPeriodIsACaveat(t *testing.T) {
	first, last, since := time.Unix(100, 0), time.Unix(200, 0), time.Unix(50, 0)
	for kind, want := range map[string]Window{"run": {Since: first, Until: last}, "agent": {Since: since}} {
		report := newTouched(Subject{kind, "x"}, Window{Since: first})
		report.include(first, last)
		c := completenessOf(nil, report, Window{Since: since})
		if got := (Window{c.since, c.until}); got != want {
			t.Errorf("%s: calls may be missing in %v, want %v", kind, got, want)
		}
	}
}

// The period of a report has all of its calls, and the whole window that was asked for.
func TestPeriodOfAReportLeavesOutCalls(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	sum := sumOf([]effectTotal{{calls: 2, first: at(20), last: at(30), doubts: caveatCounts{late: 1}},
		{calls: 3, first: at(10), last: at(25), doubts: caveatCounts{late: 4, sampled: 1}}})
	if sum.calls != 5 || sum.first != at(10) || sum.last != at(30) || sum.doubts != (caveatCounts{late: 5, sampled: 1}) {
		t.Errorf("sum %+v", sum)
	}
	for name, c := range map[string]struct{ win, want Window }{
		"no window": {Window{}, Window{at(10), at(30)}},
		"wider":     {Window{at(5), at(40)}, Window{at(5), at(40)}},
	} {
		report := newTouched(Subject{"agent", "x"}, c.win)
		report.include(sum.first, sum.last)
		if got := (Window{report.Since.Time, report.Until.Time}); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestLossOfAnUnknownNumberHasANumber(t *testing.T) {
	for want, l := range map[string]partitionLoss{
		"log_lost: an unknown number of records of": {},
		"log_lost: at least 7 records of":           {records: 7, atLeast: true},
		"log_lost: 7 records of":                    {records: 7},
	} {
		if got := l.caveat(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A subject whose calls have expired, one without calls in the period, one that was denied everything and one that is unknown differ.
func TestReasonForAnEmptyReportIsThatOfAnother(t *testing.T) {
	last, kept := Time{time.Unix(100, 0)}, time.Unix(200, 0)
	named, pattern := Subject{"agent", "bot"}, Subject{"agent", "b*"}
	for want, got := range map[string]string{
		"is stored in that time; its last one was at":           nothingFound(named, last, true, time.Time{}),
		"is stored any more; its last one was at":               nothingFound(named, last, true, kept),
		"the check denied every attempt on it":                  nothingFound(named, Time{}, false, kept),
		"what is near could not be looked up: broken":           subjectUnknown(named, 0, expiry{}, errors.New("broken")),
		"patterns are not accepted":                             subjectUnknown(pattern, 3, expiry{}, nil),
		"it may be misspelt, or its calls never arrived":        subjectUnknown(named, 0, expiry{}, nil),
		"or they are older than the runs that are kept (since ": subjectUnknown(named, 0, expiry{found: kept, what: "runs"}, nil),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// An error that is no bound of a question is not a caveat: the report has then no answer.
func TestBrokenPartOfAReportIsACaveat(t *testing.T) {
	var c Caveats
	broken := errors.New("broken")
	if err := c.unlessExceeded("the rest", broken); err != broken || c != nil {
		t.Errorf("error %v, caveats %q", err, c)
	}
	met := &Exceeded{Bound: TimeBound, What: "calls", Bounds: DefaultBounds}
	err := c.unlessExceeded("the rest", met)
	if err != nil || keys(c) != TimeBound || !strings.HasSuffix(c[0], "; the rest is missing from the report") {
		t.Errorf("error %v, caveats %q", err, c)
	}
}
