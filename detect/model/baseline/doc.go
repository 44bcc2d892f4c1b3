// Package baseline holds what is normal for a tenant's agents: counts learned from closed
// clean runs, and the rates and amounts that follow from them for an agent on a route,
// shrunk to its peers' and to everybody's where little is known of the agent.
//
// It does not read runs and does not judge them: package learn selects and reads the runs,
// package score measures how far a run is from normal.
package baseline
