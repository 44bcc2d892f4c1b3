package enginetest

import (
	"os"
	"os/exec"
	"testing"
	"time"

	engine "flyball/cmd/internal/embedded/clickhouse"
)

// Own is an engine for one test that can be killed and started again. Its address stays the same: while the engine is down, connections
// wait, as with the product's supervisor.
type Own struct {
	Addr string
	// Users is a file with the users of the engine, in ClickHouse's XML, from the next Start on: every connection has the rights of
	// the user default. Empty: all rights.
	Users string

	t     testing.TB
	dir   string
	lib   string
	child *engine.Child
	cmd   *exec.Cmd
}

// StartOwn starts an engine in a new directory. It skips the test when Start would, and when FLYBALL_TEST_CLICKHOUSE names a server,
// because a test must not kill that server.
func StartOwn(t testing.TB) *Own {
	t.Helper()
	if Outside() {
		t.Skip("SKIPPED: this test kills its engine, and " + envOutside + " names a server")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &Own{t: t, lib: Library(t), dir: t.TempDir()}
	if o.child, err = engine.NewChild(exe, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	o.Addr = o.child.Addr()
	t.Cleanup(func() { o.Kill(); o.child.Close() })
	o.Start()
	return o
}

// Kill kills the engine with SIGKILL and waits until it has ended.
func (o *Own) Kill() {
	if o.cmd == nil {
		return
	}
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
	o.cmd = nil
}

// Start starts the engine on its existing directory and waits until it answers.
func (o *Own) Start() {
	o.t.Helper()
	if o.cmd != nil {
		return
	}
	cmd := o.child.Command()
	cmd.Env = append(cmd.Environ(), envServe+"="+o.dir, envKeep+"=1", envUsers+"="+o.Users, engine.EnvLib+"="+o.lib)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		o.t.Fatalf("start the engine: %v", err)
	}
	o.child.Started()
	o.cmd = cmd
	if err := waitReady(o.Addr, cmd, time.Minute); err != nil {
		o.t.Fatal(err)
	}
}
