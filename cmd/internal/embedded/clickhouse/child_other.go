//go:build !linux

package clickhouse

import "syscall"

// dieWithParent returns attributes without a signal at the parent's death, which only Linux has: only the pipe ends the child. The child
// has its own process group, so that ^C in a terminal does not reach it.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// lowerPriority does nothing: outside of Linux, a priority applies to a whole process.
func lowerPriority() {}
