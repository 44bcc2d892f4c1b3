// Package arming is the state machine of the commands arm and disarm, which set for whom decisions
// are enforced. A command is about a pattern: an agent, agents, a tag, a family, or everything. If
// no command matches, the configuration of each point decides.
//
// It is a function of the commands in the order of the log. It does not read a clock or a
// configuration and does no I/O. The number of patterns is bounded.
package arming
