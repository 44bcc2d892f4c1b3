package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Supervisor keeps one engine running in a child process. The supervisor opens the address and each child inherits it. The address
// therefore never changes, and a client that connects during a restart waits and is not rejected.
type Supervisor struct {
	opt   Options
	log   *slog.Logger
	m     *metrics
	ready readiness

	mu       sync.Mutex
	addr     string
	readAddr string
	pid      int
}

const (
	backoffMin = 200 * time.Millisecond
	backoffMax = 15 * time.Second
	// healthyAfter is how long an engine must have run before the back-off is reset.
	healthyAfter = time.Minute
	// maxFailedStarts is the number of failed starts, without a successful one before, after which Run returns an error.
	maxFailedStarts = 4
	startLimit      = 2 * time.Minute
)

// NewSupervisor returns a supervisor that is not running. Run starts it.
func NewSupervisor(opt Options, log *slog.Logger, reg prometheus.Registerer) *Supervisor {
	return &Supervisor{opt: opt.withDefaults(), log: log.With("component", "engine"), m: newMetrics(reg)}
}

// Ready reports whether the engine answers queries now.
func (s *Supervisor) Ready() bool { on, _ := s.ready.get(); return on }

// WaitReady waits until Ready is true or ctx ends.
func (s *Supervisor) WaitReady(ctx context.Context) error {
	if err := s.ready.wait(ctx); err != nil {
		return fmt.Errorf("wait for the embedded ClickHouse engine: %w", err)
	}
	return nil
}

// Addr returns host:port of the engine's HTTP interface. It is empty until Run has opened it.
func (s *Supervisor) Addr() string { s.mu.Lock(); defer s.mu.Unlock(); return s.addr }

// ReadAddr returns host:port where nobody writes; empty without one, or until Run has opened it.
func (s *Supervisor) ReadAddr() string { s.mu.Lock(); defer s.mu.Unlock(); return s.readAddr }

// PID returns the process id of the running child, or 0 if none runs.
func (s *Supervisor) PID() int { s.mu.Lock(); defer s.mu.Unlock(); return s.pid }

// listen opens the address. The engine of a former process may hold it for a short time.
func (s *Supervisor) listen(ctx context.Context, exe string) (*Child, error) {
	for end := time.Now().Add(s.opt.LockWait); ; {
		child, err := s.newChild(exe)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return child, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// newChild opens the listeners.
func (s *Supervisor) newChild(exe string) (*Child, error) {
	child, err := NewChild(exe, s.opt.Listen, s.opt.Args...)
	if err != nil {
		return nil, err
	}
	if s.opt.ReadListen != "" {
		if err := child.ListenForReaders(s.opt.ReadListen); err != nil {
			child.Close()
			return nil, err
		}
	}
	child.Hand(s.opt)
	return child, nil
}

// Run starts the engine and restarts it when it ends, until ctx ends. It returns an error when the engine cannot be started: the library
// is missing, another engine holds the data directory, the address is in use, or the child ends several times before it was ready once.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := s.prepare(); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this executable: %w", err)
	}
	// The engine of a killed process ends too, but not immediately.
	if err := waitFree(ctx, s.opt.Path, s.opt.LockWait); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	child, err := s.listen(ctx, exe)
	if err != nil {
		return err
	}
	defer child.Close()
	s.mu.Lock()
	s.addr, s.readAddr = child.Addr(), child.ReadAddr()
	s.mu.Unlock()
	return s.keepRunning(ctx, child)
}

// prepare checks the options and finds the library.
func (s *Supervisor) prepare() error {
	if err := s.opt.Validate(); err != nil {
		return err
	}
	path, err := filepath.Abs(s.opt.Path)
	if err != nil {
		return err
	}
	s.opt.Path = path
	if s.opt.Lib == "" {
		s.opt.Lib, err = Locate()
	}
	return err
}

// keepRunning runs children one after another, with a growing pause between them.
func (s *Supervisor) keepRunning(ctx context.Context, child *Child) error {
	pause, failed, everReady := backoffMin, 0, false
	for {
		begun := time.Now()
		wasReady, err := s.once(ctx, child)
		if ctx.Err() != nil {
			return nil
		}
		everReady = everReady || wasReady
		if wasReady {
			failed = 0
		} else if failed++; failed >= maxFailedStarts && !everReady {
			return fmt.Errorf("the embedded ClickHouse engine ended %d times before it was ready: %w", failed, err)
		}
		if wasReady && time.Since(begun) >= healthyAfter {
			pause = backoffMin
		}
		s.m.restarts.Inc()
		s.log.Error("engine ended, starting it again", "err", err, "in", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, backoffMax)
	}
}

// once runs one child to its end. wasReady reports whether it answered queries.
func (s *Supervisor) once(ctx context.Context, child *Child) (wasReady bool, err error) {
	output := new(tail)
	cmd := child.Command()
	cmd.Env = append(cmd.Env, EnvLib+"="+s.opt.Lib)
	cmd.Env = append(cmd.Env, s.opt.Env...)
	cmd.Stderr = io.MultiWriter(os.Stderr, output)
	p, err := spawn(cmd)
	child.Started()
	if err != nil {
		return false, fmt.Errorf("start the engine: %w", err)
	}
	s.m.starts.Inc()
	s.setPID(cmd.Process.Pid)
	begun := time.Now()
	defer func() {
		s.ready.set(false)
		s.m.ready.Set(0)
		s.setPID(0)
	}()

	probing, stopProbing := context.WithTimeout(ctx, startLimit)
	answered := make(chan error, 1)
	go func() { answered <- s.probe(probing, child.Addr()) }()
	settle := func() { stopProbing(); <-answered }
	for {
		select {
		case err := <-answered:
			stopProbing()
			settle = func() {}
			answered = nil
			if err == nil {
				wasReady = true
				s.ready.set(true)
				s.m.ready.Set(1)
				s.log.Info("engine ready", "addr", child.Addr(), "pid", cmd.Process.Pid, "after", time.Since(begun).Round(time.Millisecond))
			} else if ctx.Err() == nil {
				s.log.Error("engine does not answer, killing it", "after", startLimit)
				_ = cmd.Process.Kill()
			}
		case err := <-p.exited:
			settle()
			return wasReady, exitError(err, output)
		case <-ctx.Done():
			settle()
			return wasReady, s.end(p)
		}
	}
}

// end sends SIGTERM to the child and kills it if it does not end in time.
func (s *Supervisor) end(p *process) error {
	p.terminate()
	t := time.NewTimer(s.opt.DrainWait + 7*time.Second)
	defer t.Stop()
	select {
	case err := <-p.exited:
		return err
	case <-t.C:
		s.log.Warn("engine does not end in time, killing it")
		p.kill()
		return <-p.exited
	}
}

func (s *Supervisor) setPID(pid int) { s.mu.Lock(); s.pid = pid; s.mu.Unlock() }

// probe sends a query until it is answered or ctx ends.
func (s *Supervisor) probe(ctx context.Context, addr string) error {
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 5 * time.Second}
	u := "http://" + addr + "/?query=" + url.QueryEscape("SELECT 1")
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
		if err != nil {
			return err
		}
		if s.opt.Password != "" {
			req.SetBasicAuth(s.opt.User, s.opt.Password)
		}
		if resp, err := client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func exitError(err error, output *tail) error {
	if err == nil {
		err = errors.New("it ended by itself")
	}
	if text := output.String(); text != "" {
		return fmt.Errorf("%w; it said: %s", err, text)
	}
	return err
}
