package check

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// An observer that wakes only for calls must not miss one that is queued while it gathers or writes.
func TestObservationQueuedWhileOthersAreWrittenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver("p", 4, newMetrics(prometheus.NewRegistry()))
		ctx, cancel := context.WithCancel(t.Context())
		added, written := 0, 0
		add := func() {
			added++
			o.add(&schema.Call{RoutingKey: "agent"}, schema.StandingEstablished)
		}
		began := time.Now()
		var first time.Duration
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			o.run(ctx, func(_ *kgo.Record, n int) {
				if written == 0 {
					first = time.Since(began)
				}
				if written += n; added < 5 {
					add()
				}
			})
		}()
		time.Sleep(time.Hour) // idle
		synctest.Wait()
		began = time.Now()
		add()
		synctest.Wait()
		add() // while the first is gathered
		time.Sleep(10 * observeEvery)
		synctest.Wait()
		if written != 5 || first != observeEvery {
			t.Errorf("%d of %d written, the first after %s", written, added, first)
		}
		cancel()
		<-ended
	})
}

// A flood fills the queue of records: requests are decided on all the same, and the log says that records are missing.
func TestDroppedRecordsAreSilent(t *testing.T) {
	var log strings.Builder
	c := newChecker(t, func(o *enforcetest.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	c.replay(schema.Command{ID: "r", Kind: schema.CommandForceOpen, Tenant: "t",
		Scope: schema.Scope{Kind: schema.ScopeRoute, Value: "DELETE /v1/orders/{id}"}, By: "ann", Reason: "stop"})
	for range maxClaimedObservations + 10 {
		if a := c.check(requestOf("DELETE", "/v1/orders/7", map[string]string{"x-agent-id": "flood"})); a.status != 403 {
			t.Fatalf("%d %s", a.status, a.why)
		}
	}
	said := strings.Count(log.String(), "records of checked requests are dropped")
	if said != 1 || len(c.observer.claimed) != maxClaimedObservations {
		t.Errorf("said %d times; %d records", said, len(c.observer.claimed))
	}
	if a := c.check(requestOf("GET", "/v1/orders/7", map[string]string{"x-consumer": "billing"})); a.status != 200 || len(c.observer.in) != 1 {
		t.Errorf("%d, %d records of established callers", a.status, len(c.observer.in))
	}
}
