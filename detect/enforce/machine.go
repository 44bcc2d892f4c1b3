package enforce

import "flyball/schema"

// LogPosition is a position in flyball.commands and the log's time there.
type LogPosition struct {
	// Offset of the record, -1 before the first. After the log has lost records it
	// continues from a higher number; see ledger.State.ResumeAfterLoss.
	Offset int64
	// Time is the latest timestamp that the broker gave a record up to here, Unix ns. It
	// never goes back.
	Time int64
}

// Generation identifies what the record at this position changed: its offset plus one, so
// that 0 is nothing.
func (p LogPosition) Generation() uint64 { return uint64(p.Offset) + 1 }

// Machine is a state machine that commands of the log change.
type Machine interface {
	// Apply applies the command at a position. It returns what became of the command, and
	// the events that follow from it. Which points apply it, and how often the process has
	// restarted, makes no difference.
	Apply(at LogPosition, c *schema.Command) (Result, []schema.Event)
}

// Timed is a state machine that also changes when time passes.
type Timed interface {
	// Advance does what is due at a position and returns the events that follow.
	Advance(at LogPosition) []schema.Event
}
