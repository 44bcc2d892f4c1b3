// Package notice is the state machine of what people order about notifications: acknowledgements of incidents, and silences.
//
// It does not know incidents: an acknowledgement becomes an event, which the pagers read in the order of the log. It keeps the silences
// in force and the links that were used, so that a link works once. Time is the log's clock, never a point's.
package notice
