package check

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

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
