// Package arming is the state of the commands that arm and disarm: whose decisions
// are enforced, whatever the configuration of a point says. What the configuration
// says holds until a command says otherwise.
//
// It is a function of the commands in the order of their log. It refuses to read a
// clock or a configuration, to do I/O, and to hold more patterns than a bound.
package arming
