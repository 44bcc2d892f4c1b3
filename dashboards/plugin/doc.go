// Package plugin is the back end of Flyball's Grafana data source. It returns frames with
// runs, the trace of one run, touched sets, findings, breakers and calls over time.
//
// It does not accept SQL from a dashboard, limits the number of rows of every response, and
// reads only Flyball's views.
package plugin
