//go:build !linux

package engine

import "syscall"

// dieWithParent has no kernel to ask here: the pipe alone ends the child.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
