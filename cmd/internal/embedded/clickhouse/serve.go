package clickhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
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

	// Numbers of the files of a second listener and of the pipe with the options of Hand, if there are any. The second name is that of the
	// releases before: a running parent of such a release can start this binary.
	envReadListener = "FLYBALL_ENGINE_READ_LISTENER"
	envAccess       = "FLYBALL_ENGINE_DOORS"
)

// IsChild reports whether a supervisor started this process.
func IsChild() bool { return os.Getenv(envChild) != "" }

// Serve runs the engine in this process until ctx or the parent ends. It is intended for a child process: the library's threads and
// memory are freed only when the process ends. Running statements have DrainWait to finish.
func Serve(ctx context.Context, opt Options, log *slog.Logger) error {
	opt = opt.withDefaults()
	if err := opt.takeAccess(); err != nil {
		return err
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
	readers, err := readListener(opt)
	if err != nil {
		return err
	}
	unlock, err := lockData(ctx, opt)
	if err != nil {
		return err
	}
	defer unlock()
	h, err := start(opt)
	if err != nil {
		return err
	}
	log.Info("engine serves", "addr", ln.Addr().String(), "version", h.version, "path", opt.Path)
	s := newServer(h, log)
	err = s.serveListeners(ctx, ln, readers)
	h.stop()
	return err
}

// bodyLimit is how long a client may keep a statement waiting for its text and data.
var bodyLimit = httpbody.Limit{Within: 30 * time.Second, BytesPerSecond: 4 << 10}

// serveListeners serves both listeners until ctx ends or one of them fails. readers may be nil. No statement runs when it returns.
func (s *server) serveListeners(ctx context.Context, ln, readers net.Listener) error {
	failed := make(chan error, 2)
	open := func(ln net.Listener, readOnly bool) *http.Server {
		srv := &http.Server{
			Handler:           bodyLimit.Handler(endpoint{s, readOnly}),
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    2 << 20, // URLs may contain queries
			ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		go func() { failed <- fmt.Errorf("serve %s: %w", ln.Addr(), srv.Serve(ln)) }()
		return srv
	}
	servers := []*http.Server{open(ln, false)}
	if readers != nil {
		servers = append(servers, open(readers, true))
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	drain, stop := context.WithTimeout(context.Background(), s.h.opt.DrainWait)
	defer stop()
	killed := false
	for _, srv := range servers {
		if srv.Shutdown(drain) != nil {
			_ = srv.Close() // ends their contexts, which kills their statements
			killed = true
		}
	}
	if killed {
		s.waitRunning(5 * time.Second)
	}
	return err
}

// takeAccess reads the options that the parent handed over, if it did.
func (o *Options) takeAccess() error {
	fd, err := strconv.Atoi(os.Getenv(envAccess))
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "access")
	defer f.Close()
	var d accessOptions
	if err := json.NewDecoder(f).Decode(&d); err != nil {
		return fmt.Errorf("read the options of the supervisor: %w", err)
	}
	o.User, o.Password, o.AnonymousReads, o.ReadListen, o.Databases = d.User, d.Password, d.AnonymousReads, d.ReadListen, d.Databases
	return nil
}

// readListener opens the readers' address or takes over the inherited one. It is nil without an address.
func readListener(opt Options) (net.Listener, error) {
	if fd, err := strconv.Atoi(os.Getenv(envReadListener)); err == nil {
		f := os.NewFile(uintptr(fd), "readers")
		defer f.Close()
		ln, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("take over the readers' listener from the supervisor: %w", err)
		}
		return ln, nil
	}
	if opt.ReadListen == "" {
		return nil, nil
	}
	ln, err := net.Listen("tcp", opt.ReadListen)
	if err != nil {
		return nil, fmt.Errorf("listen on clickhouse.read_listen %s: %w", opt.ReadListen, err)
	}
	return ln, nil
}

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
	if !IsChild() {
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
func watchParent(pipe *os.File, gone func(), timeout time.Duration) {
	_, _ = pipe.Read(make([]byte, 1))
	gone()
	time.Sleep(min(timeout, 5*time.Second))
	os.Exit(1)
}

// lockData locks the data directory. It waits for a former engine for at most LockWait.
func lockData(ctx context.Context, opt Options) (unlock func(), err error) {
	if err := os.MkdirAll(opt.Path, 0o700); err != nil {
		return nil, fmt.Errorf("create engine data directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, opt.LockWait)
	defer cancel()
	name := filepath.Join(opt.Path, lockName)
	unlock, err = lockFile(ctx, name)
	if errors.Is(err, errLocked) {
		pid, _ := os.ReadFile(name)
		return nil, fmt.Errorf("%w: %s is held by process %s: stop it, or choose another --data", ErrDataInUse, opt.Path,
			strings.TrimSpace(string(pid)))
	}
	if err != nil {
		return nil, err
	}
	_ = os.WriteFile(name, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600)
	return unlock, nil
}
