// Package e2e tests Flyball from outside, as its users meet it: the built
// binary, its commands, ClickHouse's HTTP interface and any Kafka client.
//
// It refuses to reach into the process: what it asserts is what a person with
// the README could check. Faults are kill -9 and things taken away.
package e2e
