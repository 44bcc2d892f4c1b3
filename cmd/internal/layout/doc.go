// Package layout holds the tests of the repository's shape: which folders there
// are, which may import which, and what every package must say of itself. It
// refuses to be imported.
package layout
