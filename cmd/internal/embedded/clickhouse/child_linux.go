package clickhouse

import "syscall"

// dieWithParent asks the kernel to end the child with the thread that starts
// it, which the supervisor keeps for as long as the child runs. The pipe does
// the same without a kernel's help; this one also reaches a child that is stuck.
// A process group of its own keeps a terminal's ^C from the child, so that the
// parent decides what ends when.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// engineNice is how far the child stands back for its parent's threads: tripping
// is urgent, storing is not. An insert that takes both cores held up denials
// for tens of milliseconds.
const engineNice = 10

// lowerPriority stands the calling thread back, and what it starts.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, engineNice) }
