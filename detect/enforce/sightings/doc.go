// Package sightings remembers which runs and which names the checks of one enforcement
// point have seen: since when it knows a run, what it has let through of it, and whether
// a name in an operator's command is one that requests really carry.
//
// All of it is in memory and bounded. Names that anybody can invent are kept apart from
// the others, so that a flood of them pushes out nothing but names of the same kind. The
// package stores nothing, decides nothing, and does not know enforcement's state.
package sightings
