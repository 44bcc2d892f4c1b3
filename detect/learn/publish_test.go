package learn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// The baseline of ten thousand agents has more text than the maximum size of a record.
func TestBaselineOfTenThousandAgentsIsPublishedAndRead(t *testing.T) {
	b := baseline.New("t")
	b.Version = "t/1"
	for a := range 10_000 {
		for r := range 3 {
			run := &baseline.TrainingRun{ID: fmt.Sprint(a, r), Agent: fmt.Sprint("g/agent-", a), Group: "g"}
			var f feature.RunMemory
			for n := range 12 {
				route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
				c := feature.Input{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n * a), Bytes: uint64(300 + a%97)}
				run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
			}
			b.Learn(run)
		}
	}
	b.Finish()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) < 16<<20 {
		t.Fatalf("%d bytes of text would have gone through as they are", len(text))
	}
	limit := "16777216"
	cluster := kafkatest.Start(t)
	opts := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	admin, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range []string{wire.BaselinesTopic, wire.CallsTopic} {
		if _, err := kadm.NewClient(admin).CreateTopic(ctx, 1, 1, map[string]*string{"max.message.bytes": &limit}, name); err != nil {
			t.Fatal(err)
		}
	}
	l := New(Options{Tenant: "t", Kafka: kafka.Config{Options: opts}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := l.publish(ctx, b); err != nil {
		t.Fatalf("%d bytes: %v", len(text), err)
	}
	back, err := baselinestore.LatestBaseline(ctx, kafka.Config{Options: opts}, func(v string) bool { return v == "t/1" })
	if err != nil || back.Runs != b.Runs || len(back.Agents) != len(b.Agents) {
		t.Fatalf("%v", err)
	}
	t.Logf("%d bytes of text", len(text))
}
