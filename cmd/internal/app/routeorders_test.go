package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// An order that only the fold of a point knows would change the route at the check, and not in the logs.
func TestOrderAboutARouteStaysAtThePoint(t *testing.T) {
	cluster := kafkatest.Start(t, kfake.SeedTopics(1, wire.BaselinesTopic))
	cfg := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Metrics: kafka.NewMetrics(prometheus.NewRegistry())}
	log := slog.New(slog.DiscardHandler)

	var folded atomic.Pointer[route.Orders]
	var published atomic.Uint64
	folded.Store(&route.Orders{})
	seen := make(chan route.Orders, 8)
	watcher := baselinestore.NewWatcher(cfg, "t", log)
	watcher.OnRouteOrders(func(o route.Orders) error {
		published.Store(o.Generation)
		seen <- o
		return nil
	})
	publisher := ordersPublisher{kafka: cfg, tenant: "t", log: log, published: published.Load,
		folded: func() route.Orders { return *folded.Load() }}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- watcher.Run(ctx) }()
	go func() { done <- publisher.run(ctx) }()

	pinned := route.Orders{Generation: 3, Orders: []route.Order{{Slot: route.Slot{Method: "GET", Template: "/items/sale"}, Pinned: true}}}
	folded.Store(&pinned)
	if o := <-seen; o.Generation != 3 || len(o.Orders) != 1 || !o.Orders[0].Pinned || o.Orders[0].String() != "GET /items/sale" {
		t.Errorf("%+v", o)
	}
	folded.Store(&route.Orders{Generation: 2}) // of a point that lags behind
	folded.Store(&route.Orders{Generation: 5, Orders: []route.Order{}})
	if o := <-seen; o.Generation != 5 || len(o.Orders) != 0 {
		t.Errorf("a cleared order stays: %+v", o)
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
