// Package playbook holds a text for each family of findings: what the family means, what harmless causes
// it can have, and what to do about it.
//
// It does not read findings: an entry is the same for every agent and every finding of a family.
package playbook
