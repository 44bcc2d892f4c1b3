// Package pager reads flyball.events for one receiver, folds them into incidents and
// delivers the pages that follow, in the order of the log. What a receiver has
// acknowledged is committed; a process that is killed in between delivers the page
// again, under the same id.
//
// It refuses to commit what nobody acknowledged, to let one receiver wait for another
// (each has a consumer group of its own), and to drop a page silently: one that its
// receiver refused is logged and counted.
package pager
