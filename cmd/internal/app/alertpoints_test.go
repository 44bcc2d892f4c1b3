package app

import (
	"context"
	"testing"
	"time"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/schema"
)

func TestPageDoesNotSayWhereItsBreakerIsInForce(t *testing.T) {
	got := &recorder{}
	live := func() []schema.PointState {
		return []schema.PointState{{Point: "gw-1", Traces: []schema.PointTrace{{Generation: 6, Applied: 1, Denied: 9},
			{Generation: 7, Applied: int64(time.Second), Denied: 2}}}, {Point: "gw-2"}}
	}
	r := withPoints(got, live)
	p := incident.Page{ID: "p", Breaker: &incident.Breaker{State: schema.BreakerOpen, Generation: 7}}
	closed := incident.Page{ID: "c", Breaker: &incident.Breaker{State: schema.BreakerClosed, Generation: 7}}
	for _, page := range []*incident.Page{&p, &closed, {ID: "n"}} {
		if err := r.Deliver(context.Background(), page); err != nil {
			t.Fatal(err)
		}
	}
	points := got.pages[0].Breaker.Points
	if len(points) != 2 || points[0].Point != "gw-1" || !points[0].Applied.Equal(time.Unix(1, 0)) || points[0].Denied != 2 ||
		points[1].Point != "gw-2" || points[1].Applied != nil {
		t.Errorf("%+v", points)
	}
	if p.Breaker.Points != nil || got.pages[1].Breaker.Points != nil || got.pages[2].Breaker != nil {
		t.Error("the page itself was changed, or one without an open breaker")
	}
	if _, ok := r.(pager.Refresher); ok {
		t.Error("a receiver that is no refresher has become one")
	}
	am := withPoints(notify.NewAlertmanager("am", "http://127.0.0.1:1", time.Now), live)
	if _, ok := am.(pager.Refresher); !ok {
		t.Errorf("%T is no refresher any more", am)
	}
}
