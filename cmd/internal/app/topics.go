package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"flyball/alerts/siem"
	"flyball/cmd/internal/config"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// topicReaders returns, for each topic, the groups that must have read a record before the
// embedded broker may delete it.
func topicReaders(c config.Config) map[string][]string {
	out := map[string][]string{wire.CallsTopic: {wire.DetectGroup}, wire.JournalTopic: {wire.StoreGroup}}
	for _, in := range c.Kafka.Inputs {
		out[in.Topic] = []string{wire.IngestGroup}
	}
	if c.SIEM.CallsPerSecond > 0 {
		out[wire.CallsTopic] = append(out[wire.CallsTopic], siem.CallsGroup)
	}
	return out
}

// compactedTopics returns the topics of Flyball that the embedded broker compacts.
func compactedTopics() (out []string) {
	for _, spec := range wire.Specs {
		if spec.Compacted(true) {
			out = append(out, spec.Name)
		}
	}
	return out
}

// ensureTopics creates Flyball's topics and verifies existing ones. On the embedded broker it
// also creates the input topics, because the first record may come later.
func (p *process) ensureTopics(ctx context.Context) error {
	c := p.config
	client, err := p.kafka.NewClient("topics")
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(ctx, kafkaStartTimeout)
	defer cancel()
	if err := waitForKafka(ctx, p.kafka, p.log); err != nil {
		return err
	}
	partitions, embedded := int32(c.Kafka.Partitions), len(c.Kafka.Brokers) == 0
	states, err := kafka.EnsureTopics(ctx, admin, kafka.TopicOptions{Partitions: partitions, Replication: brokersDefault,
		BrokerTrims: embedded, Limits: TopicLimits(c)})
	if err != nil {
		return fmt.Errorf("kafka at %s: %w", p.kafka.Remote, p.kafka.ExplainError(err))
	}
	for _, s := range states {
		for _, d := range s.Drift {
			p.log.Warn("topic differs from what is documented", "topic", s.Spec.Name, "setting", d)
		}
	}
	if !embedded {
		return nil
	}
	if c.SIEM.Topic != "" {
		week := map[string]*string{"retention.ms": new(siemRetention)}
		if _, err := kafka.CreateTopic(ctx, admin, c.SIEM.Topic, 1, brokersDefault, week); err != nil {
			return err
		}
	}
	forever := map[string]*string{"retention.ms": new("-1")}
	for _, in := range c.Kafka.Inputs {
		if _, err := kafka.CreateTopic(ctx, admin, in.Topic, partitions, brokersDefault, forever); err != nil {
			return err
		}
	}
	return nil
}

// siemRetention is that of siem.topic on the embedded broker, 7 days in milliseconds: nobody says when it was read.
const siemRetention = "604800000"

// TopicLimits returns kafka.retention by topic.
func TopicLimits(c config.Config) map[string]kafka.Limit {
	out := map[string]kafka.Limit{}
	for topic, l := range c.Kafka.Retention.Limits() {
		out[topic] = kafka.Limit{For: l.Days.Duration(), Bytes: l.Bytes.Bytes}
	}
	return out
}

// kafkaStartTimeout bounds the wait for Kafka and the work on topics at the start.
const kafkaStartTimeout = 30 * time.Second

// waitForKafka waits until a broker answers. It fails at once if only another configuration helps.
func waitForKafka(ctx context.Context, k kafka.Config, log *slog.Logger) error {
	err := kafka.Retry(ctx, kafka.Backoff{First: 200 * time.Millisecond, Max: 5 * time.Second}, k.CheckConnection,
		func(err error, wait time.Duration) {
			log.Warn("waiting for Kafka", "error", err, "again_in", wait.Round(time.Millisecond))
		})
	if why, ok := errors.AsType[*kafka.ConnectError](err); ok {
		return why // without the end of the wait, which says nothing more
	}
	return err
}

// brokersDefault leaves the replication of a new topic to the broker.
const brokersDefault = -1
