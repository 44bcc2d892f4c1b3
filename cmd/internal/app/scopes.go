package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/detect/baselinestore"
	"flyball/detect/model/scope"
)

// scopes are those that were learned, as they stand now. The guard is nil where
// nothing was published, or where they are not to be looked at.
type scopes struct {
	guard  atomic.Pointer[scope.Guard]
	follow func(context.Context) error
}

// learnedScopes puts the scopes of the newest baseline in place: those there are
// before anything is asked, another version when there is one. A baseline that
// cannot be had leaves the last in place.
func learnedScopes(c config.Config, kafka []kgo.Opt, log *slog.Logger) *scopes {
	s := &scopes{}
	if c.Detect.LearnedScope == "off" {
		s.follow = func(ctx context.Context) error { <-ctx.Done(); return nil }
		return s
	}
	version, seen := "", int64(-1)
	look := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		end, err := baselinestore.End(ctx, kafka)
		if err != nil || end == seen {
			return err
		}
		body, err := baselinestore.LatestBaseline(ctx, kafka, func(v string) bool { return strings.HasPrefix(v, c.Tenant+"/") })
		if err != nil && !errors.Is(err, baselinestore.ErrNotPublished) {
			return err
		}
		seen = end
		if err != nil || body.Version == version {
			return nil
		}
		s.guard.Store(scope.NewGuard(body.Scopes))
		version = body.Version
		log.Info("learned scopes in place", "version", version, "known", body.Scopes != nil)
		return nil
	}
	if err := look(context.Background()); err != nil {
		log.Warn("learned scopes cannot be read; writes are not held by them", "error", err)
	}
	s.follow = func(ctx context.Context) error {
		return every(ctx, learnEvery, func() {
			if err := look(ctx); err != nil && ctx.Err() == nil {
				log.Warn("learned scopes cannot be read; the last version stays", "error", err)
			}
		})
	}
	return s
}
