package feature

// Stratum splits the calls of an event by what makes the event likely.
type Stratum uint8

// The strata. Repeats: a write; the first read on a route; a read on a route where the run
// has written, on any route, since it used this one; any other read. Sweeps: the call
// succeeded or failed. NotEligible calls do not count.
const (
	NotEligible Stratum = iota
	Write
	FirstRead
	ReadAfterWrite
	ReadAgain
	AfterSuccess
	AfterFailure
)

// CallFeatures describes one call within its run. Keys and routes are hashes.
type CallFeatures struct {
	Route  uint64
	Number uint64 // of the call in its run, from 1

	Repeat        bool    // same route, arguments and result as an earlier call of the run
	RepeatStratum Stratum // Write … ReadAgain
	Identical     uint32  // how often this (route, arguments, result) was seen, this call included
	Failed        bool
	FailedRetry   bool    // failed, and the same arguments were tried before
	SweepStratum  Stratum // AfterSuccess, AfterFailure; repeats are not eligible
	SweepNext     bool    // the call before was of the same route, and this one is of a new resource or names none
	SweepAny      bool    // the same, with any earlier call of the route
	Delete        bool
	Write         bool
	Bytes         uint64 // of the answer

	PreviousRoute uint64 // route of the call before; 0 at the first
	CallsOnRoute  uint64 // calls of the route in the run, up to and with this one

	// Counts of the run up to and with this call.
	NewOnRoute uint64 // calls of the route that are no repeat and name a new resource or none
	CallKey    uint64 // of the route, the arguments and the result
	RequestKey uint64 // of the route and the arguments
	New        bool   // the call counts in NewOnRoute

	// NewTarget is the first resource, new to the run, of a write on a route that is new
	// to the run; 0: none.
	NewTarget uint64

	Distinct uint64 // calls that repeat none before them
	Switches uint64 // calls on another route than the call before; the first is one
}
