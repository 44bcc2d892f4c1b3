// Package baselinestore reads the topic of published baselines and learned routes: once, up to the end that the topic
// has at that time, or continuously with a Watcher.
//
// It does not publish, and it does not wait for a version that is not published yet.
package baselinestore

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// ErrNotPublished means that no such version was published, or that it was withdrawn by a record without a value.
var ErrNotPublished = errors.New("no such baseline in " + wire.BaselinesTopic)

// LatestBaseline returns the last published version whose name is wanted, or ErrNotPublished.
func LatestBaseline(ctx context.Context, cfg kafka.Config, wanted func(version string) bool) (*baseline.Baseline, error) {
	last, err := latest(ctx, cfg, func(key string) bool { return wire.IsBaseline(key) && wanted(key) })
	if err != nil {
		return nil, err
	}
	return Decode(string(last.Key), last.Value)
}

// LatestRoutes returns a tenant's learned routes as they were last published, or ErrNotPublished.
func LatestRoutes(ctx context.Context, cfg kafka.Config, tenant string) (route.Learned, error) {
	last, err := latest(ctx, cfg, func(key string) bool { return key == wire.RoutesKey(tenant) })
	if err != nil {
		return route.Learned{}, err
	}
	return decodeRoutes(last.Value)
}

// LatestRouteOrders returns a tenant's orders about routes as they were last published, or ErrNotPublished.
func LatestRouteOrders(ctx context.Context, cfg kafka.Config, tenant string) (route.Orders, error) {
	var all route.Orders
	found := false
	_, err := readToEnd(ctx, cfg, func(r *kgo.Record) {
		if string(r.Key) != wire.RouteOrdersKey(tenant) || r.Value == nil {
			return
		}
		// A point that lags behind may write an older state after a newer one.
		if o, err := decodeRouteOrders(r.Value); err == nil && (!found || o.Generation >= all.Generation) {
			all, found = o, true
		}
	})
	if err == nil && !found {
		err = ErrNotPublished
	}
	return all, err
}

func decodeRouteOrders(value []byte) (route.Orders, error) {
	return wire.DecodeDocument[route.Orders](value, wire.RouteOrdersVersion)
}

func decodeRoutes(value []byte) (route.Learned, error) {
	return wire.DecodeDocument[route.Learned](value, wire.RoutesVersion)
}

func latest(ctx context.Context, cfg kafka.Config, wanted func(key string) bool) (*kgo.Record, error) {
	var found newest
	_, err := readToEnd(ctx, cfg, func(r *kgo.Record) {
		if wanted(string(r.Key)) {
			found.add(r)
		}
	})
	if err != nil {
		return nil, err
	}
	if found.record() == nil {
		return nil, ErrNotPublished
	}
	return found.record(), nil
}

// newest holds the last record and the one before it, which is the newest one when the last is withdrawn.
type newest []*kgo.Record

// add appends the next record of the topic. A record without a value withdraws the records with its key.
func (n *newest) add(r *kgo.Record) {
	if r.Value == nil {
		*n = slices.DeleteFunc(*n, func(f *kgo.Record) bool { return string(f.Key) == string(r.Key) })
		return
	}
	*n = append((*n)[max(len(*n)-1, 0):], r)
}

// record returns the newest record, or nil when there is none.
func (n newest) record() *kgo.Record {
	if len(n) == 0 {
		return nil
	}
	return n[len(n)-1]
}

// readToEnd calls each with the records of the topic and returns the offset of the next record that will be written. A
// topic that does not exist has no records.
func readToEnd(ctx context.Context, cfg kafka.Config, each func(*kgo.Record)) (next int64, err error) {
	ends, err := kafka.ReadToEnd(ctx, cfg, "baselines", wire.BaselinesTopic, nil, func(r *kgo.Record) error {
		each(r)
		return nil
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return 0, nil
	}
	return ends[0], err
}
