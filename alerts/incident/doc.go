// Package incident folds findings, breakers and gates into incidents, and makes pages of their changes. Findings of one agent belong to
// one incident while it is open. When many agents of a tenant go wrong within a minute, one incident counts those after the first ones.
// Callers whose name is only claimed are counted apart from agents with an established identity.
//
// It does not know the receivers of a page and does not read a clock. It does not make two pages of one cause: ids of incidents and pages
// follow from the events, so that a replay gives the same pages.
package incident
