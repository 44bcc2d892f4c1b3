// Package incident folds findings, breakers and gates into incidents, one for each run and family of finding, and makes pages of their
// changes.
//
// It does not know the receivers of a page and does not read a clock. It does not make two pages of one cause: page ids follow from the
// events, so that a replay gives the same pages.
package incident
