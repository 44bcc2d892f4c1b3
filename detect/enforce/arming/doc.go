// Package arming is the state machine of the commands arm and disarm: for whom decisions
// are enforced. A command is about a pattern: an agent, agents, a tag, a family, or
// everything. Where no command is about somebody, the configuration of each point decides.
//
// It is a function of the commands in the order of the log. It refuses to read a clock or a
// configuration and to do I/O. The number of patterns is bounded.
package arming
