// Package baselinestore reads baselines and learned routes from the topic they are published to.
//
// It refuses to wait for one that is not there yet.
package baselinestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// ErrNotPublished means that no such baseline was published, or that it is gone.
var ErrNotPublished = errors.New("no such baseline in " + wire.BaselinesTopic)

// LatestBaseline reads the topic up to its end as of now and returns the last version
// that is wanted.
func LatestBaseline(ctx context.Context, kafka []kgo.Opt, wanted func(version string) bool) (*baseline.Baseline, error) {
	last, err := lastOf(ctx, kafka, func(key string) bool { return wire.IsBaseline(key) && wanted(key) })
	if err != nil {
		return nil, err
	}
	return Decode(string(last.Key), last.Value)
}

// LatestRoutes are a tenant's learned routes as they were last published.
func LatestRoutes(ctx context.Context, kafka []kgo.Opt, tenant string) (route.Learned, error) {
	last, err := lastOf(ctx, kafka, func(key string) bool { return key == wire.RoutesKey(tenant) })
	if err != nil {
		return route.Learned{}, err
	}
	return wire.DecodeDocument[route.Learned](last.Value, wire.RoutesVersion)
}

// lastOf reads the topic up to its end as of now: the last record that is wanted.
// A record without a value takes those of its key before it away.
func lastOf(ctx context.Context, kafka []kgo.Opt, wanted func(key string) bool) (*kgo.Record, error) {
	var found []*kgo.Record
	err := each(ctx, kafka, func(r *kgo.Record) {
		switch {
		case !wanted(string(r.Key)):
		case r.Value == nil:
			found = slices.DeleteFunc(found, func(f *kgo.Record) bool { return string(f.Key) == string(r.Key) })
		default:
			found = append(found[max(len(found)-1, 0):], r) // one before the last, in case the last is taken away
		}
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotPublished
	}
	return found[len(found)-1], nil
}

// each reads the topic up to its end as of now.
func each(ctx context.Context, kafka []kgo.Opt, take func(*kgo.Record)) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{wire.BaselinesTopic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, wire.BaselinesTopic)
	if err != nil {
		return fmt.Errorf("look up %s: %w", wire.BaselinesTopic, err)
	}
	end, _ := ends.Lookup(wire.BaselinesTopic, 0)
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, f := range fetches.Errors() {
			return fmt.Errorf("read %s: %w", wire.BaselinesTopic, f.Err)
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			take(r)
		}
	}
	return nil
}

// End is how far the topic reaches: where it has not moved, nothing is new.
func End(ctx context.Context, kafka []kgo.Opt) (int64, error) {
	client, err := kgo.NewClient(kafka...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, wire.BaselinesTopic)
	if err != nil {
		return 0, fmt.Errorf("look up %s: %w", wire.BaselinesTopic, err)
	}
	end, _ := ends.Lookup(wire.BaselinesTopic, 0)
	return end.Offset, end.Err
}
