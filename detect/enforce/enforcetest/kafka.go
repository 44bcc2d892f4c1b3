package enforcetest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// Broker starts a Kafka in memory with the topics that points use.
func Broker(t *testing.T) *kfake.Cluster {
	t.Helper()
	k := kafkatest.Start(t, kfake.SeedTopics(1, wire.CommandsTopic, wire.BreakersTopic, wire.PointsTopic),
		kfake.SeedTopics(4, wire.CallsTopic, wire.EventsTopic))
	return k
}

// Config returns the configuration of clients of a broker.
func Config(k *kfake.Cluster) kafka.Config {
	return kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...)}}
}

// Produce writes records to a topic's first partition, as any client could.
func Produce(t *testing.T, k *kfake.Cluster, topic, key string, values ...[]byte) (last int64) {
	t.Helper()
	c, err := Config(k).NewClient("test", kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, v := range values {
		r, err := c.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Key: []byte(key), Value: v}).First()
		if err != nil {
			t.Fatal(err)
		}
		last = r.Offset
	}
	return last
}

// Records returns at least want records of a topic's first partition, from its start.
func Records(t *testing.T, k *kfake.Cluster, topic string, want int64) (out []*kgo.Record) {
	t.Helper()
	c, err := Config(k).NewClient("test", kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for int64(len(out)) < want && ctx.Err() == nil {
		out = append(out, c.PollFetches(ctx).Records()...)
	}
	if int64(len(out)) < want {
		t.Fatalf("%d of %d records", len(out), want)
	}
	return out
}

// Events reads flyball.events from its start until enough returns true for a record.
func Events(t *testing.T, k *kfake.Cluster, what string, enough func(*kgo.Record) bool) {
	t.Helper()
	c, err := Config(k).NewClient("test", kgo.ConsumeTopics(wire.EventsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	Within(t, what, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		found := false
		for _, r := range c.PollFetches(ctx).Records() {
			found = enough(r) || found
		}
		return found
	})
}

// Link is the connection between one point and the broker. It can be stopped or slowed down.
type Link struct {
	mu    sync.Mutex
	open  chan struct{}
	delay atomic.Int64
}

// NewLink returns an open link.
func NewLink() *Link { l := &Link{open: make(chan struct{})}; close(l.open); return l }

// Through makes clients use the link.
func (l *Link) Through(c *kafka.Config) {
	c.Options = append(c.Options, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, host)
		return &linked{conn, l}, err
	}))
}

// Stop blocks the link until Resume.
func (l *Link) Stop() { l.mu.Lock(); l.open = make(chan struct{}); l.mu.Unlock() }

// Resume opens the link.
func (l *Link) Resume() { l.mu.Lock(); close(l.open); l.mu.Unlock() }

// Delay delays every write by a duration.
func (l *Link) Delay(d time.Duration) { l.delay.Store(int64(d)) }

func (l *Link) pass() {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	<-open
}

type linked struct {
	net.Conn
	l *Link
}

func (c *linked) Write(p []byte) (int, error) {
	c.l.pass()
	time.Sleep(time.Duration(c.l.delay.Load()))
	return c.Conn.Write(p)
}

func (c *linked) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.pass()
	return n, err
}
