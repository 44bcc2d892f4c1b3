// Package enginetest gives tests a ClickHouse to talk to: the embedded engine
// in a child process of the test binary, or the server that
// FLYBALL_TEST_CLICKHOUSE names (host:port of its HTTP interface).
//
// Importing it is enough: the child is the test binary itself, caught in this
// package's init. It refuses to be imported outside of tests, to fetch the
// library (a test downloads nothing), and to fail where the library is missing
// unless FLYBALL_REQUIRE_TIERS asks for the tier "engine".
package enginetest

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/cmd/internal/tiers"
)

const (
	envOutside = "FLYBALL_TEST_CLICKHOUSE"
	envServe   = "FLYBALL_ENGINETEST_PATH" // set in the child: serve this directory
	envKeep    = "FLYBALL_ENGINETEST_KEEP" // and leave it there

	// Tier is the name of the tests that need the engine's library.
	Tier = "engine"
)

func init() {
	path := os.Getenv(envServe)
	if path == "" {
		return
	}
	// The child goes by the supervisor's pipe, not by the terminal's ^C.
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	opt := engine.DefaultOptions()
	opt.Path = path
	opt.Lib = os.Getenv(engine.EnvLib)
	opt.Memory = 2 << 30
	opt.DrainWait = 2 * time.Second
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	err := engine.Serve(ctx, opt, log)
	if os.Getenv(envKeep) == "" {
		_ = os.RemoveAll(path)
	}
	if err != nil {
		log.Error("engine", "err", err)
		os.Exit(1)
	}
	os.Exit(0)
}

var shared struct {
	sync.Mutex
	addr string
	err  error
}

// Start returns host:port of a ClickHouse HTTP interface. The embedded engine
// is started once per test binary and ends with it; tests keep apart by
// databases of their own (Database).
func Start(t testing.TB) (addr string) {
	t.Helper()
	if a := os.Getenv(envOutside); a != "" {
		tiers.Ran(Tier)
		return a
	}
	lib := Library(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.addr == "" && shared.err == nil {
		shared.addr, shared.err = launch(lib)
	}
	if shared.err != nil {
		t.Fatalf("start the engine: %v", shared.err)
	}
	return shared.addr
}

// Outside says whether Start names a server that was started elsewhere. A test skips by
// it what is the embedded engine's own.
func Outside() bool { return os.Getenv(envOutside) != "" }

// Library returns the engine's library, or skips the test.
func Library(t testing.TB) string {
	t.Helper()
	lib, err := Locate()
	if err != nil {
		tiers.Missing(t, Tier, err)
	}
	tiers.Ran(Tier)
	return lib
}
