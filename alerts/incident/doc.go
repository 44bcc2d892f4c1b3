// Package incident folds findings and breakers into incidents, one for each run
// and family of finding, and says when somebody is to be told.
//
// It refuses to know who is told or how, to look at a clock, and to tell of the
// same cause twice: page ids follow from the events, so that a replay makes the
// same pages.
package incident
