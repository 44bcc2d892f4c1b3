// Package evaluate measures the detector on labelled recorded runs: the rate of false alarms on clean runs, the delay
// until a runaway is detected, and the share of hijacked runs that are found.
//
// It does not implement a detector: it measures the one of the role detect. It does not score a run by a detector that
// was learned from that run.
package evaluate
