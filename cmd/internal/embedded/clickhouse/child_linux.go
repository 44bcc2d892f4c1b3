package clickhouse

import "syscall"

// dieWithParent returns attributes with which the kernel kills the child when the thread that started it ends; the supervisor keeps that
// thread while the child runs. The pipe to the parent has the same effect without the kernel, but does not end a child that hangs. The
// child has its own process group, so that ^C in a terminal does not reach it and the parent decides the order of stopping.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// engineNice is the nice value of the child. Its priority is lower than that of the parent, because trips are urgent and storage is not.
// Without it, an insert that used both cores delayed denials by tens of milliseconds.
const engineNice = 10

// lowerPriority lowers the priority of the calling thread and of the processes it starts.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, engineNice) }
