// Package scope says whether a call lies within what runs of the same task do: the routes
// that they write on and the targets that they write to. The same Guard is used on the log
// side, after a call, and in the check, before it.
//
// Reads are not held, except those that send to another site. It abstains, with a named
// reason, where too few runs are known, and about targets of a kind that is new in every
// run. A task that the caller claims never widens the scope.
package scope
