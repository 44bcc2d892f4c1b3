package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Child prepares processes that run an engine: it holds the listener, which is kept over restarts, and the pipe by which a child detects
// the end of its parent. It does not start a process.
type Child struct {
	exe       string
	args      []string
	ln        *os.File
	addr      string
	childEnd  *os.File // the read end of the pipe, for the child that starts next
	parentEnd *os.File // the write end; nothing is written, closing it is the signal
}

// NewChild opens the address. The port is chosen once and then stays the same.
func NewChild(exe, listen string, args ...string) (*Child, error) {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen on clickhouse.listen %s: %w", listen, err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("pass on the listener: %w", err)
	}
	return &Child{exe: exe, args: args, ln: f, addr: ln.Addr().String()}, nil
}

// Addr returns host:port of the engine, which is the same over all restarts.
func (c *Child) Addr() string { return c.addr }

// Command prepares the next child. The caller calls Started after the command's Start.
func (c *Child) Command() *exec.Cmd {
	c.letGo()
	cmd := exec.Command(c.exe, c.args...)
	r, w, err := os.Pipe()
	if err != nil {
		cmd.Err = fmt.Errorf("pipe to the engine: %w", err)
		return cmd
	}
	c.childEnd, c.parentEnd = r, w
	cmd.ExtraFiles = []*os.File{r, c.ln} // fdParent, fdListener
	// The library reads the time zone when it is loaded. Rows must not depend on the time zone of the machine.
	cmd.Env = append(os.Environ(), envChild+"=1", "TZ=UTC")
	return cmd
}

// Started closes the child's end of the pipe in this process.
func (c *Child) Started() {
	if c.childEnd != nil {
		c.childEnd.Close()
		c.childEnd = nil
	}
}

// letGo closes the pipe. A running child treats this as the end of the parent.
func (c *Child) letGo() {
	c.Started()
	if c.parentEnd != nil {
		c.parentEnd.Close()
		c.parentEnd = nil
	}
}

// Close closes the listener and the pipe, so that a running child ends.
func (c *Child) Close() error {
	c.letGo()
	return c.ln.Close()
}

// InUse reports whether an engine holds the lock of the data directory.
func InUse(path string) bool {
	unlock, err := tryLock(filepath.Join(path, "engine.lock"))
	if err == nil {
		unlock()
	}
	return errors.Is(err, errLocked)
}

// LocateIn returns the library in dir. ok is false if dir does not contain the pinned library.
func LocateIn(dir string) (string, bool) {
	p, err := pinned()
	if err != nil || quickCheck(dir, p) != nil {
		return "", false
	}
	return filepath.Join(dir, libName), true
}

// waitFree waits until no engine holds the data directory, for at most limit.
func waitFree(ctx context.Context, path string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	unlock, err := lockData(ctx, Options{Path: path, LockWait: limit})
	if err != nil {
		return err
	}
	unlock()
	return nil
}
