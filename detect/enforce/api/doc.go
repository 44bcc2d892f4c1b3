// Package api is the control API of an enforcement point: operators and tools read breakers,
// approvals, tasks, manifests and settings, and send commands. It serves HTTP with JSON bodies, an
// OpenAPI document that is generated from the same list as the handlers and that validates every
// request body, and a page on which a person decides one question through a signed link.
//
// Callers authenticate with a token that has a role and tenants, or with one of an issuer (package
// operator), whose groups give the role. They read and change only what belongs to these tenants.
// Every change is a command in the log and an entry of the audit trail: the response is the result
// of the command after this point has folded it.
//
// The package does not keep state, does not answer gateways (package check does), and does not show
// secrets, neither those of its configuration nor those that a caller sends by mistake.
package api
