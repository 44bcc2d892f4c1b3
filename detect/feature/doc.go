// Package feature turns the calls of one run, one by one, into the few facts
// that the detector counts: is this call a repeat, of a failure too, did it
// fail, is it one more of a row of new resources, does it delete.
//
// It refuses to know what is usual: no rate, no threshold and no agent is
// named here. It keeps bounded memory for a run whatever its caller invents,
// costs the same at every call, and needs nothing that an access log lacks.
package feature
