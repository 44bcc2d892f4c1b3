// Package api is the control API of an enforcement point: what operators and tools read of
// breakers, approvals, tasks, manifests and settings, and the commands that they give. It
// serves HTTP with JSON bodies, an OpenAPI document that is made of the same list as the
// handlers and that validates every request body, and a page on which a person decides one
// question by a signed link.
//
// Callers show a token with a role and tenants; what they read and change is of their
// tenants alone. Every change is a command in the log and an entry of the audit trail: the
// answer is the result of the command, after this point has folded it. The package keeps
// no state of its own, answers no gateway (package check does), and shows no secrets: not
// those of its configuration, and not those that somebody sends by mistake.
package api
