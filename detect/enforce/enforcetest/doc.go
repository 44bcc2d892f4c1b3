// Package enforcetest is what the tests of point, check and api share: a Kafka in memory,
// rules of identity and routes, requests of gateways and of operators, and logs that are
// read while they are written. It assembles no enforcement point: each test package does
// that with the three packages, one of which it is itself. Nothing but tests imports it.
package enforcetest
