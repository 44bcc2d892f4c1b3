// Package control is the enforcement point: it folds the command log into
// breakers, answers gateways from memory, takes operators' commands and puts
// what it was asked into flyball.calls.
//
// It refuses to decide anything by itself: an answer follows from the log alone.
// It refuses to answer before it has read the log, to wait for I/O in an answer,
// and to believe what a client says in headers that are Flyball's.
package control
