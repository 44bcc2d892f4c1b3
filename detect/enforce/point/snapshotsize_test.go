package point_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// A thousand open breakers are more than a megabyte. Without a snapshot of them a point has nothing but the command log, which
// Kafka deletes after its retention.
func TestStateOfManyBreakersIsNotStored(t *testing.T) {
	k := kafkatest.Start(t)
	client, err := enforcetest.Config(k).NewClient("topics")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kafka.EnsureTopics(t.Context(), kadm.NewClient(client), kafka.TopicOptions{Partitions: 4, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	a := run(t, k, "a", func(o *enforcetest.Options) { o.Budget = breaker.Budget{PerHour: 100_000, Percent: 100} })
	a.AwaitSettings(t)
	const breakers = 1500
	var g errgroup.Group
	g.SetLimit(64)
	for i := range breakers {
		g.Go(func() error {
			id := fmt.Sprint("d", i)
			scope := schema.Scope{Kind: schema.ScopeRun, Value: id}
			_, err := a.Log().Submit(t.Context(), schema.Command{ID: id, Kind: schema.CommandTrip, Tenant: "t", Scope: scope, TTL: int64(time.Hour),
				ActiveAgents: 100_000, Reason: strings.Repeat("r", 500), Decision: &schema.Decision{ID: id, Mode: schema.ModeArmed,
					Action: schema.ActionDeny, Scope: scope, AgentID: id, CredentialID: id}})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	enforcetest.Within(t, "the trips are folded", func() bool { return len(a.Breakers()) == breakers })
	a.StoreSnapshot(context.Background())
	enforcetest.Within(t, "the state is stored", func() bool { return k.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 0 })
	a.Stop()
	if stored := enforcetest.Records(t, k, wire.BreakersTopic, 1); len(stored[0].Value) < 1<<20 {
		t.Fatalf("the state has only %d bytes: the test shows nothing", len(stored[0].Value))
	}
	if b := run(t, k, "b", nil); len(b.Breakers()) != len(a.Breakers()) || len(b.Breakers()) == 0 {
		t.Errorf("%d breakers before, %d after", len(a.Breakers()), len(b.Breakers()))
	}
}
