// Package sharedcredential estimates whether a session in a person's name looks like the session of a machine. It counts
// a few features of the session call by call, gives each a weight by how often people and machines show it, and
// computes the share of people's sessions that reach the same score.
//
// The result is a suspicion with its evidence and its error rate. It does not prove that a machine used the credential.
// One feature alone does not raise a suspicion, an unknown feature does not count, and a session of fewer than
// MinSessionCalls calls is not judged.
package sharedcredential
