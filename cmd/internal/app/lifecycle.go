package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// part is something that runs until its context ends.
type part struct {
	name  string
	run   func(ctx context.Context) error
	ready func() error  // nil error: ready; a nil func is always ready
	bound time.Duration // how long its end may take; 0 is 10 s
}

// group runs parts. They stop in the reverse order of their start.
type group struct {
	log     *slog.Logger
	mu      sync.Mutex
	running []*running
	died    chan error
}

type running struct {
	part
	cancel context.CancelFunc
	done   chan struct{}
}

func newGroup(log *slog.Logger) *group { return &group{log: log, died: make(chan error, 1)} }

// start runs a part in the background.
func (g *group) start(p part) {
	// A part ends when it is told to, not when the process is: the order of
	// stopping is this group's.
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{part: p, cancel: cancel, done: make(chan struct{})}
	g.mu.Lock()
	g.running = append(g.running, r)
	g.mu.Unlock()
	go func() {
		defer close(r.done)
		err := p.run(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				g.log.Warn("part did not end cleanly", "part", p.name, "error", err)
			}
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		select {
		case g.died <- fmt.Errorf("%s: %w", p.name, err):
		default:
		}
	}()
}

// wait returns when ctx ends, with nil, or when a part has died, with its name.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-g.died:
		return err
	}
}

// stop ends the parts in reverse. One that does not end within its bound is
// given up, by name.
func (g *group) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := len(g.running) - 1; i >= 0; i-- {
		r := g.running[i]
		bound := r.bound
		if bound == 0 {
			bound = 10 * time.Second
		}
		r.cancel()
		select {
		case <-r.done:
			g.log.Debug("part stopped", "part", r.name)
		case <-time.After(bound):
			g.log.Warn("part given up: it did not end in time", "part", r.name, "bound", bound)
		}
	}
	g.running = nil
}

// ready is nil when every part is, else the first that is not.
func (g *group) ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.running {
		if r.ready == nil {
			continue
		}
		if err := r.ready(); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// states are all parts with what keeps them from being ready.
func (g *group) states() []PartState {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := []PartState{}
	for _, r := range g.running {
		s := PartState{Part: r.name, Ready: true}
		if r.ready != nil {
			if err := r.ready(); err != nil {
				s.Ready, s.Reason = false, err.Error()
			}
		}
		out = append(out, s)
	}
	return out
}

// PartState is a line of /readyz.
type PartState struct {
	Part   string `json:"part"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// until waits for a part to be ready before the next one starts.
func until(ctx context.Context, g *group, ready func() error, within time.Duration) error {
	end := time.NewTimer(within)
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
		case died := <-g.died:
			return died
		case <-end.C:
			return fmt.Errorf("not ready in %s: %w", within, err)
		case <-tick.C:
		}
	}
}
