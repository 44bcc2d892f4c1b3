// Package sightings keeps the runs and names that the checks of one enforcement point have seen:
// since when the point knows a run, what it has allowed of the run, and whether requests contain a
// name that an operator's command uses.
//
// Everything is in memory and bounded. Names that a client can invent are kept separately from the
// others, so that a flood of them removes only names of the same kind. The package does not store
// data, does not decide, and does not use the state of enforcement.
package sightings
