package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// baselines reads published baselines by version. It is safe for concurrent use.
type baselines struct {
	kafka []kgo.Opt

	mu    sync.Mutex
	known map[string]*baseline.Baseline
	// unused is the last version that was to be activated and cannot be used, and why; nil: none is newer than those in use.
	unused *unusedBaseline
}

// unusedBaseline is a version that could not be activated.
type unusedBaseline struct {
	version string
	err     error
}

// setUnused remembers that a version cannot be used.
func (b *baselines) setUnused(version string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unused = &unusedBaseline{version, err}
}

// setUsed forgets a version that could not be used, once a later one is active.
func (b *baselines) setUsed(version string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unused != nil && version >= b.unused.version {
		b.unused = nil
	}
}

// Warning returns an error while the newest baseline cannot be used and scoring goes on by one before it; nil otherwise.
func (e *Engine) Warning() error {
	e.baselines.mu.Lock()
	defer e.baselines.mu.Unlock()
	u := e.baselines.unused
	switch {
	case u == nil:
		return nil
	case errors.Is(u.err, wire.ErrNewerVersion):
		return fmt.Errorf("baseline %s was made by a newer version of Flyball and is not used, scoring goes on by the one before it: upgrade "+
			"this binary, or run flyball learn --once", u.version)
	}
	return fmt.Errorf("baseline %s is not used, scoring goes on by the one before it: run flyball learn --once (%w)", u.version, u.err)
}

const keptBaselines = 4

// get returns the published baseline of a version.
func (b *baselines) get(ctx context.Context, version string) (*baseline.Baseline, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body := b.known[version]; body != nil {
		return body, nil
	}
	body, err := baselinestore.LatestBaseline(ctx, kafka.Config{Options: b.kafka}, func(v string) bool { return v == version })
	if err != nil {
		return nil, fmt.Errorf("baseline %s: %w", version, err)
	}
	if len(b.known) >= keptBaselines {
		clear(b.known)
	}
	b.known[version] = body
	return body, nil
}

// before returns the latest usable version before a version.
func (b *baselines) before(ctx context.Context, version string) (*baseline.Baseline, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return baselinestore.VersionBefore(ctx, kafka.Config{Options: b.kafka}, version)
}

// activate makes the detectors score by the version that the marks name. If that version is
// missing, or this binary cannot use it, the last one stays active (after a restart: the version
// before it), and the partition continues.
func (w *worker) activate(ctx context.Context) error {
	version := w.log.now.versions["baseline"]
	if version == "" || version == w.detectors.Baseline() {
		return nil
	}
	body, err := w.baselines.get(ctx, version)
	switch {
	case err == nil:
		w.detectors.Activate(body)
		w.baselines.setUsed(version)
		return nil
	case errors.Is(err, baselinestore.ErrNotPublished):
		w.baselines.setUnused(version, err)
		w.m.missingBaselines.Inc()
		w.cfg.Logger.Error("scoring goes on by the last baseline; run flyball learn --once",
			"partition", w.part, "version", version, "error", err)
	case unusable(err):
		w.baselines.setUnused(version, err)
		w.m.refusedBaselines.Inc()
		w.cfg.Logger.Error("scoring goes on by the last baseline; upgrade this binary, or run flyball learn --once",
			"partition", w.part, "version", version, "error", err)
	default:
		return fmt.Errorf("activate a baseline in partition %d: %w", w.part, err)
	}
	if w.detectors.Baseline() != "" {
		return nil
	}
	switch body, err = w.baselines.before(ctx, version); {
	case err == nil:
		w.detectors.Activate(body)
	case !errors.Is(err, baselinestore.ErrNotPublished):
		return fmt.Errorf("activate a baseline in partition %d: %w", w.part, err)
	}
	return nil
}

// unusable reports whether a baseline exists but this binary cannot score by it.
func unusable(err error) bool {
	return errors.Is(err, wire.ErrNewerVersion) || errors.Is(err, wire.ErrMalformed) || errors.Is(err, baseline.ErrUnsound)
}
