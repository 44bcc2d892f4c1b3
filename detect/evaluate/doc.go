// Package evaluate measures the detector on recorded runs whose nature is known: false
// alarms on clean runs, delay until a runaway is seen, hijacked runs found.
//
// It judges only the detector that detect runs, and no run teaches the detector that
// judges it.
package evaluate
