// Package e2e tests Flyball from outside, as users use it: the built binary, its commands,
// ClickHouse's HTTP interface and any Kafka client.
//
// It does not access the inside of the process: a person with the README could check the same
// results. Faults are kill -9 and components that are removed.
package e2e
