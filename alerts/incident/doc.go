// Package incident folds findings, breakers and questions into incidents, one for each
// run and family of finding, and makes the pages that follow from their changes.
//
// It refuses to know who receives a page or how, to look at a clock, and to make two
// pages of one cause: page ids follow from the events, so that a replay makes the same
// pages.
package incident
