// Package schema defines the types that every part of Flyball shares: calls, runs,
// actors, findings, commands, and the enumerations that describe them.
//
// It holds types and their codecs. It holds no policy and no scoring, and does no
// HTTP, input or output: packages that decide or communicate import schema, and
// schema imports none of them.
package schema
