// Package schema defines the types that all parts of Flyball share: calls, runs, actors,
// findings, commands, and the enumerations that describe them.
//
// It contains types and their codecs. It does not contain policy or scoring, and does no HTTP,
// input or output: packages that decide or communicate import schema, and schema imports none
// of them.
package schema
