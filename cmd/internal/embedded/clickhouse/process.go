package clickhouse

import (
	"os/exec"
	"runtime"
	"syscall"
)

// process is a started child.
type process struct {
	cmd    *exec.Cmd
	exited chan error // one value, the result of Wait
}

// spawn starts cmd on a thread that stays until the child has ended: the
// parent's death that dieWithParent speaks of is that of the starting thread.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan error, 1)}
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error, 1)
	go func() {
		// Never unlocked: the child inherits the thread's priority, and nothing
		// else may run with it. The thread ends with the goroutine.
		runtime.LockOSThread()
		lowerPriority()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

func (p *process) kill() { _ = p.cmd.Process.Kill() }
