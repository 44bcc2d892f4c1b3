// Package schema is the language that every part of Flyball shares: a call, a
// run, an actor, and the closed sets of words that describe them.
//
// It holds words and their codecs. It refuses to hold policy, scoring, HTTP or
// any input or output: a package that wants to decide or to talk to something
// imports schema, never the other way round.
package schema
