// Package sharedcredential asks whether a session in a person's name looks like a
// machine's: it counts a few things of the session call by call, weighs each
// under what people do and under what machines do, and says how often a person
// comes as far.
//
// It refuses to convict: what comes of it is a suspicion with its evidence and
// its error rate. No single feature can raise one, a feature that is unknown for
// a session says nothing, and a session of fewer than Least calls is not judged.
package sharedcredential
