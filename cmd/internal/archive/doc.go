// Package archive reads and writes the containers of archives: zip and tar.gz for what people open, tar.zst for what is large. Entries are
// written and read one after the other, never held in memory, and each has its size and SHA-256. What an archive contains, and what its
// manifest says, is the business of its users (backup, evidence).
//
// A zip or tar.gz file that a Writer of this package does not write is refused: one that different programs would read differently is no
// evidence. The digests find damage. They are no signature: who can write to the archive can change both.
package archive
