// Package scope says whether a call lies within what runs like it do: the routes
// that they write on, and what they write to. The same Guard answers on the log
// side, where a call has been made, and on the check side, where it waits.
//
// It refuses to hold a read (but one that is sent to another site), to judge by
// too few runs, to judge targets that are new in every run, and to let a task that
// the caller claims widen anything: where it cannot tell it abstains and says why.
package scope
