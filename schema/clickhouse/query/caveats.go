package query

import (
	"errors"
	"fmt"
)

// Caveats are sentences about what a report may not contain. Each begins with its key.
type Caveats []string

func (c *Caveats) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

// unlessExceeded adds a caveat to a report instead of an error, if a part of it met a bound. The part is then missing, and the
// caveat says so.
func (c *Caveats) unlessExceeded(part string, err error) error {
	var e *Exceeded
	if !errors.As(err, &e) {
		return err
	}
	c.add("%s: %s; %s is missing from the report", e.Bound, e.Error()[len(e.Bound)+2:], part)
	return nil
}

// caveatCounts are the numbers of calls and dead letters that can make a report on a touched
// set incomplete or wrong.
type caveatCounts struct {
	unlogged    uint64 // calls that may change something and do not name all that they change
	askedOnly   uint64 // allowed by the check, and not logged yet
	sampled     uint64 // from a source that logs only a sample
	overflow    uint64 // bound to the shared run of an actor with too many runs
	unsure      uint64 // bound with low confidence; includes overflow
	late        uint64 // arrived more than 5 minutes after their start
	deadLetters uint64 // dead letters of any source in the window
}

// caveatColumns are the counts of a touched set but the dead letters: unlogged, sampled, late, unsure, overflow, askedOnly.
const caveatColumns = `countIf(effect != 'read' AND (empty(resources) OR arrayExists(r -> endsWith(r, ':?'), resources))),
countIf(sample_weight > 1), countIf(late), countIf(run_confidence < 60), countIf(run_rule = 'overflow'),
countIf(observer_kind = 'gate' AND outcome != 'denied')`

// add adds the counts of other rows.
func (n *caveatCounts) add(o caveatCounts) {
	n.unlogged += o.unlogged
	n.sampled += o.sampled
	n.late += o.late
	n.unsure += o.unsure
	n.overflow += o.overflow
	n.askedOnly += o.askedOnly
}

// caveats returns a sentence for each count that is not zero. A sentence begins with its key.
func (n *caveatCounts) caveats() (out Caveats) {
	add := func(count uint64, sentence string) {
		if count > 0 {
			out.add(sentence, count)
		}
	}
	add(n.unlogged, "resource_not_logged: %d calls that change something, or may, do not name all of it (the body was not logged, or "+
		"not read)")
	add(n.askedOnly, "asked_only: %d calls were let through by the check and no gateway has logged them yet")
	add(n.sampled, "sampled_source: %d calls came from a source that logs a sample; more happened than is listed")
	add(n.overflow, "overflow: %d calls were bound to a shared run because their actor opened too many runs")
	if n.unsure > n.overflow {
		add(n.unsure-n.overflow, "low_stitching_confidence: %d calls were bound by time alone (no run id, trace or conversation)")
	}
	add(n.late, "late_data: %d calls came later than 5 minutes after their time; more may come")
	add(n.deadLetters, "dead_letters: %d items in the window could not be read; calls may be among them")
	return out
}
