package enforce

import "flyball/schema"

// LogPosition is a position in flyball.commands with the log's time there.
type LogPosition struct {
	// Offset of the record, -1 before the first; see schema.PositionOffset.
	Offset int64
	// Time is the latest timestamp that the broker gave a record up to here, Unix ns. It
	// never goes back.
	Time int64
}

// Generation identifies the change that the record at this position made: its offset plus one, so
// that 0 means none.
func (p LogPosition) Generation() uint64 { return uint64(p.Offset) + 1 }

// Machine is a state machine that commands of the log change.
type Machine interface {
	// Apply applies the command at a position. It returns the result and the resulting events. They
	// are the same at every point and after every restart.
	Apply(at LogPosition, c *schema.Command) (Result, []schema.Event)
}

// Timed is a state machine that also changes when time passes.
type Timed interface {
	// Advance applies what is due at a position and returns the resulting events.
	Advance(at LogPosition) []schema.Event
}
