// Package identity determines the caller of a request, its principal and its credential from
// the content of one record. For each field the first rule that matches applies, and each
// field has its source (the rule) and its trust. Ingest and the check use the same code.
//
// It does not keep state between records: two records with the same evidence get the same
// identity, in any order. It does not return secrets: keys become keyed hashes. Evidence from
// a gateway has priority over claims of the caller.
package identity
