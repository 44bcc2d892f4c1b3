// Package diskguard watches the free space of disks. When it becomes short it warns; when it becomes shorter, what can be done later
// is stopped by name: replays and back-fills. It never stops what judges calls and holds agents.
package diskguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Level is how short the space is.
type Level int

const (
	Enough Level = iota
	Warn
	Stop
)

func (l Level) String() string { return [...]string{"enough", "warn", "stop"}[l] }

// Reason is the name under which work is refused.
const Reason = "disk_guard"

// Space is what is free on a disk, in bytes.
type Space struct{ Free, Total int64 }

// Limits are the free bytes below which the levels begin, for a total.
type Limits struct{ Warn, Stop func(total int64) int64 }

// levelOf returns the level for a space. A level ends when there is a tenth more than at its beginning, so that it does not come and
// go with each record.
func levelOf(s Space, l Limits, before Level) Level {
	for level := Stop; level > Enough; level-- {
		limit := l.Stop(s.Total)
		if level == Warn {
			limit = max(l.Warn(s.Total), limit)
		}
		if before >= level {
			limit = endOf(limit, s.Total)
		}
		if s.Free < limit {
			return level
		}
	}
	return Enough
}

// endOf returns how much must be free for a level to end that begins below limit: a tenth more, but not more than a disk can have.
func endOf(limit, total int64) int64 { return limit + max(0, min(limit/10, (total-limit)/2)) }

// Disk is a disk that is watched.
type Disk struct {
	Name string // data, clickhouse
	Path string // for people; empty: not known
	Read func(context.Context) (Space, error)
}

// State is the state of a disk, as status shows it.
type State struct {
	Disk  string `json:"disk"`
	Path  string `json:"path,omitempty"`
	Level string `json:"level"` // enough, warn, stop; unknown: it could not be read
	Free  int64  `json:"free_bytes"`
	Total int64  `json:"total_bytes"`
	// Stopped names what does not go on at this level.
	Stopped []string `json:"stopped,omitempty"`
	// Until is how many bytes must be free for it to go on.
	Until int64  `json:"until_free_bytes,omitempty"`
	Error string `json:"error,omitempty"`

	level Level
}

// stopped is what the level stop stops.
var stopped = []string{"replay", "dead-letters replay"}

// Guard watches disks. It is safe for concurrent use.
type Guard struct {
	disks  []Disk
	limits Limits
	every  time.Duration
	log    *slog.Logger
	free   *prometheus.GaugeVec
	level  *prometheus.GaugeVec

	mu     sync.Mutex
	states []State
}

const (
	watchEvery  = 2 * time.Second
	readTimeout = 5 * time.Second
)

// New returns a guard that is not running.
func New(disks []Disk, limits Limits, log *slog.Logger, reg prometheus.Registerer) *Guard {
	g := &Guard{disks: disks, limits: limits, every: watchEvery, log: log,
		free: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_disk_guard_free_bytes",
			Help: "Free bytes of the disk of the data folder and of ClickHouse's."}, []string{"disk"}),
		level: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_disk_guard_level",
			Help: "0: enough space, 1: below disk.warn_free, 2: below disk.stop_free, replays and back-fills are stopped."}, []string{"disk"})}
	for _, d := range disks {
		g.states = append(g.states, State{Disk: d.Name, Path: d.Path, Level: "unknown"})
	}
	reg.MustRegister(g.free, g.level)
	return g
}

// Run watches until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	tick := time.NewTicker(g.every)
	defer tick.Stop()
	for {
		g.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads all disks once.
func (g *Guard) look(ctx context.Context) {
	for i, d := range g.disks {
		limit, cancel := context.WithTimeout(ctx, readTimeout)
		space, err := d.Read(limit)
		cancel()
		if ctx.Err() != nil {
			return
		}
		g.note(i, space, err)
	}
}

func (g *Guard) note(i int, space Space, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, name := &g.states[i], g.disks[i].Name
	if err != nil {
		// The level stays: a disk that cannot be asked has not become empty.
		if s.Error == "" {
			g.log.Warn("the free space of a disk cannot be read", "disk", name, "error", err)
		}
		s.Error = err.Error()
		return
	}
	before := s.level
	s.level = levelOf(space, g.limits, before)
	s.Free, s.Total, s.Level, s.Error, s.Stopped, s.Until = space.Free, space.Total, s.level.String(), "", nil, 0
	if s.level == Stop {
		s.Stopped, s.Until = stopped, endOf(g.limits.Stop(space.Total), space.Total)
	}
	g.free.WithLabelValues(name).Set(float64(space.Free))
	g.level.WithLabelValues(name).Set(float64(s.level))
	switch {
	case s.level > before:
		g.log.Warn("disk guard: too little space", "disk", name, "level", s.level.String(), "state", describe(s))
	case s.level < before:
		g.log.Info("disk guard: there is more space again", "disk", name, "level", s.level.String(), "free_bytes", space.Free,
			"resumed", before == Stop)
	}
}

func describe(s *State) string {
	text := fmt.Sprintf("%s (disk %s): %d MiB of %d MiB are free", s.Path, s.Disk, s.Free>>20, s.Total>>20)
	if s.level == Stop {
		return text + fmt.Sprintf(", below disk.stop_free: replays and back-fills are stopped until %d MiB are free; detection and enforcement "+
			"go on; free space, or lower clickhouse.retention", s.Until>>20)
	}
	return text + ", below disk.warn_free: free space, or lower clickhouse.retention"
}

// Warning returns what is wrong; nil: there is enough space. It takes no part out of service.
func (g *Guard) Warning() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []error
	for i := range g.states {
		if s := &g.states[i]; s.level > Enough {
			all = append(all, errors.New(describe(s)))
		}
	}
	return errors.Join(all...)
}

// States returns the states of all disks.
func (g *Guard) States() []State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]State{}, g.states...)
}

// Refusal returns why a replay or back-fill may not go on, from the states of a process; nil: it may.
func Refusal(states []State) error {
	for i := range states {
		if s := &states[i]; len(s.Stopped) > 0 {
			return fmt.Errorf("%s: %d MiB of %d MiB are free on the disk of %s (%s), below disk.stop_free: replays and back-fills are stopped "+
				"until %d MiB are free", Reason, s.Free>>20, s.Total>>20, s.Disk, s.Path, s.Until>>20)
		}
	}
	return nil
}

// Folder returns the function that reads the space of a folder's file system for a user who is not root.
func Folder(path string) func(context.Context) (Space, error) {
	return func(context.Context) (Space, error) {
		var s syscall.Statfs_t
		if err := syscall.Statfs(path, &s); err != nil {
			return Space{}, fmt.Errorf("%s: %w", path, err)
		}
		return Space{int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize)}, nil
	}
}
