package learn

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// Callers choose the words of templates. A table that was too large for a record was published never again.
func TestFullTableOfLongTemplatesIsNotPublished(t *testing.T) {
	cluster := kafkatest.Start(t)
	cfg := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}}
	admin, err := cfg.NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	limit := "16777216"
	settings := map[string]*string{"max.message.bytes": &limit}
	if _, err := kadm.NewClient(admin).CreateTopic(ctx, 1, 1, settings, wire.BaselinesTopic); err != nil {
		t.Fatal(err)
	}
	learned := route.Learned{Version: "v", Evidence: map[string]route.Evidence{}}
	for i := 0; !learned.IsFull(); i++ {
		s := route.Slot{Method: "GET", Template: fmt.Sprintf("/a%d/%s/{slug}", i, strings.Repeat("/<word>", 70))}
		learned.Collapsed, learned.Evidence[s.String()] = append(learned.Collapsed, s), route.Evidence{Words: []int{101}, Calls: 101, At: 1}
	}
	l := New(Options{Tenant: "t", Kafka: cfg, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := l.publishLearned(ctx, &learned); err != nil {
		t.Fatal(err)
	}
	back, err := baselinestore.LatestRoutes(ctx, cfg, "t")
	if err != nil || len(back.Collapsed) != len(learned.Collapsed) {
		t.Errorf("%d of %d templates: %v", len(back.Collapsed), len(learned.Collapsed), err)
	}
}
