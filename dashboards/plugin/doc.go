// Package plugin is the backend of Flyball's Grafana data source: frames of runs,
// one run's trace, what was touched, findings, breakers and calls over time.
//
// It accepts no SQL from a dashboard, bounds the rows of every answer, and only reads
// Flyball's views.
package plugin
