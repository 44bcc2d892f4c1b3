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

// Child is what a process needs to run engines as its children: the listener,
// which it keeps over restarts, and the pipe that shows a child that the parent
// is gone. It starts nothing by itself.
type Child struct {
	exe       string
	args      []string
	ln        *os.File
	addr      string
	childEnd  *os.File // the pipe's reading end, for the child about to start
	parentEnd *os.File // the writing end; nobody writes, its end is the message
}

// NewChild opens the address. The port is chosen here, once.
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

// Addr is host:port of the engine, the same over all restarts.
func (c *Child) Addr() string { return c.addr }

// Command prepares the next child. Call Started after its Start.
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
	// The library reads the time zone when it is loaded; rows must not depend
	// on the machine's.
	cmd.Env = append(os.Environ(), envChild+"=1", "TZ=UTC")
	return cmd
}

// Started gives up the child's end of the pipe.
func (c *Child) Started() {
	if c.childEnd != nil {
		c.childEnd.Close()
		c.childEnd = nil
	}
}

// letGo ends the pipe: a child that still runs takes it for the parent's end.
func (c *Child) letGo() {
	c.Started()
	if c.parentEnd != nil {
		c.parentEnd.Close()
		c.parentEnd = nil
	}
}

// Close gives up the address and lets a running child end.
func (c *Child) Close() error {
	c.letGo()
	return c.ln.Close()
}

// InUse says whether an engine holds the data directory.
func InUse(path string) bool {
	unlock, err := tryLock(filepath.Join(path, "engine.lock"))
	if err == nil {
		unlock()
	}
	return errors.Is(err, errLocked)
}

// LocateIn returns the library of one folder, if it holds the pinned one.
func LocateIn(dir string) (string, bool) {
	p, err := pinned()
	if err != nil || quickCheck(dir, p) != nil {
		return "", false
	}
	return filepath.Join(dir, libName), true
}

// waitFree waits until no engine holds the data directory.
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
