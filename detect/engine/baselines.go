package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baseline"
	"flyball/detect/published"
)

// baselines reads published baselines by version. It is safe for concurrent use.
type baselines struct {
	kafka []kgo.Opt

	mu    sync.Mutex
	known map[string]*baseline.Body
}

const keptBaselines = 4

// get is a version of what was published.
func (b *baselines) get(ctx context.Context, version string) (*baseline.Body, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body := b.known[version]; body != nil {
		return body, nil
	}
	body, err := published.Baseline(ctx, b.kafka, func(v string) bool { return v == version })
	if err != nil {
		return nil, fmt.Errorf("baseline %s: %w", version, err)
	}
	if len(b.known) >= keptBaselines {
		clear(b.known)
	}
	b.known[version] = body
	return body, nil
}

// activate makes the version that the marks name the one to score by. A version
// that is gone leaves the last one in place: a partition goes on.
func (w *worker) activate(ctx context.Context) error {
	version := w.now.versions["baseline"]
	if version == "" || w.judging.model != nil && w.judging.model.Body.Version == version {
		return nil
	}
	body, err := w.baselines.get(ctx, version)
	switch {
	case errors.Is(err, published.ErrNone):
		w.m.missingBaselines.Inc()
		w.cfg.Logger.Error("scoring goes on by the last baseline; run flyball learn --once", "partition", w.part, "version", version, "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("activate a baseline in partition %d: %w", w.part, err)
	}
	w.judging.use(body)
	return nil
}
