// Package score follows one run against a baseline: statistics of families that
// can only grow within a run, each anchored to one scale, and the run's score,
// their maximum.
//
// It refuses to use anything but the run's own calls and a published baseline:
// no clock, no other run. The same calls and the same baseline make the same
// score, however often they are played again.
package score
