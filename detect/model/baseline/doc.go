// Package baseline holds what is normal: counts learned from closed clean runs,
// and the rates and amounts that follow from them for an agent on a route,
// shrunk to its peers and to everybody where the agent has shown little.
//
// It refuses to learn by itself and to judge: where runs come from is the
// business of learn, and what is too far from normal that of score.
package baseline
