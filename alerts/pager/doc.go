// Package pager reads flyball.alerts for one receiver, folds them into incidents and delivers the resulting pages in the order of the
// log. An offset is committed after the receiver has acknowledged its page. A process that is killed between the two delivers the page
// again, with the same id.
//
// It does not commit an event before its page is acknowledged or refused. Receivers do not wait for each other: each has its own consumer
// group. It does not drop a page silently: a page that its receiver refused is logged and counted.
package pager
