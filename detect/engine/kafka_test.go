package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// Missing rights end detect with an error that names the topic; it neither loops nor stays silent.
func TestRefusedFetchEndsDetectByName(t *testing.T) {
	l := newLog(t)
	count := kafkatest.RefuseFetches(l.cluster, wire.CallsTopic, kerr.TopicAuthorizationFailed)
	_, stop := l.start()
	select {
	case <-l.over:
	case <-time.After(20 * time.Second):
		t.Fatalf("%d fetches were refused, and detect goes on", count())
	}
	if err := stop(); !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "detect: read "+wire.CallsTopic) {
		t.Fatalf("got %v", err)
	}
}

// A broker that cannot be reached while a partition is restored does not end detect. It did: a restart of Kafka during an
// assignment ended the process.
func TestBrokerAwayWhileAPartitionIsRestoredEndsDetect(t *testing.T) {
	l := newLog(t)
	l.block(0, 5)
	first, stop := l.start()
	l.settle(first)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var away, retried atomic.Bool
	l.cluster.ControlKey(kmsg.OffsetForLeaderEpoch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		away.Store(true)
		return nil, errors.New("the broker stops"), true // the connection is closed
	})
	dialer := func(ctx context.Context, network, host string) (net.Conn, error) {
		if away.Load() && !retried.Load() {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return new(net.Dialer).DialContext(ctx, network, host)
	}
	e, stop := l.start(func(c *Config) {
		c.Kafka.Options = append(slices.Clip(l.opts), kgo.Dialer(dialer))
		c.Logger = slog.New(slog.NewTextHandler(writerFunc(func(line []byte) (int, error) {
			if bytes.Contains(line, []byte("partition not restored, trying again")) {
				retried.Store(true)
			}
			return len(line), nil
		}), nil))
	})
	l.block(5, 10)
	l.settle(e)
	if !retried.Load() {
		t.Fatal("the broker was never away")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := l.rows(10); n != 10 {
		t.Fatalf("%d calls in the journal, want 10", n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Offsets that the group may not commit are counted: the displayed lag depends on them.
func TestRefusedCommitIsCounted(t *testing.T) {
	l := newLog(t)
	kafkatest.RefuseCommits(l.cluster, "", kerr.GroupAuthorizationFailed)
	r := prometheus.NewRegistry()
	e, stop := l.start(func(c *Config) { c.Kafka.Metrics = kafka.NewMetrics(r) })
	l.block(0, 5)
	l.settle(e)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := ""
	for _, f := range families {
		if f.GetName() == "flyball_kafka_errors_total" {
			for _, m := range f.Metric {
				counted += m.String() + "\n"
			}
		}
	}
	for _, want := range []string{`"` + consumerName + `"`, `"` + kafka.OpCommit + `"`, `"not_authorized"`} {
		if !strings.Contains(counted, want) {
			t.Errorf("refused commits are not counted: no %s in\n%s", want, counted)
		}
	}
}
