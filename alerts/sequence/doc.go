// Package sequence copies from flyball.events to flyball.alerts what pagers need: findings, breakers of findings, gates, acknowledgements
// and silences, as they were written. flyball.alerts has one partition: the order of its records is decided once, and all pagers and
// replays follow it. A record that counts the minutes lets their clock go on when nothing happens.
//
// An event that is copied again after a restart has the same id and version; readers ignore the repeat.
package sequence
