package feature

// Cell is an event within a stratum. Baselines count by cell. The order of the cells is part of the stored
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

// Event is a property of a call whose rate baselines learn. The cells of an event are consecutive.
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

// CellRange returns the first cell of an event and the cell after its last one.
func (e Event) CellRange() (from, to Cell) { return ranges[e][0], ranges[e][1] }

var ranges = [NumEvents][2]Cell{
	Repeats: {RepeatWrite, Retry}, Retries: {Retry, Failure}, Failures: {Failure, SweepOK},
	Sweeps: {SweepOK, SweepAnyOK}, SweepsAny: {SweepAnyOK, Deletion}, Deletions: {Deletion, NumCells},
}

// Trial is one call that counts for an event. Hit reports that the event happened.
type Trial struct {
	Cell Cell
	Hit  bool
}

// Trial returns the cell in which a call counts for an event, and whether the event
// happened. ok is false when the call does not count for the event.
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
