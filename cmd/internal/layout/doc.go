// Package layout holds the tests of the repository's structure: its folders, the allowed
// imports of each package, and the required documentation. It does not contain code that other
// packages use.
package layout
