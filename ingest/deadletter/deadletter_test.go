package deadletter

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// producer acknowledges each record, or fails with an error.
type producer struct {
	record *kgo.Record
	err    error
}

func (p *producer) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	p.record = r
	done(r, p.err)
}

func (p *producer) ProduceSync(context.Context, ...*kgo.Record) kgo.ProduceResults { return nil }

func write(t *testing.T, d Record) (*kgo.Record, map[string]string) {
	t.Helper()
	var p producer
	n := 0
	Write(context.Background(), &p, d, func(err error) {
		if n++; err != nil {
			t.Error(err)
		}
	})
	if n != 1 {
		t.Errorf("done was called %d times", n)
	}
	headers := map[string]string{}
	for _, h := range p.record.Headers {
		headers[h.Key] = string(h.Value)
	}
	return p.record, headers
}

func TestDeadLetterDoesNotSayWhereItCameFrom(t *testing.T) {
	d := Record{Source: schema.Source{Topic: "in", TopicID: schema.TopicID{0xab}, Partition: 3}, Offset: 7, Item: 2, Reason: "not_json",
		Detail: "byte 4", Key: []byte("k"), Value: []byte("secret bytes"), At: 12345}
	r, headers := write(t, d)
	if r.Topic != wire.DeadLettersTopic || string(r.Key) != "k" || string(r.Value) != "secret bytes" {
		t.Errorf("%s %q %q", r.Topic, r.Key, r.Value)
	}
	for key, want := range map[string]string{
		wire.HeaderReason: "not_json", wire.HeaderDetail: "byte 4", wire.HeaderTopic: "in", wire.HeaderPartition: "3", wire.HeaderOffset: "7",
		wire.HeaderItem: "2", wire.HeaderAt: "12345", wire.HeaderTopicID: "ab" + strings.Repeat("0", 30),
		"__connect.errors.topic": "in", "__connect.errors.partition": "3", "__connect.errors.offset": "7",
		"__connect.errors.exception.class.name": "not_json", "__connect.errors.exception.message": "byte 4",
	} {
		if headers[key] != want {
			t.Errorf("header %s is %q, want %q", key, headers[key], want)
		}
	}
	if _, ok := headers[wire.HeaderReplayOf]; ok {
		t.Error("it counts as a replay")
	}
	d.ReplayOf = "in/0/1/0"
	if _, headers = write(t, d); headers[wire.HeaderReplayOf] != "in/0/1/0" {
		t.Errorf("the place that it is a replay of is %q", headers[wire.HeaderReplayOf])
	}
}

func TestHugeItemIsTooLargeForTheTopic(t *testing.T) {
	r, headers := write(t, Record{Reason: "too_large", Detail: "9 MiB", Value: bytes.Repeat([]byte("x"), MaxValue+1)})
	if len(r.Value) != MaxValue || headers[wire.HeaderDetail] != "9 MiB; 8388608 of 8388609 bytes kept" {
		t.Errorf("%d bytes, detail %q", len(r.Value), headers[wire.HeaderDetail])
	}
}

// The error names the item and contains none of its bytes.
func TestErrorHoldsTheItem(t *testing.T) {
	bad := errors.New("bad")
	Write(context.Background(), &producer{err: bad}, Record{Source: schema.Source{Topic: "in"}, Offset: 7, Item: 2, Reason: "not_json",
		Key: []byte("hunter2"), Value: []byte("hunter2")}, func(err error) {
		if !errors.Is(err, bad) || !strings.Contains(err.Error(), "offset 7 item 2") || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	})
}
