// Package app combines Flyball's parts into a process. Only this package imports all parts. It
// opens the connections that they share, starts each role in a function (role_*.go), in order,
// and stops them in reverse order, each within a time limit. When a part ends before it is
// stopped, the process ends with an error that names the part.
//
// It makes no decisions about calls: the configuration makes them.
package app
