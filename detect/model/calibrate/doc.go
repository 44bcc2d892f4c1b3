// Package calibrate says how rare a score is among clean runs: an empirical tail as far as
// clean runs reach, a fitted exponential tail beyond, and the thresholds that follow from
// the share of clean runs that the operator lets alarm.
//
// It does not know how a score is computed. Each answer says whether the data reach that
// far.
package calibrate
