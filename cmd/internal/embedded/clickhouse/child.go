package clickhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Child prepares processes that run an engine: it holds the listener, which is kept over restarts, and the pipe by which a child detects
// the end of its parent. It does not start a process.
type Child struct {
	exe       string
	args      []string
	ln        *os.File
	addr      string
	readLn    *os.File // of the second listener; nil if there is none
	readAddr  string
	access    []byte   // who may do what, for the next children; see Hand
	childEnd  *os.File // the read end of the pipe, for the child that starts next
	accessEnd *os.File // the read end of the pipe with access, for the child that starts next
	parentEnd *os.File // the write end; nothing is written, closing it is the signal
}

// NewChild opens the address. The port is chosen once and then stays the same.
func NewChild(exe, listen string, args ...string) (*Child, error) {
	f, addr, err := listenFile("clickhouse.listen", listen)
	if err != nil {
		return nil, err
	}
	return &Child{exe: exe, args: args, ln: f, addr: addr}, nil
}

// listenFile opens an address and returns its file, which a child can inherit. key names the address in the configuration.
func listenFile(key, listen string) (*os.File, string, error) {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s %s: %w", key, listen, err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		return nil, "", fmt.Errorf("pass on the listener of %s: %w", key, err)
	}
	return f, ln.Addr().String(), nil
}

// ListenForReaders opens the address where nobody writes.
func (c *Child) ListenForReaders(listen string) (err error) {
	c.readLn, c.readAddr, err = listenFile("clickhouse.read_listen", listen)
	return err
}

// ReadAddr returns host:port of the readers' listener; empty if there is none.
func (c *Child) ReadAddr() string { return c.readAddr }

// accessOptions are the options about who may do what. They reach a child through a pipe: other processes could read arguments, and
// children of the child its environment.
type accessOptions struct {
	User, Password string
	AnonymousReads bool
	ReadListen     string
	Databases      []string
}

// Hand gives the next children the options about who may do what.
func (c *Child) Hand(o Options) {
	c.access, _ = json.Marshal(accessOptions{o.User, o.Password, o.AnonymousReads, o.ReadListen, o.Databases}) // only texts
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
	cmd.Env = append(childEnvironment(os.Environ()), envChild+"=1", "TZ=UTC")
	inherit := func(env string, f *os.File) {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", env, fdParent+len(cmd.ExtraFiles)))
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if c.readLn != nil {
		inherit(envReadListener, c.readLn)
	}
	if c.access != nil {
		if c.accessEnd, err = filled(c.access); err != nil {
			cmd.Err = fmt.Errorf("pipe to the engine: %w", err)
			return cmd
		}
		inherit(envAccess, c.accessEnd)
	}
	return cmd
}

// filled returns the read end of a pipe that contains b, which is shorter than a pipe's buffer.
func filled(b []byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	return r, errors.Join(err, w.Close())
}

// kept are the variables that a child inherits, and prefixes of names. Others may hold secrets, which the engine does not need: SQL could
// read them, and s3() would use credentials of a cloud.
var kept = []string{"PATH=", "HOME=", "TMPDIR=", "XDG_", "LANG=", "LC_", "LD_LIBRARY_PATH=", "GO", "FLYBALL_ENGINE", "FLYBALL_CACHE="}

// childEnvironment returns what a child inherits of an environment.
func childEnvironment(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		return !slices.ContainsFunc(kept, func(prefix string) bool { return strings.HasPrefix(e, prefix) })
	})
}

// Started closes the child's end of the pipe in this process.
func (c *Child) Started() {
	if c.childEnd != nil {
		c.childEnd.Close()
		c.childEnd = nil
	}
	if c.accessEnd != nil {
		c.accessEnd.Close()
		c.accessEnd = nil
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

// Close closes the listeners and the pipe, so that a running child ends.
func (c *Child) Close() error {
	c.letGo()
	if c.readLn != nil {
		c.readLn.Close()
	}
	return c.ln.Close()
}

// InUse reports whether an engine holds the lock of the data directory.
func InUse(path string) bool {
	unlock, err := tryLock(filepath.Join(path, lockName))
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
