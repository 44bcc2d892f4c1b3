package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/cmd/internal/httpbody"
)

// ErrDataInUse is the error if another engine holds the data directory.
var ErrDataInUse = errors.New("data directory is in use by another engine")

// The supervisor passes two files to its child: a pipe that is closed when the parent ends, and the listener. With the listener the
// address stays the same over restarts, and clients wait in its queue and are not rejected.
const (
	envChild   = "FLYBALL_ENGINE_CHILD"
	fdParent   = 3
	fdListener = 4

	// The password is passed in the environment, because all users can read arguments.
	envUser     = "FLYBALL_ENGINE_USER"
	envPassword = "FLYBALL_ENGINE_PASSWORD"
)

// Serve runs the engine in this process until ctx or the parent ends. It is intended for a child process: the library's threads and
// memory are freed only when the process ends. Running statements have DrainWait to finish.
func Serve(ctx context.Context, opt Options, log *slog.Logger) error {
	opt = opt.withDefaults()
	if opt.Password == "" {
		opt.User, opt.Password = os.Getenv(envUser), os.Getenv(envPassword)
	}
	if err := opt.Validate(); err != nil {
		return err
	}
	if opt.Lib == "" {
		lib, err := Locate()
		if err != nil {
			return err
		}
		opt.Lib = lib
	}
	path, err := filepath.Abs(opt.Path)
	if err != nil {
		return err
	}
	opt.Path = path
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	ln, err := listener(opt, cancel)
	if err != nil {
		return err
	}
	defer ln.Close()
	unlock, err := lockData(ctx, opt)
	if err != nil {
		return err
	}
	defer unlock()
	h, err := start(opt)
	if err != nil {
		return err
	}
	s := newServer(h, log)
	srv := &http.Server{
		Handler:           bodyLimit.Handler(s),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    2 << 20, // URLs may contain queries
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("engine serves", "addr", ln.Addr().String(), "version", h.version, "path", opt.Path)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err = <-failed:
		err = fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
		err = nil
	}
	drain, stop := context.WithTimeout(context.Background(), opt.DrainWait)
	defer stop()
	if srv.Shutdown(drain) != nil {
		_ = srv.Close() // ends their contexts, which kills their statements
		s.waitRunning(5 * time.Second)
	}
	h.stop()
	return err
}

// bodyLimit is how long a client may keep a statement waiting for its text and data.
var bodyLimit = httpbody.Limit{Within: 30 * time.Second, BytesPerSecond: 4 << 10}

// waitRunning waits for handlers that still run after Close, because the engine must not be stopped while a connection is open. After
// limit it ends the process.
func (s *server) waitRunning(limit time.Duration) {
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		s.log.Warn("statements did not end in time, the engine is left as by a crash", "waited", limit)
		os.Exit(1)
	}
}

// listener opens the address. In a child of the supervisor it uses the inherited listener and starts to watch the parent.
func listener(opt Options, parentGone func()) (net.Listener, error) {
	if os.Getenv(envChild) == "" {
		ln, err := net.Listen("tcp", opt.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen on clickhouse.listen %s: %w", opt.Listen, err)
		}
		return ln, nil
	}
	go watchParent(os.NewFile(fdParent, "parent"), parentGone, opt.withDefaults().DrainWait)
	f := os.NewFile(fdListener, "listener")
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("take over the listener from the supervisor: %w", err)
	}
	return ln, nil
}

// watchParent blocks on a pipe that only the parent holds open for writing. The read returns when the parent ends for any reason, on all
// systems. The engine then has a short time to stop; after it the process exits.
func watchParent(pipe *os.File, gone func(), patience time.Duration) {
	_, _ = pipe.Read(make([]byte, 1))
	gone()
	time.Sleep(min(patience, 5*time.Second))
	os.Exit(1)
}

// lockData locks the data directory. It waits for a former engine for at most LockWait.
func lockData(ctx context.Context, opt Options) (unlock func(), err error) {
	if err := os.MkdirAll(opt.Path, 0o700); err != nil {
		return nil, fmt.Errorf("create engine data directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, opt.LockWait)
	defer cancel()
	name := filepath.Join(opt.Path, "engine.lock")
	unlock, err = lockFile(ctx, name)
	if errors.Is(err, errLocked) {
		pid, _ := os.ReadFile(name)
		return nil, fmt.Errorf("%w: %s is held by process %s: stop it, or choose another --data", ErrDataInUse, opt.Path,
			strings.TrimSpace(string(pid)))
	}
	if err != nil {
		return nil, err
	}
	_ = os.WriteFile(name, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644)
	return unlock, nil
}
