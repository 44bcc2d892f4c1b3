// Package identity decides who is calling, on whose behalf and with what, from
// what one record says: first match wins for each field, and every field says
// which rule established it and how far to trust it. The log side and the gate
// side use the same code.
//
// It refuses to remember: two records with the same evidence get the same
// answer, whatever came between. It never lets a secret out: keys become keyed
// hashes. It believes nothing that a caller says of itself over what a gateway
// says of it.
package identity
