// Package rulestest evaluates provisioned alert rules against a data source, for tests.
//
// A Grafana cannot be had there. What it documents about server-side expressions and about the states of alert instances is written down
// here, and is checked against the documented cases. It does not notify anybody, and knows only the expressions reduce and threshold.
package rulestest
