// Package scope decides whether a call is within the learned scope of its task: the routes
// and the targets that runs of the task write to. The detector uses the Guard after a call, and the check uses the same
// Guard before it.
//
// It does not hold reads, except those that send to another site. It does not decide when too few runs are known or when
// targets of a kind are new in every run: then it abstains with a named reason. A task that the caller claims never
// widens the scope.
package scope
