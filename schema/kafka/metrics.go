package kafka

import (
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
)

// Operations under which errors are counted.
const (
	OpConnect = "connect" // opening a connection to a broker, including TLS and SASL
	OpRequest = "request" // a request or its response on the wire
	OpGroup   = "group"   // membership of a consumer group
	OpFetch   = "fetch"   // reading records
	OpProduce = "produce" // writing records
	OpCommit  = "commit"  // committing offsets
)

// Metrics are shared by the clients of a process. The labels are bounded: client names are
// constants of the code or configured receivers, classes are those of errorClass. A nil
// *Metrics counts nothing.
type Metrics struct {
	errors   *prometheus.CounterVec
	connects *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	losses   *prometheus.CounterVec
	lost     prometheus.Counter
}

// NewMetrics makes the metrics and registers them; with a nil registerer they are not
// registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_kafka_errors_total",
			Help: "Errors of Kafka clients, by client, operation and class."}, []string{"client", "operation", "class"}),
		connects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_kafka_connects_total",
			Help: "Connections to brokers that were opened."}, []string{"client"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_kafka_bytes_total",
			Help: "Bytes exchanged with brokers, TLS not counted."}, []string{"client", "direction"}),
		losses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_log_losses_total",
			Help: "Losses of records in a partition of a topic that a reader noticed: cut, refilled, recreated, expired."},
			[]string{"topic", "kind"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_log_lost_records_total",
			Help: "Records that are known to be missing after such losses."}),
	}
	if reg != nil {
		reg.MustRegister(m.errors, m.connects, m.bytes, m.losses, m.lost)
	}
	return m
}

// ExpectLosses makes the counters of losses of topics present, so that the first loss is an increase.
func (m *Metrics) ExpectLosses(topics ...string) {
	for _, topic := range topics {
		for _, kind := range []schema.LossKind{schema.LossCut, schema.LossRefilled, schema.LossRecreated, schema.LossExpired} {
			m.losses.WithLabelValues(topic, string(kind))
		}
	}
}

// Error counts an error of a client under one of the Op constants.
func (m *Metrics) Error(client, operation string, err error) {
	if m != nil {
		m.errors.WithLabelValues(client, operation, errorClass(err)).Inc()
	}
}

// Loss counts a loss of records. The label topic is one of Flyball's topics or a configured input.
func (m *Metrics) Loss(l *schema.LogLoss) {
	if m != nil {
		m.losses.WithLabelValues(l.Topic, string(l.Kind)).Inc()
		m.lost.Add(float64(l.Records))
	}
}

// clientHooks counts the errors and the traffic of one client.
type clientHooks struct {
	m    *Metrics
	name string
}

var (
	_ kgo.HookBrokerConnect    = (*clientHooks)(nil)
	_ kgo.HookBrokerWrite      = (*clientHooks)(nil)
	_ kgo.HookBrokerRead       = (*clientHooks)(nil)
	_ kgo.HookGroupManageError = (*clientHooks)(nil)
)

// OnBrokerConnect counts an attempt to connect.
func (h *clientHooks) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		h.error(OpConnect, err)
		return
	}
	h.m.connects.WithLabelValues(h.name).Inc()
}

// OnBrokerWrite counts the bytes that were sent.
func (h *clientHooks) OnBrokerWrite(_ kgo.BrokerMetadata, _ int16, n int, _, _ time.Duration, err error) {
	h.m.bytes.WithLabelValues(h.name, "out").Add(float64(n))
	h.error(OpRequest, err)
}

// OnBrokerRead counts the bytes that were received.
func (h *clientHooks) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, n int, _, _ time.Duration, err error) {
	h.m.bytes.WithLabelValues(h.name, "in").Add(float64(n))
	h.error(OpRequest, err)
}

// OnGroupManageError counts an error that ended a session of the group.
func (h *clientHooks) OnGroupManageError(err error) { h.error(OpGroup, err) }

func (h *clientHooks) error(operation string, err error) {
	if err != nil && !isEnd(err) {
		h.m.Error(h.name, operation, err)
	}
}
