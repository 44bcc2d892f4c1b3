package feature

// Stratum splits the calls of an event by what makes the event likely.
type Stratum uint8

// Strata of repeats: a write, the first use of a read route, a read after a
// write since the route's last use, any other read. And of sweeps: the call
// failed or not. NotEligible calls do not count at all.
const (
	NotEligible Stratum = iota
	Write
	FirstRead
	ReadAfterWrite
	ReadAgain
	AfterSuccess
	AfterFailure
)

// CallFeatures is what one call was within its run.
type CallFeatures struct {
	Route  uint64
	Number uint64 // calls of the run up to and with this one

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
	Bytes         uint64

	PreviousRoute uint64 // route of the call before; 0 at the first
	CallsOnRoute  uint64 // calls of the route in the run, up to and with this one

	// Counts of the run up to and with this call.
	NewOnRoute uint64 // calls of the route that repeat nothing and are of a new resource or name none
	CallKey    uint64 // of the route, the arguments and the result
	RequestKey uint64 // of the route and the arguments
	New        bool   // the call counts in FreshOnRoute

	// NewTarget is the first resource of a write on a route that the run had not used
	// before, if the run had not named it before; 0: none.
	NewTarget uint64

	Distinct uint64 // calls that repeat none before them
	Switches uint64 // calls on another route than the call before; the first is one
}
