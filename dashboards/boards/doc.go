// Package boards generates Flyball's Grafana dashboards from typed code.
//
// The output is dashboards/json/*.json, which must not be edited by hand: a test compares the
// two. The types of dashboards and panels are those of Grafana's Foundation SDK.
package boards
