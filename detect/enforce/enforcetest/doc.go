// Package enforcetest holds what the tests of point, check and api share: a Kafka in memory, rules
// of identity and routes, requests of gateways and of operators, and logs that can be read while
// they are written. It does not assemble an enforcement point: each test package does that with the
// three packages, one of which is its own. Only tests import it.
package enforcetest
