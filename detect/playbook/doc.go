// Package playbook says, for each family of findings, what it means, what harmless causes
// it may have, and what to do about it.
//
// It knows families and no findings: an entry is the same for every agent.
package playbook
