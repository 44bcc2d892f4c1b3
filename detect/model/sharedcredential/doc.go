// Package sharedcredential estimates whether a session in a person's name looks like a
// machine's: it counts a few features of the session call by call, weighs each by how
// often people and machines show it, and says how often a person's session comes as far.
//
// The result is a suspicion with its evidence and its error rate, and no proof. No single
// feature can raise one, an unknown feature adds nothing, and a session of fewer than
// MinSessionCalls is not judged.
package sharedcredential
