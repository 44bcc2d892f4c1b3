// Package enginetest provides a ClickHouse for tests: the embedded engine in a child process of the test binary, or the server in
// FLYBALL_TEST_CLICKHOUSE (host:port of its HTTP interface).
//
// Importing it is enough: the child is the test binary itself, and this package's init runs the engine in it. It is only for tests. It
// does not download the library. If the library is missing, the test is skipped, or fails if FLYBALL_REQUIRE_TIERS contains the tier
// "engine".
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
	envServe   = "FLYBALL_ENGINETEST_PATH"  // set in the child: serve this directory
	envUsers   = "FLYBALL_ENGINETEST_USERS" // set in the child: the file with the users and their rights
	envKeep    = "FLYBALL_ENGINETEST_KEEP"  // set in the child: keep this directory

	// Tier is the name of the tests that need the engine's library.
	Tier = "engine"
)

func init() {
	path := os.Getenv(envServe)
	if path == "" {
		return
	}
	// The child ends by the supervisor's pipe, not by ^C in a terminal.
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	opt := engine.DefaultOptions()
	opt.Path = path
	opt.Lib = os.Getenv(engine.EnvLib)
	opt.Databases = []string{"*"}
	opt.Memory = 2 << 30
	opt.DrainWait = 2 * time.Second
	opt.Config = clusterConfig
	if users := os.Getenv(envUsers); users != "" {
		opt.Config = "<users_config>" + users + "</users_config>" + opt.Config
	}
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

// Start returns host:port of a ClickHouse HTTP interface. The embedded engine is started once per test binary and ends with it. Each test
// uses its own database (Database).
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

// Outside reports whether Start uses a server that was started elsewhere. Tests use it to skip what only the embedded engine supports.
func Outside() bool { return os.Getenv(envOutside) != "" }

// Library returns the path of the engine's library. It skips the test, or fails it, if the library is missing.
func Library(t testing.TB) string {
	t.Helper()
	lib, err := Locate()
	if err != nil {
		tiers.Missing(t, Tier, err)
	}
	tiers.Ran(Tier)
	return lib
}
