package sent

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/notify"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func connect(t *testing.T) kafka.Config {
	t.Helper()
	c := kafkatest.Start(t, kfake.SeedTopics(1, wire.MessagesTopic))
	return kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
}

func get(t *testing.T, l *Log, incident string) notify.Sent {
	t.Helper()
	s, err := l.Get(context.Background(), "chat", incident)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A page of an incident whose message another process has posted, or this one before it was killed.
func TestMessageOfAnotherProcessIsNotFound(t *testing.T) {
	k := connect(t)
	a, b := NewLog(k, time.Now), NewLog(k, time.Now)
	defer a.Close()
	defer b.Close()
	for i, want := range []notify.Sent{{}, {Channel: "C1", TS: "1.1", Page: "p_1"}, {Channel: "C1", TS: "1.1", Page: "p_2"}} {
		if i > 0 {
			if err := a.Put(context.Background(), "chat", "f_1", want); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range []*Log{a, b, NewLog(k, time.Now)} {
			if got := get(t, l, "f_1"); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	}
	if other, err := b.Get(context.Background(), "another", "f_1"); err != nil || other != (notify.Sent{}) {
		t.Errorf("of another receiver: %+v %v", other, err)
	}
}

// The format outlives the process: a record of version 1 is read, and what is not is forgotten.
func TestRecordOfAnotherVersion(t *testing.T) {
	k := connect(t)
	client, err := k.NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	write := func(value string, at time.Time) {
		r := &kgo.Record{Topic: wire.MessagesTopic, Value: []byte(value), Timestamp: at}
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	write(`{"v":1,"receiver":"chat","incident":"f_1","channel":"C1","ts":"1700000000.000100","page_id":"p_1"}`, now)
	write(`{"v":1,"receiver":"chat","incident":"f_old","channel":"C1","ts":"1","page_id":"p_1"}`, now.Add(-wire.MessagesRetention-time.Hour))
	for _, bad := range []string{`{"v":2,"receiver":"chat","incident":"f_1","channel":{},"ts":"2"}`, `{"v":2,"receiver":"chat","incident":"f_1"}`,
		"", "null", "{", "\x00"} {
		write(bad, now)
	}
	l := NewLog(k, time.Now)
	defer l.Close()
	if got := get(t, l, "f_1"); got != (notify.Sent{Channel: "C1", TS: "1700000000.000100", Page: "p_1"}) {
		t.Errorf("%+v", got)
	}
	if got := get(t, l, "f_old"); got != (notify.Sent{}) || len(l.places) != 1 {
		t.Errorf("%+v, %d places", got, len(l.places))
	}
}

func TestPlaceIsTakenForKnownWhenKafkaIsAway(t *testing.T) {
	l := NewLog(kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}}, time.Now)
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := l.Get(ctx, "chat", "f_1"); err == nil {
		t.Error("no error")
	}
	if err := l.Put(ctx, "chat", "f_1", notify.Sent{}); err == nil {
		t.Error("no error")
	}
}
