// Package callrate says how many calls an actor usually makes in a quarter of an
// hour, and how rare it is that it makes as many as it does.
//
// The count is negative binomial: an agent's rate is a gamma posterior under its
// peers' rates and theirs under everybody's, and factors of the hour of the week
// scale it. The factors are of rates alone: what a run does to the API has no hour.
//
// It refuses to take a count for Poisson, to let one week set a factor, to read a
// clock, and to end anything: windows of time miss every slow loop, and what it says
// is a backstop of the statistics that count in calls.
package callrate
