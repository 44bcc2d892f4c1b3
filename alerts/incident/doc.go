// Package incident folds findings, breakers and gates into incidents, and makes pages of their changes. Findings of one agent belong to
// one incident while it is open. When many agents of a tenant go wrong within a minute, one incident counts those after the first ones.
// Callers whose name is only claimed are counted apart from agents with an established identity.
//
// Incidents do not depend on the receiver. Whether a receiver is notified of a change follows from the pages it got before, from routes,
// silences and acknowledgements: judge decides it, and names why.
//
// It does not deliver pages and does not read a clock. It does not make two pages of one cause: ids of incidents and pages
// follow from the events, so that a replay gives the same pages.
package incident
