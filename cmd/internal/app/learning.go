package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// learningAgents says whose baseline is learning, by the last version that can be
// read: everybody's before the first.
func learningAgents(c config.Config, kafka []kgo.Opt, log *slog.Logger) (func(agent string) bool, func(context.Context) error) {
	var current atomic.Pointer[baseline.Baseline]
	seen := int64(-1)
	look := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		end, err := baselinestore.End(ctx, kafka)
		if err != nil || end == seen {
			return err
		}
		body, err := baselinestore.LatestBaseline(ctx, kafka, func(v string) bool { return baselinestore.VersionTenant(v) == c.Tenant })
		if err == nil {
			// States are all that is asked of it.
			current.Store(&baseline.Baseline{Version: body.Version, Status: body.Status})
		}
		if err == nil || errors.Is(err, baselinestore.ErrNotPublished) {
			seen, err = end, nil
		}
		return err
	}
	of := func(agent string) bool {
		body := current.Load()
		if body == nil {
			return true
		}
		state, _ := body.AgentState(agent)
		return state == schema.BaselineLearning
	}
	return of, func(ctx context.Context) error {
		at := func() {
			if err := look(ctx); err != nil && ctx.Err() == nil {
				log.Warn("states of baselines cannot be read; the last ones hold", "error", err)
			}
		}
		at()
		return every(ctx, learnEvery, at)
	}
}
