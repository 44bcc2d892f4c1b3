package app

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
)

// kafkaClients is what all Kafka clients of a process share.
func kafkaClients(opts []kgo.Opt, log *slog.Logger, reg prometheus.Registerer) kafka.Config {
	return kafka.Config{Options: opts, Log: kafka.NewLog(log.With("component", "kafka"), time.Now), Metrics: kafka.NewMetrics(reg)}
}
