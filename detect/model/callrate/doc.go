// Package callrate says how many calls an actor usually makes in a quarter of an hour, and
// how rare a higher count is.
//
// The count is negative binomial. The rate of an agent is a gamma posterior under its
// peers' rates, and theirs under everybody's; factors of the hour of the week scale it.
//
// Counts are not taken for Poisson, one week alone sets no factor, no clock is read. A
// finding by call rate never trips a breaker by itself: windows of time miss every slow
// loop, and this is a backstop for the statistics that count in calls.
package callrate
