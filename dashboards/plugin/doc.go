// Package plugin is the backend of Flyball's Grafana data source: frames of runs,
// one run's trace, what was touched, findings, breakers and calls over time.
//
// It refuses to take SQL from a dashboard, to answer without a bound, and to
// change anything: it only reads Flyball's views.
package plugin
