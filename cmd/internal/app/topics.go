package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/schema/clickhouse"
	topics "flyball/schema/kafka"
	"flyball/schema/wire"
)

// readers are the groups that must have read a topic before the embedded
// broker's janitor may delete from it.
func readers(c config.Config) map[string][]string {
	out := map[string][]string{wire.CallsTopic: {wire.DetectGroup}, wire.JournalTopic: {wire.StoreGroup}}
	for _, in := range c.Kafka.Inputs {
		out[in.Topic] = []string{wire.IngestGroup}
	}
	return out
}

// ensureTopics creates Flyball's topics and verifies existing ones. On the
// embedded broker the inputs are made too: shippers may come later.
func ensureTopics(ctx context.Context, c config.Config, kafka []kgo.Opt, replication int16, inputs bool, log *slog.Logger) error {
	client, err := kgo.NewClient(kafka...)
	if err != nil {
		return err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ensured, err := topics.EnsureTopics(ctx, adm, topics.TopicOptions{Partitions: int32(c.Kafka.Partitions), Replication: replication, Janitor: inputs})
	if err != nil {
		return fmt.Errorf("kafka at %s: %w", strings.Join(seedsOf(c), ", "), err)
	}
	for _, e := range ensured {
		for _, d := range e.Drift {
			log.Warn("topic differs from what is documented", "topic", e.Spec.Name, "setting", d)
		}
	}
	if inputs {
		for _, in := range c.Kafka.Inputs {
			forever := map[string]*string{"retention.ms": kadm.StringPtr("-1")}
			if _, err := topics.CreateTopic(ctx, adm, in.Topic, int32(c.Kafka.Partitions), replication, forever); err != nil {
				return err
			}
		}
	}
	return nil
}

func seedsOf(c config.Config) []string {
	if len(c.Kafka.Brokers) == 0 {
		return []string{c.Kafka.Listen}
	}
	return c.Kafka.Brokers
}

// migrated brings the schema up to date, for as long as it takes ClickHouse to
// be there: the other roles do not wait for it.
func migrated(ctx context.Context, db *clickhouse.Conn, c config.Config, log *slog.Logger) error {
	wait := 200 * time.Millisecond
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Minute)
		steps, err := clickhouse.Migrate(attempt, db, clickhouse.MigrateOptions{Target: clickhouse.Target{Database: c.ClickHouse.Database, Cluster: c.ClickHouse.Cluster}})
		cancel()
		if err == nil {
			if len(steps) > 0 {
				log.Info("schema migrated", "component", "store", "steps", len(steps))
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if clickhouse.IsPermanent(err) {
			return err
		}
		log.Warn("ClickHouse is away, trying again", "component", "store", "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}
