// Package archive writes and reads the archive of a backup: a tar compressed with Zstandard, whose first entry describes it and
// whose last entry has the size and SHA-256 of every file. An archive without its last entry, or with another content, is refused
// before anything is written, so that half a backup is never taken for a whole one.
//
// The digests find damage. They are no signature: who can write to the archive can change both.
package archive
