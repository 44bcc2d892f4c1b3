// Package calibrate says how rare a score is among clean runs: an empirical
// tail where clean runs reach, a fitted exponential one beyond, and the
// thresholds that follow from the operator's budget.
//
// It refuses to know what a score is made of, and says of each answer whether
// the data reach that far.
package calibrate
