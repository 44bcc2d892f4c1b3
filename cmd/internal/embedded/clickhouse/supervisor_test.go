package clickhouse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/cmd/internal/embedded/clickhouse/enginetest"
)

// TestMain lets the test binary run as the engine, or as a process that supervises one and can be killed, like `flyball` in production.
func TestMain(m *testing.M) {
	roles := map[string]func(context.Context, engine.Options) error{
		"engine":    func(ctx context.Context, opt engine.Options) error { return engine.Serve(ctx, opt, quiet) },
		"supervise": supervise,
		"pipe":      pipeOnly,
	}
	if role := roles[os.Args[min(1, len(os.Args)-1)]]; role != nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		opt := engine.DefaultOptions()
		opt.Path, opt.Memory, opt.LockWait, opt.DrainWait = os.Args[2], 1<<30, 5*time.Second, 2*time.Second
		if err := role(ctx, opt); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	run(m)
}

// run fails the package when a test leaves a goroutine behind, except those of connections that a client keeps for reuse.
func run(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("github.com/ClickHouse/clickhouse-go/v2.(*clickhouse).startAutoCloseIdleConnections"))
}

var quiet = slog.New(slog.DiscardHandler)

// supervise runs a supervisor and prints the address and the child's process id.
func supervise(ctx context.Context, opt engine.Options) error {
	opt.Listen, opt.Args = "127.0.0.1:0", []string{"engine", opt.Path}
	s := engine.NewSupervisor(opt, quiet, nil)
	go func() {
		if s.WaitReady(ctx) == nil {
			fmt.Println(s.Addr(), s.PID())
		}
	}()
	return s.Run(ctx)
}

// pipeOnly starts an engine as on a system whose kernel does not kill children when their parent ends.
func pipeOnly(ctx context.Context, opt engine.Options) error {
	c, err := engine.NewChild(os.Args[0], "127.0.0.1:0", "engine", opt.Path)
	if err != nil {
		return err
	}
	defer c.Close()
	cmd := c.Command()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.Started()
	if err := enginetest.Exec(c.Addr(), "SELECT 1"); err != nil {
		return err
	}
	fmt.Println(c.Addr(), cmd.Process.Pid)
	<-ctx.Done()
	return nil
}

// supervised starts a supervisor in this process.
func supervised(t testing.TB, path string, with ...func(*engine.Options)) (*engine.Supervisor, *prometheus.Registry) {
	t.Helper()
	opt := engine.DefaultOptions()
	opt.Lib, opt.Path, opt.Listen, opt.DrainWait = enginetest.Library(t), path, "127.0.0.1:0", 2*time.Second
	opt.Args = []string{"engine", path}
	for _, w := range with {
		w(&opt)
	}
	reg := prometheus.NewRegistry()
	s := engine.NewSupervisor(opt, quiet, reg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("supervisor: %v", err)
		}
	})
	ready(t, s)
	return s, reg
}

func ready(t testing.TB, s *engine.Supervisor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

func gone(t testing.TB, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if !alive(pid) {
			return
		}
	}
	t.Fatalf("process %d is still there", pid)
}

