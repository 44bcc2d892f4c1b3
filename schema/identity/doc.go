// Package identity decides who is calling, on whose behalf and with what, from
// what one record says: first match wins for each field, and every field says
// which rule established it and how far to trust it. The log side and the gate
// side use the same code.
//
// It refuses to remember: two records with the same evidence get the same
// answer, whatever came between. It never lets a secret out: keys become keyed
// hashes. What a gateway says of a caller wins over what the caller claims of itself.
package identity
