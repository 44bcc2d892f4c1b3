//go:build !linux

package clickhouse

import "syscall"

// dieWithParent has no kernel to ask here: the pipe alone ends the child. Its
// process group keeps a terminal's ^C from it.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// lowerPriority does nothing: elsewhere than on Linux a priority is a process's.
func lowerPriority() {}
