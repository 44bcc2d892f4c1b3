// Package baseline holds what is normal for a tenant's agents: counts learned from closed
// clean runs, and the rates and amounts computed from them for an agent on a route. These are
// shrunk to the values of its peers and of all agents when few runs of the agent are known.
//
// It does not read runs and does not score them: package learn selects and reads the runs,
// and package score measures how far a run is from normal.
package baseline
