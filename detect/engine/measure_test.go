package engine

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// The test measures a restart with 100,000 open runs of 10,000 actors, if FLYBALL_MEASURE is set.
// It prints a figure and checks nothing.
func TestMeasureRestore(t *testing.T) {
	if os.Getenv("FLYBALL_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_MEASURE=1")
	}
	l := newLog(t)
	p := stitch.NewPartition(0, stitch.Limits{OpenRunsPerActor: 1000, OpenRuns: 200_000, ClosedRunsPerActor: 1000, Actors: 100_000,
		SessionGap: time.Hour, ConversationGap: time.Hour, RunGap: time.Hour, EvictAfter: time.Hour})
	for i := range 1_000_000 {
		actor := fmt.Sprint("g:agent-", i%10_000)
		c := schema.Call{Tenant: "default", RoutingKey: actor, CredentialID: actor, RunKey: fmt.Sprint("run-", i%100_000),
			Start:  1795176000e9 + int64(i)*1e6,
			Method: "GET", RouteKey: "/orders/{}", TraceID: [16]byte{byte(i), byte(i >> 8), byte(i >> 16),
				1}, Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i)}}}
		p.Apply(&c, int64(i/256))
	}
	size := 0
	for _, a := range p.Dirty() {
		value := stitch.EncodeActor(nil, a, 1)
		size += len(value)
		l.client.Produce(context.Background(), &kgo.Record{Topic: wire.StateTopic, Partition: 0, Key: deltaKey(1, 1, a.Key), Value: value}, nil)
	}
	if err := l.client.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e, _ := l.start()
	for e.worker(0) == nil {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("restored %d open runs of %d actors, %d bytes, in %s\n", e.worker(0).state.OpenRuns(), e.worker(0).state.Actors(), size,
		time.Since(began).Round(time.Millisecond))
}
