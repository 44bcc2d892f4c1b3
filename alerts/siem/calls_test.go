package siem

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/ocsf"
	"flyball/schema/wire"
)

// stopped is a clock that a test sets.
type stopped struct {
	mu sync.Mutex
	at time.Time
}

func (s *stopped) now() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.at }

func (s *stopped) forward(d time.Duration) { s.mu.Lock(); s.at = s.at.Add(d); s.mu.Unlock() }

// callsOf starts a reader of calls with a bound, at a topic that is empty.
func callsOf(t *testing.T, out Output, perSecond int) (c *Calls, clock *stopped, send func(...schema.Call)) {
	t.Helper()
	k := kafkatest.Start(t, kfake.SeedTopics(1, wire.CallsTopic))
	cfg := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...)}}
	clock = &stopped{at: time.Unix(1_764_460_800, 0)}
	c = NewCalls(CallsOptions{Kafka: cfg, Output: out, Producer: ocsf.Producer{Version: "1"}, PerSecond: perSecond, Now: clock.now,
		Backoff: kafka.Backoff{First: time.Minute, Max: time.Hour}, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	c.begin = kgo.NewOffset().AtStart()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	client, err := cfg.NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	encoder := &wire.CallsEncoder{}
	offset := int64(0)
	send = func(calls ...schema.Call) {
		list := make([]*schema.Call, len(calls))
		for i := range calls {
			calls[i].Source, calls[i].Pos, calls[i].DurationNs = schema.Source{Topic: "edge"}, schema.Position{Offset: offset}, -1
			list[i] = &calls[i]
			offset++
		}
		r := &kgo.Record{Topic: wire.CallsTopic, Value: encoder.Encode(nil, list)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return c, clock, send
}

// kept is an output that keeps events.
type kept struct {
	flaky
	events []ocsf.Event
}

func (k *kept) Write(ctx context.Context, events []ocsf.Event) error {
	err := k.flaky.Write(ctx, events)
	if err == nil {
		k.mu.Lock()
		k.events = append(k.events, events...)
		k.mu.Unlock()
	}
	return err
}

// find returns the events of calls whose paths begin with a text.
func (k *kept) find(prefix string) (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.events {
		request, _ := e["http_request"].(map[string]any)
		url, _ := request["url"].(map[string]any)
		if path, _ := url["path"].(string); strings.HasPrefix(path, prefix) {
			out = append(out, fmt.Sprint(e["class_uid"], " ", path))
		}
	}
	return out
}

func TestCallIsNoAPIActivityOnTheTopic(t *testing.T) {
	out := &kept{}
	c, _, send := callsOf(t, out, 100)
	send(schema.Call{Tenant: "default", Method: "DELETE", Path: "/a/1", Effect: schema.EffectDelete, AgentID: "billing/bot"},
		schema.Call{Tenant: schema.CanaryTenant, Method: "GET", Path: "/a/canary"},
		schema.Call{Tenant: "default", Method: "GET", Path: "/a/check", ObserverKind: schema.ObserverGate},
		schema.Call{Tenant: "default", Method: "GET", Path: "/a/2"})
	until(t, "calls are missing", func() bool { return len(out.find("/a/2")) > 0 })
	if got := out.find("/a/"); fmt.Sprint(got) != "[6003 /a/1 6003 /a/2]" {
		t.Errorf("%v", got)
	}
	if err := c.Problem(); err != nil {
		t.Error(err)
	}
}

// A flood of reads must neither fill the SIEM nor hide what changed something.
func TestFloodOfCallsIsWrittenWithoutABound(t *testing.T) {
	out := &kept{}
	c, clock, send := callsOf(t, out, 10)
	var flood []schema.Call
	for i := range 200 {
		call := schema.Call{Tenant: "default", Method: "GET", Path: fmt.Sprint("/flood/", i), Effect: schema.EffectRead}
		if i >= 195 {
			call.Path, call.Effect = fmt.Sprint("/changed/", i), schema.EffectDelete
		}
		flood = append(flood, call)
	}
	send(flood...)
	until(t, "calls that were left out are not counted", func() bool {
		return testutil.ToFloat64(c.leftOut.WithLabelValues(leftOutRate)) == 190
	})
	until(t, "calls within the bound are missing", func() bool { return len(out.find("/changed/"))+len(out.find("/flood/")) == 10 })
	if n := len(out.find("/changed/")); n != 5 {
		t.Errorf("%d of 5 changes were written", n)
	}
	if err := c.Problem(); err == nil || !strings.Contains(err.Error(), "siem.calls_per_second") {
		t.Errorf("nobody is told: %v", err)
	}
	clock.forward(2 * time.Minute)
	if err := c.Problem(); err != nil {
		t.Errorf("two minutes later: %v", err)
	}
}

func TestTopicThatIsAwayStopsTheReaderOfCalls(t *testing.T) {
	out := &kept{}
	c, clock, send := callsOf(t, out, 100)
	out.set(true)
	send(schema.Call{Tenant: "default", Method: "GET", Path: "/away/1"})
	until(t, "the outage is not reported", func() bool { return c.Problem() != nil })
	out.set(false)
	send(schema.Call{Tenant: "default", Method: "GET", Path: "/away/2"}) // within the pause: not tried
	until(t, "calls that were left out are not counted", func() bool {
		return testutil.ToFloat64(c.leftOut.WithLabelValues(leftOutOutput)) == 2
	})
	clock.forward(time.Hour)
	send(schema.Call{Tenant: "default", Method: "GET", Path: "/back/1"})
	until(t, "calls after the outage are missing", func() bool { return len(out.find("/back/1")) == 1 })
	if c.Problem() != nil || len(out.find("/away/")) != 0 {
		t.Errorf("%v, %v", c.Problem(), out.find("/away/"))
	}
}
