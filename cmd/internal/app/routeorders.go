package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/schema/kafka"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// ordersPublisher publishes the orders about routes that the command log holds, for the roles that
// classify calls and do not read that log. Each enforcement point publishes what its fold holds, unless
// the same or newer orders are published: the records of all points are the same.
type ordersPublisher struct {
	kafka  kafka.Config
	tenant string
	log    *slog.Logger
	// folded returns the orders of the fold, published the generation that was read back.
	folded    func() route.Orders
	published func() uint64
}

const (
	ordersPublishEvery = 500 * time.Millisecond
	// ordersPublishAgain is how long a record is given to be read back before it is written again.
	ordersPublishAgain = 10 * time.Second
)

// run publishes until ctx ends. A failure is logged and tried again.
func (p *ordersPublisher) run(ctx context.Context) error {
	var written uint64
	var again time.Time
	for kafka.Sleep(ctx, ordersPublishEvery) {
		orders := p.folded()
		if orders.Generation <= p.published() || orders.Generation == written && time.Now().Before(again) {
			continue
		}
		if err := p.publish(ctx, orders); err != nil {
			p.log.Warn("orders about routes are not published, gateways and logs are classified by those before", "error", err)
			continue
		}
		written, again = orders.Generation, time.Now().Add(ordersPublishAgain)
	}
	return nil
}

func (p *ordersPublisher) publish(ctx context.Context, orders route.Orders) error {
	value, err := wire.EncodeDocument(wire.RouteOrdersVersion, &orders)
	if err != nil {
		return err
	}
	client, err := p.kafka.NewClient("route-orders", baselinestore.WriterOptions()...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, ordersPublishAgain)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(wire.RouteOrdersKey(p.tenant)),
		Value: value}).FirstErr()
}
