package feature

// Cell is an event within a stratum: what baselines count. The order is part of the stored
// format.
type Cell uint8

// The cells.
const (
	RepeatWrite Cell = iota
	RepeatFirstRead
	RepeatReadAfterWrite
	RepeatReadAgain
	Retry
	Failure
	SweepOK
	SweepFailed
	SweepAnyOK
	SweepAnyFailed
	Deletion
	NumCells
)

// Event is something that a call may be; its cells follow one another.
type Event uint8

// The events.
const (
	Repeats Event = iota
	Retries
	Failures
	Sweeps
	SweepsAny
	Deletions
	NumEvents
)

// CellRange is the first cell of an event and the one after its last.
func (e Event) CellRange() (from, to Cell) { return ranges[e][0], ranges[e][1] }

var ranges = [NumEvents][2]Cell{
	Repeats: {RepeatWrite, Retry}, Retries: {Retry, Failure}, Failures: {Failure, SweepOK},
	Sweeps: {SweepOK, SweepAnyOK}, SweepsAny: {SweepAnyOK, Deletion}, Deletions: {Deletion, NumCells},
}

// Trial is one eligible call of an event; Hit: the event happened.
type Trial struct {
	Cell Cell
	Hit  bool
}

// Trial returns the cell in which a call counts for an event, and whether the event
// happened; ok is false where the call does not count for it.
func (s *CallFeatures) Trial(e Event) (t Trial, ok bool) {
	switch e {
	case Repeats:
		return Trial{Cell(s.RepeatStratum - Write), s.Repeat}, true
	case Retries:
		return Trial{Retry, s.FailedRetry}, true
	case Failures:
		return Trial{Failure, s.Failed}, true
	case Sweeps:
		return Trial{SweepOK + Cell(s.SweepStratum-AfterSuccess), s.SweepNext}, s.SweepStratum != NotEligible
	case SweepsAny:
		return Trial{SweepAnyOK + Cell(s.SweepStratum-AfterSuccess), s.SweepAny}, s.SweepStratum != NotEligible
	default:
		return Trial{Deletion, s.Delete}, true
	}
}
