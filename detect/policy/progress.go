package policy

import "flyball/schema"

// FindingProgress holds what has been decided about one finding of a run so far. The zero value is
// a finding that has not reached any level.
type FindingProgress struct {
	Level     schema.Level // the highest that was decided on or published
	Decisions uint32       // made so far
	DecidedAt int64        // event time of the last decision, Unix ns
	// Exception is the name of the exception that covers the finding: while it covers it, nothing
	// is decided. Empty: none.
	Exception string
}

// DecisionDue reports whether a decision on a finding is due at a call: when the finding has
// reached a higher level, and, as long as the run has not recovered (rising), when the TTL of a
// trip is over or when the exception that covered the finding does not cover it any more.
func (c *FindingProgress) DecisionDue(r *Rules, level schema.Level, f Subject, call *schema.Call, rising bool) bool {
	switch {
	case level < schema.LevelAlert:
		return false
	case level > c.Level:
		return true
	case !rising:
		return false
	case c.Exception != "":
		return r.exceptionFor(f, call) == nil
	}
	return level == schema.LevelTrip && c.Decisions > 0 && call.Start-c.DecidedAt >= int64(r.TTL)
}

// Decide makes a decision on a finding that is due, and stores the decision or the exception that
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
