package engine

import "syscall"

// dieWithParent asks the kernel to end the child with the thread that starts
// it, which the supervisor keeps for as long as the child runs. The pipe does
// the same without a kernel's help; this one also reaches a child that is stuck.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
