// Package feature turns the calls of a run, one by one, into what the detector counts:
// whether a call repeats an earlier one, failed again, deletes, or is the next of a row of
// new resources.
//
// It does not know what is usual: it has no rates and no thresholds. Its memory of a run is
// bounded whatever the caller sends, the cost of a call is constant, and everything it
// needs is in an access log.
package feature
