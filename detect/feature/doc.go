// Package feature computes the features of each call of a run: for example
// whether the call repeats an earlier one, failed again, deletes, or is part of a series of calls with
// new resources.
//
// It does not decide what is usual: it has no rates and no thresholds. Its memory of a run and the cost of a call are
// bounded, independent of the input, and an access log has all the data that it needs.
package feature
