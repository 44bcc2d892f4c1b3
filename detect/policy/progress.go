package policy

import "flyball/schema"

// FindingProgress is what has been decided about one finding of a run so far. The zero
// value is a finding that has not reached any level.
type FindingProgress struct {
	Level     schema.Level // the highest that was decided on or published
	Decisions uint32       // made so far
	DecidedAt int64        // event time of the last decision, Unix ns
	// Exception that covers the finding: while it does, nothing is decided. Empty: none.
	Exception string
}

// DecisionDue reports whether a finding is to be decided on at a call: when it has reached a
// higher level, and, while the run goes on as it did (rising), when the TTL of a trip is over
// or when the exception that covered it does so no longer.
func (c *FindingProgress) DecisionDue(r *Rules, level schema.Level, f Subject, call *schema.Call, rising bool) bool {
	switch {
	case level < schema.LevelAlert:
		return false
	case level > c.Level:
		return true
	case !rising:
		return false
	case c.Exception != "":
		return r.ExceptionFor(f, call) == nil
	}
	return level == schema.LevelTrip && c.Decisions > 0 && call.Start-c.DecidedAt >= int64(r.TTL)
}

// Decide decides on a finding that is due and notes the decision, or the exception that
// covers the finding. It reports whether a decision was made.
func (c *FindingProgress) Decide(r Rules, in Input) (schema.Decision, bool) {
	in.EarlierDecisions = int(c.Decisions)
	d, ok := Decide(r, in)
	c.Level, c.Exception = in.Finding.Level, ""
	if d.Why == WhyException {
		c.Exception = d.Rule
	}
	if ok {
		c.Decisions++
		c.DecidedAt = in.Call.Start
	}
	return d, ok
}
