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

// spawn starts cmd on a thread that exists until the child has ended: dieWithParent ends the child when the thread that started it ends.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan error, 1)}
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error, 1)
	go func() {
		// The thread stays locked, because it has the priority of the child and must not run other goroutines. It ends with this goroutine.
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
