// Package callrate estimates how many calls an actor usually makes in a quarter of an hour, and
// how rare a higher count is.
//
// The count has a negative binomial distribution. The rate of an agent is a gamma posterior with its
// peers' rates as the prior, and the peers' rates are shrunk to those of all agents. Factors for the hour of the week
// scale the rate.
//
// It does not assume a Poisson distribution, does not learn a factor from one week alone, and does not read a clock. A
// finding by call rate never trips a breaker by itself: counts in windows of time do not detect slow loops. The call rate
// complements the statistics that count in calls.
package callrate