// alive returns false for a process that has ended, also if its parent has not called wait.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // without /proc, only the result of the signal is known
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestKilledEngineComesBackWithEveryAcknowledgedRow(t *testing.T) {
	s, reg := supervised(t, t.TempDir())
	addr := s.Addr()
	sql(t, addr, "", "CREATE DATABASE k ENGINE = Atomic")
	sql(t, addr, "", "CREATE TABLE k.t (a UInt64) ENGINE = MergeTree ORDER BY a")
	var acked, next atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered := []string{"0"}
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				id := fmt.Sprint(next.Add(1))
				if enginetest.Exec(addr, "INSERT INTO k.t VALUES ("+id+")") != nil {
					time.Sleep(20 * time.Millisecond) // not acknowledged: stored or not
					continue
				}
				mu.Lock()
				answered = append(answered, id)
				mu.Unlock()
				acked.Add(1)
			}
		})
	}
	for round := range 3 {
		at := acked.Load()
		for acked.Load() < at+20 {
			time.Sleep(5 * time.Millisecond)
		}
		pid := s.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		gone(t, pid)
		for s.PID() == pid || s.PID() == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		ready(t, s)
		if s.Addr() != addr {
			t.Fatalf("address moved from %s to %s in round %d", addr, s.Addr(), round)
		}
	}
	at := acked.Load()
	for acked.Load() < at+20 {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	wg.Wait()
	// Rows are compared by id: a row that was stored without acknowledgement must not hide a lost one.
	here := sql(t, addr, "", "SELECT count(), uniqExact(a), countIf(a IN ("+strings.Join(answered, ",")+")) FROM k.t")
	var rows, distinct, kept int64
	if _, err := fmt.Sscan(here, &rows, &distinct, &kept); err != nil {
		t.Fatal(err)
	}
	if kept != acked.Load() || rows != distinct {
		t.Errorf("%d of %d acknowledged rows are there; %d rows, %d distinct", kept, acked.Load(), rows, distinct)
	}
	t.Logf("%d acknowledged, %d in doubt of which %d stored", acked.Load(), next.Load()-acked.Load(), rows-kept)
	want := `
# HELP flyball_engine_restarts_total Ends of the embedded ClickHouse engine that were not requested; each is followed by a start.
# TYPE flyball_engine_restarts_total counter
flyball_engine_restarts_total 3
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "flyball_engine_restarts_total"); err != nil {
		t.Error(err)
	}
}

func TestRequestDuringARestartWaitsInsteadOfBeingRefused(t *testing.T) {
	s, _ := supervised(t, t.TempDir())
	pid := s.PID()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	gone(t, pid)
	if got := sql(t, s.Addr(), "", "SELECT 7"); got != "7" {
		t.Errorf("got %q", got)
	}
}

func TestEngineEndsWithItsParentHoweverThatDies(t *testing.T) {
	lib := enginetest.Library(t)
	dir := t.TempDir()
	for _, c := range []struct {
		role string
		sig  syscall.Signal
	}{{"supervise", syscall.SIGKILL}, {"supervise", syscall.SIGTERM}, {"pipe", syscall.SIGKILL}} {
		parent, addr, child := parent(t, c.role, lib, dir)
		if sql(t, addr, "", "CREATE TABLE IF NOT EXISTS default.p (a UInt8) ENGINE = MergeTree ORDER BY a"); !alive(child) {
			t.Fatal("no child")
		}
		sql(t, addr, "", "INSERT INTO default.p VALUES (1)")
		_ = parent.Process.Signal(c.sig)
		_ = parent.Wait()
		gone(t, child)
	}
	// The next parent starts immediately, with all rows.
	parent, addr, child := parent(t, "supervise", lib, dir)
	if got := sql(t, addr, "", "SELECT count() FROM default.p"); got != "3" {
		t.Errorf("%s rows, wanted 3", got)
	}
	_ = parent.Process.Signal(syscall.SIGTERM)
	if err := parent.Wait(); err != nil {
		t.Errorf("parent on SIGTERM: %v", err)
	}
	gone(t, child)
}

// parent starts a process that supervises an engine.
func parent(t *testing.T, role, lib, dir string) (cmd *exec.Cmd, addr string, child int) {
	t.Helper()
	cmd = exec.Command(os.Args[0], role, dir)
	cmd.Env = append(os.Environ(), engine.EnvLib+"="+lib)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		rest, _ := io.ReadAll(out)
		t.Fatalf("parent said %q %q: %v", line, rest, err)
	}
	if _, err := fmt.Sscan(line, &addr, &child); err != nil {
		t.Fatalf("parent said %q: %v", line, err)
	}
	return cmd, addr, child
}

func TestTwoEnginesOnOneDirectoryIsAClearError(t *testing.T) {
	dir := t.TempDir()
	supervised(t, dir)
	opt := engine.DefaultOptions()
	opt.Lib, opt.Path, opt.Listen, opt.LockWait = enginetest.Library(t), dir, "127.0.0.1:0", 200*time.Millisecond
	opt.Args = []string{"engine", dir}
	err := engine.NewSupervisor(opt, quiet, nil).Run(t.Context())
	if !errors.Is(err, engine.ErrDataInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestEngineThatNeverStartsIsAnErrorAndNotALoop(t *testing.T) {
	enginetest.Library(t)
	dir := t.TempDir()
	lib := filepath.Join(dir, "libchdb.so")
	if err := os.WriteFile(lib, []byte("no library"), 0o755); err != nil {
		t.Fatal(err)
	}
	opt := engine.DefaultOptions()
	opt.Lib, opt.Path, opt.Listen, opt.Args = lib, filepath.Join(dir, "data"), "127.0.0.1:0", []string{"engine", filepath.Join(dir, "data")}
	err := engine.NewSupervisor(opt, quiet, nil).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "before it was ready") || !strings.Contains(err.Error(), lib) {
		t.Errorf("got %v", err)
	}
}

func TestCleanStopKeepsRowsAndStartsAgain(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s, _ := supervised(t, dir)
			sql(t, s.Addr(), "", "CREATE TABLE IF NOT EXISTS default.c (a UInt8) ENGINE = MergeTree ORDER BY a")
			r := send(t, s.Addr(), request{params: url.Values{"query": {"INSERT INTO default.c FORMAT TSV"}}, body: strings.NewReader("1\n")})
			if r.status != 200 {
				t.Fatal(r.body)
			}
			if got := sql(t, s.Addr(), "", "SELECT count() FROM default.c"); got != fmt.Sprint(i+1) {
				t.Errorf("%s rows, wanted %d", got, i+1)
			}
		})
	}
}

func TestPasswordIsAskedWhenThereIsOne(t *testing.T) {
	dir := t.TempDir()
	s, _ := supervised(t, dir, func(o *engine.Options) { o.User, o.Password = "reader", "s3cret word" })
	for _, c := range []struct {
		user, pass string
		status     int
		code       string
	}{{"", "", 401, "194"}, {"reader", "", 401, "194"}, {"reader", "wrong", 403, "516"}, {"other", "s3cret word", 403, "516"},
		{"reader", "s3cret word", 200, ""}} {
		got := send(t, s.Addr(), request{header: map[string]string{"X-ClickHouse-User": c.user, "X-ClickHouse-Key": c.pass},
			body: strings.NewReader("SELECT 1")})
		if got.status != c.status || got.header.Get("X-ClickHouse-Exception-Code") != c.code || strings.Contains(got.body, "s3cret") {
			t.Errorf("%q %q: %d %s", c.user, c.pass, got.status, got.body)
		}
	}
	conn := open(t, s.Addr(), "default", func(o *clickhouse.Options) { o.Auth.Username, o.Auth.Password = "reader", "s3cret word" })
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestListeningToOtherMachinesNeedsAPassword(t *testing.T) {
	opt := engine.DefaultOptions()
	opt.Path, opt.Listen = t.TempDir(), "0.0.0.0:0"
	err := engine.NewSupervisor(opt, quiet, nil).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "clickhouse.password_file") || !strings.Contains(err.Error(), "0.0.0.0:0") {
		t.Errorf("got %v", err)
	}
}
