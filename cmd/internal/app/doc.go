// Package app joins Flyball's parts into a process: it is the one place that knows them all. It opens what they share,
// starts each role in a function of its own (role_*.go), in order, and stops them in reverse, each within a time limit.
// A part that ends by itself ends the process, and its name is in the error.
//
// It decides nothing about calls: every choice is in the configuration.
package app
