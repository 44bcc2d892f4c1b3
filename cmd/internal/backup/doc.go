// Package backup takes a snapshot of a data folder, while Flyball runs or while it is stopped, and restores one.
//
// A running process serves requests that are folders in DATA/backup: only who may write to the data folder can make one, and
// nothing listens on the network. The one who asks keeps a lock on its folder; when it ends, killed or not, the process removes
// what it made for it.
//
// The snapshot is what a process that was killed at that moment would find: the embedded broker is frozen while hard links to its
// files are made and while the engine freezes its tables, the table of the store's progress first. What the tables then have beyond
// the progress is inserted again after a restore, and merges.
package backup
