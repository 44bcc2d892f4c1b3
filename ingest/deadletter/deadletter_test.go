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
	Write(context.Background(), &p, nil, d, func(err error) {
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
	Write(context.Background(), &producer{err: bad}, nil, Record{Source: schema.Source{Topic: "in"}, Offset: 7, Item: 2, Reason: "not_json",
		Key: []byte("hunter2"), Value: []byte("hunter2")}, func(err error) {
		if !errors.Is(err, bad) || !strings.Contains(err.Error(), "offset 7 item 2") || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	})
}

// A secret of a known form is not in the topic, and a replay sends what came.
func TestRedactedLetterOpensToWhatCame(t *testing.T) {
	seal, err := NewSeal([]byte("the key of the deployment"))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := NewSeal([]byte("another key"))
	const canary = "c4naryS3cret"
	value := `{"authorization":"Bearer ` + canary + `","broken":`
	write := func(d Record) *kgo.Record {
		var p producer
		Write(context.Background(), &p, seal, d, func(error) {})
		return p.record
	}
	d := Record{Source: schema.Source{Topic: "in", Partition: 3}, Offset: 7, Item: 2, Reason: "not_json", Key: []byte("token=" + canary),
		Value: []byte(value)}
	r := write(d)
	for _, part := range append([]kgo.RecordHeader{{Key: "key", Value: r.Key}, {Key: "value", Value: r.Value}}, r.Headers...) {
		if bytes.Contains(part.Value, []byte(canary)) {
			t.Errorf("%s holds the secret: %q", part.Key, part.Value)
		}
	}
	key, got, err := seal.Original(r)
	if err != nil || string(key) != "token="+canary || string(got) != value {
		t.Errorf("%q %q %v", key, got, err)
	}
	if _, _, err := other.Original(r); !errors.Is(err, errNoOriginal) {
		t.Errorf("with another key: %v", err)
	}
	for i, h := range r.Headers {
		if h.Key == wire.HeaderOffset {
			moved := *r
			moved.Headers = append([]kgo.RecordHeader{}, r.Headers...)
			moved.Headers[i].Value = []byte("8")
			if _, _, err := seal.Original(&moved); err == nil {
				t.Error("the original opens as that of another letter")
			}
		}
	}
	plain := write(Record{Source: schema.Source{Topic: "in"}, Value: []byte(`{"no":"idea"}`)})
	if key, got, err := other.Original(plain); err != nil || key != nil || string(got) != `{"no":"idea"}` {
		t.Errorf("a letter without secrets, or of an earlier version: %q %q %v", key, got, err)
	}
}

// A redacted letter and its seal fit into the largest record of the topic.
func TestLargestRedactedLetterFits(t *testing.T) {
	seal, err := NewSeal([]byte("the key of the deployment"))
	if err != nil {
		t.Fatal(err)
	}
	var p producer
	value := []byte(`{"token":"x","a":"` + strings.Repeat("x", MaxValue))
	Write(context.Background(), &p, seal, Record{Value: value}, func(error) {})
	size := len(p.record.Key) + len(p.record.Value)
	for _, h := range p.record.Headers {
		size += len(h.Key) + len(h.Value)
	}
	if size > MaxValue+2*maxShown {
		t.Errorf("%d bytes", size)
	}
	if _, got, err := seal.Original(p.record); err != nil || !bytes.Equal(got, value[:MaxValue]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
