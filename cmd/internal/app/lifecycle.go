package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// defaultStopTimeout is the maximum time that a part without its own stopTimeout may need to
// stop.
const defaultStopTimeout = 10 * time.Second

// part is a component that runs until its context ends.
type part struct {
	name        string
	run         func(ctx context.Context) error
	ready       func() error  // returns the reason why the part is not ready; a nil func is always ready
	warning     func() error  // returns what is wrong with a part that goes on nevertheless; may be nil
	stopTimeout time.Duration // 0: defaultStopTimeout
}

// group runs parts. They stop in the reverse order of their start.
type group struct {
	log *slog.Logger

	mu       sync.Mutex // not held while a part runs or stops, or while ready is called
	running  []*runningPart
	stopping bool

	ended    chan struct{} // closed when a part has ended before it was stopped
	endError error         // the first such end; written before ended is closed
	endOnce  sync.Once
}

type runningPart struct {
	part
	cancel context.CancelFunc
	done   chan struct{}
}

func newGroup(log *slog.Logger) *group { return &group{log: log, ended: make(chan struct{})} }

// start runs a part in the background. It does nothing when the group is being stopped.
func (g *group) start(p part) {
	// The context is not derived from the caller's: the group stops the parts in reverse order.
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningPart{part: p, cancel: cancel, done: make(chan struct{})}
	g.mu.Lock()
	if g.stopping {
		g.mu.Unlock()
		cancel()
		return
	}
	g.running = append(g.running, r)
	g.mu.Unlock()
	go func() {
		defer close(r.done)
		err := p.run(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				g.log.Warn("part stopped with an error", "part", p.name, "error", err)
			}
			return
		}
		if err == nil {
			err = errors.New("ended without being stopped")
		}
		g.endOnce.Do(func() {
			g.endError = fmt.Errorf("%s: %w", p.name, err)
			close(g.ended)
		})
	}()
}

// wait returns nil when ctx ends, or the error of the first part that ended before it was
// stopped.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-g.ended:
		return g.endError
	}
}

// waitReady waits until ready returns nil. It returns an error when ctx ends, when a part ends, and after timeout.
func (g *group) waitReady(ctx context.Context, ready func() error, timeout time.Duration) error {
	end := time.NewTimer(timeout)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.ended:
			return g.endError
		case <-end.C:
			return fmt.Errorf("%w in %s: %w", errNotReadyInTime, timeout, err)
		case <-tick.C:
		}
	}
}

// waitLong waits as waitReady does, without an end, and logs after each period what is not ready.
func (g *group) waitLong(ctx context.Context, ready func() error, period time.Duration) error {
	began := time.Now()
	for {
		err := g.waitReady(ctx, ready, period)
		if !errors.Is(err, errNotReadyInTime) {
			return err
		}
		g.log.Warn("not ready yet: still waiting, flyball status shows the parts", "after", time.Since(began).Round(time.Second), "error", err)
	}
}

// errNotReadyInTime is the error of waitReady after its timeout.
var errNotReadyInTime = errors.New("not ready")

// stop stops the parts in reverse order. If a part does not stop in time, stop logs it and
// continues with the next one.
func (g *group) stop() {
	g.mu.Lock()
	g.stopping = true
	running := g.running
	g.running = nil
	g.mu.Unlock()
	for _, r := range slices.Backward(running) {
		g.end(r)
	}
}

// end stops a part and waits for it, up to its time.
func (g *group) end(r *runningPart) {
	timeout := r.stopTimeout
	if timeout == 0 {
		timeout = defaultStopTimeout
	}
	r.cancel()
	select {
	case <-r.done:
		g.log.Debug("part stopped", "part", r.name)
	case <-time.After(timeout):
		g.log.Warn("part did not stop in time", "part", r.name, "timeout", timeout)
	}
}

// remove stops the part with a name while the others go on.
func (g *group) remove(name string) {
	g.mu.Lock()
	i := slices.IndexFunc(g.running, func(r *runningPart) bool { return r.name == name })
	if i < 0 {
		g.mu.Unlock()
		return
	}
	r := g.running[i]
	g.running = slices.Concat(g.running[:i], g.running[i+1:]) // a copy: states and stop read the list without the lock
	g.mu.Unlock()
	g.end(r)
}

// ready returns nil when every part is ready, otherwise the reason of the first part that is
// not.
func (g *group) ready() error { return firstNotReady(g.states()) }

func firstNotReady(states []PartState) error {
	for _, s := range states {
		if !s.Ready {
			return fmt.Errorf("%s: %s", s.Part, s.Reason)
		}
	}
	return nil
}

// states returns the states of all parts, in the order of their start.
func (g *group) states() []PartState {
	g.mu.Lock()
	running, stopping := slices.Clone(g.running), g.stopping
	g.mu.Unlock()
	if stopping {
		return []PartState{{Part: "stop", Reason: "the process is stopping"}}
	}
	out := []PartState{}
	for _, r := range running {
		s := PartState{Part: r.name, Ready: true}
		if r.ready != nil {
			if err := r.ready(); err != nil {
				s.Ready, s.Reason = false, err.Error()
			}
		}
		if r.warning != nil {
			if err := r.warning(); err != nil {
				s.Warning = err.Error()
			}
		}
		out = append(out, s)
	}
	return out
}

// loadingTime is how long after the start of a process a part may load what it knows without a warning.
const loadingTime = 15 * time.Second

// onceLoaded returns a warning that is silent in the first moments of a process: that a part still loads what it knows is no fault then.
func onceLoaded(began time.Time, warning func() error) func() error {
	return func() error {
		if time.Since(began) < loadingTime {
			return nil
		}
		return warning()
	}
}

// PartState is an entry in the response of /readyz.
type PartState struct {
	Part   string `json:"part"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // why the part is not ready
	// Warning is what is wrong with the part although it goes on: a process that answers gateways is
	// not taken out of service for it.
	Warning string `json:"warning,omitempty"`
}
