// Package layout holds the tests of the repository's shape: which folders there
// are, which package may import which, and what each package must document. It
// has no code that other packages use.
package layout
