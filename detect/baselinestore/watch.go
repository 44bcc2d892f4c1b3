package baselinestore

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// watchPause is how long a Watcher waits before it reads again after an error.
const watchPause = 5 * time.Second

// Watcher reads what is published for one tenant and calls the subscribers, with one client and one goroutine for all of
// them. It logs a version that cannot be read and keeps the previous one. The zero value is not usable; see NewWatcher.
type Watcher struct {
	kafka  kafka.Config
	tenant string
	log    *slog.Logger
	pause  time.Duration

	onBaseline []func(*baseline.Baseline)
	onRoutes   []func(route.Learned) error
	onOrders   []func(route.Orders) error

	loaded   bool
	next     int64  // offset of the next record to read
	baseline string // version that was last given to the subscribers
	routes   string // version that was last given to the subscribers
	orders   uint64 // generation of the orders that were last given to the subscribers

	lastOrders atomic.Uint64 // generation of the last record with orders, which compaction keeps
}

// LastRouteOrders returns the generation of the last record with orders about routes, which is the one that compaction keeps. It may be
// lower than that of the orders in use: an enforcement point that lagged behind wrote it.
func (w *Watcher) LastRouteOrders() uint64 { return w.lastOrders.Load() }

// NewWatcher makes a Watcher. It does nothing before Load or Run.
func NewWatcher(cfg kafka.Config, tenant string, log *slog.Logger) *Watcher {
	return &Watcher{kafka: cfg, tenant: tenant, log: log, pause: watchPause}
}

// OnBaseline registers f, which is called with the newest baseline and then with each newer one. Calls do not overlap.
// OnBaseline must not be called after Load or Run.
func (w *Watcher) OnBaseline(f func(*baseline.Baseline)) { w.onBaseline = append(w.onBaseline, f) }

// OnRoutes registers f, which is called with the newest learned routes, as with OnBaseline. An error of f is logged.
func (w *Watcher) OnRoutes(f func(route.Learned) error) { w.onRoutes = append(w.onRoutes, f) }

// OnRouteOrders registers f, which is called with the newest orders about routes, as with OnBaseline. An error of f is
// logged.
func (w *Watcher) OnRouteOrders(f func(route.Orders) error) { w.onOrders = append(w.onOrders, f) }

// Load reads the topic up to its end and calls the subscribers with the newest baseline and the newest routes, if there
// are any. Run continues from there.
func (w *Watcher) Load(ctx context.Context) error {
	var baselines, routes newest
	var orders []*kgo.Record
	next, err := readToEnd(ctx, w.kafka, func(r *kgo.Record) {
		switch w.kind(string(r.Key)) {
		case baselineRecord:
			baselines.add(r)
		case routesRecord:
			routes.add(r)
		case ordersRecord:
			orders = append(orders, r)
		}
	})
	if err != nil {
		return err
	}
	w.loaded, w.next = true, next
	w.publishBaseline(baselines.record())
	w.publishRoutes(routes.record())
	w.publishOrders(orders)
	return nil
}

// Run reads the topic until ctx ends, and then returns nil. It logs errors, including missing rights, and tries again
// after a pause; subscribers keep the last version.
func (w *Watcher) Run(ctx context.Context) error {
	for {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.log.Warn("published baselines and routes cannot be read, the last versions stay", "topic", wire.BaselinesTopic, "error", err)
		if !kafka.Sleep(ctx, w.pause) {
			return nil
		}
	}
}

func (w *Watcher) follow(ctx context.Context) error {
	if !w.loaded {
		if err := w.Load(ctx); err != nil {
			return err
		}
	}
	client, err := w.kafka.NewClient("baselines-watch",
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{wire.BaselinesTopic: {0: kgo.NewOffset().At(w.next)}}))
	if err != nil {
		return err
	}
	defer client.Close()
	c := kafka.Consumer{Config: w.kafka, Client: client, Name: "baselines-watch", Handle: w.handle}
	return c.Run(ctx)
}

// handle calls the subscribers with the newest versions of a batch. When the current baseline was withdrawn and the batch
// has no other, it reads the topic again to find the previous one.
func (w *Watcher) handle(ctx context.Context, b kafka.Batch) error {
	var last, routes *kgo.Record
	var orders []*kgo.Record
	withdrawn := false
	for r := range b.RecordsAll() {
		w.next = r.Offset + 1
		switch w.kind(string(r.Key)) {
		case baselineRecord:
			switch {
			case r.Value != nil:
				last, withdrawn = r, false
			case last != nil && string(last.Key) == string(r.Key):
				last, withdrawn = nil, true
			case string(r.Key) == w.baseline:
				withdrawn = last == nil
			}
		case routesRecord:
			routes = r
		case ordersRecord:
			orders = append(orders, r)
		}
	}
	w.publishRoutes(routes)
	w.publishOrders(orders)
	if !withdrawn {
		w.publishBaseline(last)
		return nil
	}
	if err := w.Load(ctx); err != nil {
		w.loaded = false
		return err
	}
	return nil
}

type recordKind int

const (
	otherRecord recordKind = iota
	baselineRecord
	routesRecord
	ordersRecord
)

// kind returns the kind of a record by its key. Records of other tenants are otherRecord.
func (w *Watcher) kind(key string) recordKind {
	switch {
	case key == wire.RoutesKey(w.tenant):
		return routesRecord
	case key == wire.RouteOrdersKey(w.tenant):
		return ordersRecord
	case wire.IsBaseline(key) && VersionTenant(key) == w.tenant:
		return baselineRecord
	}
	return otherRecord
}

func (w *Watcher) publishBaseline(r *kgo.Record) {
	if r == nil || string(r.Key) == w.baseline || len(w.onBaseline) == 0 {
		return
	}
	body, err := Decode(string(r.Key), r.Value)
	if err != nil {
		w.log.Warn("a published baseline cannot be read, the one before stays", "error", err)
		return
	}
	w.baseline = string(r.Key)
	for _, f := range w.onBaseline {
		f(body)
	}
}

func (w *Watcher) publishRoutes(r *kgo.Record) {
	if r == nil || r.Value == nil || len(w.onRoutes) == 0 {
		return
	}
	learned, err := decodeRoutes(r.Value)
	if err == nil && learned.Version == w.routes {
		return
	}
	for _, f := range w.onRoutes {
		if err == nil {
			err = f(learned)
		}
	}
	if err != nil {
		w.log.Warn("published routes cannot be used, those before stay", "error", fmt.Errorf("routes %s: %w", learned.Version, err))
		return
	}
	w.routes = learned.Version
}

// publishOrders calls the subscribers with the orders of the highest generation, if it is higher than that of the orders
// they have.
func (w *Watcher) publishOrders(records []*kgo.Record) {
	if len(w.onOrders) == 0 {
		return
	}
	var newest route.Orders
	for _, r := range records {
		if r.Value == nil {
			continue
		}
		orders, err := decodeRouteOrders(r.Value)
		if err != nil {
			w.log.Warn("published orders about routes cannot be read, those before stay", "offset", r.Offset, "error", err)
			continue
		}
		w.lastOrders.Store(orders.Generation)
		if orders.Generation > newest.Generation {
			newest = orders
		}
	}
	if newest.Generation <= w.orders {
		return
	}
	for _, f := range w.onOrders {
		if err := f(newest); err != nil {
			w.log.Warn("published orders about routes cannot be used, those before stay", "generation", newest.Generation, "error", err)
			return
		}
	}
	w.orders = newest.Generation
}
