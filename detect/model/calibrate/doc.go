// Package calibrate estimates how rare a score is among clean runs. It uses an empirical tail up to the
// highest scores of clean runs and a fitted exponential tail beyond, and computes thresholds from
// the share of clean runs that the operator allows to alarm.
//
// It does not compute scores. Its results report whether they come from the data or from the fitted tail.
package calibrate
