package feature

// Stratum divides the calls that count for an event into classes with different probabilities of the event.
type Stratum uint8

// The strata of Repeats are Write, FirstRead (the first read on a route), ReadAfterWrite (the run has written, on any
// route, since it last used this route) and ReadAgain (any other read). Those of Sweeps are AfterSuccess and AfterFailure:
// whether the call itself succeeded or failed. NotEligible calls do not count.
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
	API    uint64 // Input.API
	Number uint64 // number of the call in its run, from 1

	Repeat        bool    // same route, arguments and result as an earlier call of the run
	RepeatStratum Stratum // Write … ReadAgain
	Identical     uint32  // number of calls with this route, arguments and result, this call included
	Failed        bool
	FailedRetry   bool    // failed, and the same arguments were tried before
	SweepStratum  Stratum // AfterSuccess, AfterFailure; repeats are not eligible
	SweepNext     bool    // the previous call had the same route, and this call names a new resource or none
	SweepAny      bool    // an earlier call had the same route, and this call names a new resource or none
	Delete        bool
	Write         bool
	Bytes         uint64 // of the answer

	PreviousRoute uint64 // route of the previous call; 0 for the first call
	CallsOnRoute  uint64 // calls of the route in the run, this call included

	// Counts of the run, this call included.
	NewOnRoute uint64 // calls of the route that are not repeats and name a new resource or none
	CallKey    uint64 // hash of the route, the arguments and the result
	RequestKey uint64 // hash of the route and the arguments
	New        bool   // the call counts in NewOnRoute

	// NewTarget is the first resource, new to the run, of a write on a route that is new
	// to the run; 0: none.
	NewTarget uint64

	Distinct uint64 // calls that are not repeats
	Switches uint64 // calls on another route than the previous call; the first call counts
}
