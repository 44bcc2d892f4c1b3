// Package app joins Flyball's parts: the one straight-line place that knows
// them all. Parts start in order and stop in reverse, each within a bound; a
// part that dies takes the process down with its name.
//
// It refuses to decide anything: every choice is the configuration's.
package app
