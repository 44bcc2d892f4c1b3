package baselinestore

import (
	"context"
	"errors"
	"testing"

	"flyball/schema/route"
	"flyball/schema/wire"
)

func ordersOf(t *testing.T, generation uint64, templates ...string) []byte {
	t.Helper()
	o := route.Orders{Generation: generation}
	for _, template := range templates {
		o.Orders = append(o.Orders, route.Order{Slot: route.Slot{Method: "GET", Template: template}, Pinned: true})
	}
	b, err := wire.EncodeDocument(wire.RouteOrdersVersion, &o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A point that lags behind writes what its fold holds after a point that does not: the older orders must not replace
// the newer ones. Records of another tenant and of a newer format change nothing.
func TestOlderOrdersAboutRoutesReplaceNewerOnes(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	if _, err := LatestRouteOrders(t.Context(), b.cfg, "t"); !errors.Is(err, ErrNotPublished) {
		t.Errorf("nothing was published: %v", err)
	}
	b.send(wire.RouteOrdersKey("t"), ordersOf(t, 7, "/a/{b}", "/c/{d}"))
	b.send(wire.RouteOrdersKey("t"), ordersOf(t, 5, "/a/{b}"))
	b.send(wire.RouteOrdersKey("other"), ordersOf(t, 9))
	b.send(wire.RouteOrdersKey("t"), []byte(`{"v":99,"body":{"generation":11}}`))
	if o, err := LatestRouteOrders(t.Context(), b.cfg, "t"); err != nil || o.Generation != 7 || len(o.Orders) != 2 {
		t.Errorf("%+v %v", o, err)
	}
	var got []uint64
	more := make(chan struct{}, 8)
	w := NewWatcher(b.cfg, "t", discard)
	w.OnRouteOrders(func(o route.Orders) error {
		got = append(got, o.Generation)
		more <- struct{}{}
		return nil
	})
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-more
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	b.send(wire.RouteOrdersKey("t"), ordersOf(t, 6, "/a/{b}"))
	b.send(wire.RouteOrdersKey("t"), ordersOf(t, 8))
	<-more
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(got) != 2 || got[0] != 7 || got[1] != 8 {
		t.Errorf("%v", got)
	}
}
