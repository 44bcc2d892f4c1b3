// Package pager reads flyball.events for one receiver, folds them into
// incidents and delivers what follows, in the order of the log.
//
// It refuses to commit what nobody acknowledged, to let one receiver wait for
// another (each has a consumer group of its own), and to skip a page silently: a
// refused one is logged and counted.
package pager
