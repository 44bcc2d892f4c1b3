package siem

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/ocsf"
	"flyball/schema/wire"
)

// flaky is an output that fails while it is away.
type flaky struct {
	mu   sync.Mutex
	away bool
	ids  []string
}

func (f *flaky) Name() string { return "flaky" }

func (f *flaky) Write(_ context.Context, events []ocsf.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errors.New("away")
	}
	for _, e := range events {
		f.ids = append(f.ids, e.ID())
	}
	return nil
}

func (f *flaky) set(away bool) { f.mu.Lock(); f.away = away; f.mu.Unlock() }

func (f *flaky) got() []string { f.mu.Lock(); defer f.mu.Unlock(); return append([]string{}, f.ids...) }

func cluster(t *testing.T) kafka.Config {
	t.Helper()
	c := kafkatest.Start(t, kfake.SeedTopics(2, wire.EventsTopic), kfake.SeedTopics(1, "ocsf"))
	return kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
}

func send(t *testing.T, cfg kafka.Config, from, to int) {
	t.Helper()
	client, err := cfg.NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := from; i < to; i++ {
		tenant := "default"
		if i%10 == 9 {
			tenant = schema.CanaryTenant // is not written
		}
		e := schema.FindingEvent(&schema.Finding{ID: fmt.Sprint("f_", i%7), Version: uint64(i + 1), Tenant: tenant, Family: schema.FamilyLoop,
			OpenedAt: 1, UpdatedAt: int64(i) + 1})
		value, err := wire.EncodeEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			value = []byte(`{"v":1,"body":{"kind":"breaker","id":"e","breaker":{}}}`)
		}
		if i%10 == 1 {
			value = []byte("malformed")
		}
		record := &kgo.Record{Topic: wire.EventsTopic, Key: []byte(fmt.Sprint(i % 7)), Value: value}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func start(t *testing.T, cfg kafka.Config, outputs ...Output) (w *Writer, stop func()) {
	t.Helper()
	w = New(Options{Kafka: cfg, Outputs: outputs, Producer: ocsf.Producer{Version: "1"}, Logger: slog.New(slog.DiscardHandler),
		Backoff: kafka.Backoff{First: 5 * time.Millisecond, Max: 20 * time.Millisecond}, Metrics: prometheus.NewRegistry()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return w, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func distinct(ids []string) int {
	set := map[string]bool{}
	for _, id := range ids {
		set[id] = true
	}
	return len(set)
}

func TestFindingIsLostWhileTheSIEMIsAway(t *testing.T) {
	cfg := cluster(t)
	out := &flaky{away: true}
	send(t, cfg, 0, 50)
	w, stop := start(t, cfg, out)
	until(t, "the outage is not reported", func() bool { return w.Problem() != nil })
	if err := w.Problem(); !strings.Contains(err.Error(), "flaky takes no findings, they wait in flyball.events: away") {
		t.Error(err)
	}
	if w.Ready() != nil {
		t.Error("an output that is away takes the process out of service")
	}
	stop() // while it is away: nothing is committed
	_, stop = start(t, cfg, out)
	out.set(false)
	send(t, cfg, 50, 100)
	until(t, "findings are missing", func() bool { return distinct(out.got()) == 70 })
	stop()
	before := len(out.got())
	_, stop = start(t, cfg, out)
	send(t, cfg, 102, 103)
	until(t, "the finding after a restart is missing", func() bool { return distinct(out.got()) == 71 })
	stop()
	if again := len(out.got()) - before; again > 1 {
		t.Errorf("after a restart %d findings were written again although they were committed", again-1)
	}
}

func TestRecordOfTheTopicIsNoEvent(t *testing.T) {
	cfg := cluster(t)
	client, err := cfg.NewClient("out")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, stop := start(t, cfg, Topic{"ocsf", client})
	defer stop()
	send(t, cfg, 2, 3)
	reader, err := cfg.NewClient("in", kgo.ConsumeTopics("ocsf"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	r := reader.PollFetches(t.Context()).Records()[0]
	var e map[string]any
	if err := json.Unmarshal(r.Value, &e); err != nil || e["class_uid"] != float64(2004) {
		t.Errorf("%s %v", r.Value, err)
	}
	if string(r.Key) != "f_2" || len(r.Headers) != 3 || string(r.Headers[0].Value) != ocsf.Event(e).ID() || r.Headers[0].Key != "id" {
		t.Errorf("key %s, headers %v", r.Key, r.Headers)
	}
}

// receiver reads syslog messages with their lengths.
func receiver(t *testing.T, l net.Listener, got chan<- string, connections chan<- net.Conn) {
	t.Helper()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		connections <- c
		go func() {
			r := bufio.NewReader(c)
			for {
				text, err := r.ReadString(' ')
				if err != nil {
					return
				}
				n, err := strconv.Atoi(strings.TrimSpace(text))
				if err != nil {
					t.Errorf("length %q", text)
					return
				}
				m := make([]byte, n)
				if _, err := io.ReadFull(r, m); err != nil {
					return
				}
				got <- string(m)
			}
		}()
	}
}

func TestSyslogEndsWithItsConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, connections := make(chan string, 100), make(chan net.Conn, 10)
	go receiver(t, l, got, connections)
	cfg := cluster(t)
	out := &Syslog{Address: l.Addr().String(), Host: "h"}
	defer out.Close()
	_, stop := start(t, cfg, out)
	defer stop()
	send(t, cfg, 2, 4)
	for range 2 {
		if m := <-got; !strings.HasPrefix(m, "<110>1 ") || !strings.Contains(m, "|runaway.loop|") {
			t.Errorf("%q", m)
		}
	}
	_ = (<-connections).Close()
	send(t, cfg, 4, 5)
	select {
	case m := <-got:
		if !strings.Contains(m, "cs4=f_4") {
			t.Errorf("%q", m)
		}
	case <-time.After(30 * time.Second):
		t.Error("after the receiver had closed the connection, nothing came any more")
	}
}
