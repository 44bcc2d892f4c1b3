package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/detect/baselinestore"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// learnEvery is how often a process asks whether the routes have another version.
const learnEvery = 5 * time.Second

// learnedRoutes puts the operator's routes and the learned ones in place: those
// there are before anything is classified, another version when there is one. A
// version that cannot be had leaves the last in place.
func learnedRoutes(c config.Config, kafka []kgo.Opt, key identity.Key, current *route.Current, log *slog.Logger) func(context.Context) error {
	version, seen := "", int64(-1)
	look := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		end, err := baselinestore.End(ctx, kafka)
		if err != nil || end == seen {
			return err
		}
		seen = end
		learned, err := baselinestore.LatestRoutes(ctx, kafka, c.Tenant)
		if errors.Is(err, baselinestore.ErrNotPublished) || err == nil && learned.Version == version {
			return nil
		}
		if err != nil {
			return err
		}
		operator, err := operatorRules(c)
		if err != nil {
			return err
		}
		table, err := route.NewTable(route.Options{Version: learned.Version, Operator: append(operator, learned.Rules()...), DigestKey: key})
		if err != nil {
			return err
		}
		current.Put(table)
		version = learned.Version
		log.Info("routes in place", "version", version, "learned", len(learned.Collapsed))
		return nil
	}
	if err := look(context.Background()); err != nil {
		log.Warn("learned routes cannot be read; the operator's are in place", "error", err)
	}
	return func(ctx context.Context) error {
		return every(ctx, learnEvery, func() {
			if err := look(ctx); err != nil && ctx.Err() == nil {
				log.Warn("learned routes cannot be read; the last version stays", "error", err)
			}
		})
	}
}
