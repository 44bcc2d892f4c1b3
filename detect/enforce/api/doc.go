// Package api is the control API of an enforcement point: operators and tools read breakers,
// approvals, tasks, manifests and settings, and send commands. It serves HTTP with JSON
// bodies, an OpenAPI document that is generated from the same list as the handlers and that
// validates every request body, and a page on which a person decides one question by a
// signed link.
//
// Callers authenticate by a token with a role and tenants; they read and change only what
// belongs to these tenants. Every change is a command in the log and an entry of the audit trail: the
// answer is the result of the command, after this point has folded it. The package keeps
// no state of its own, answers no gateway (package check does), and shows no secrets: not
// those of its configuration, and not those that a caller sends by mistake.
package api
