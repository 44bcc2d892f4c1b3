package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config holds the settings that all Kafka clients of a process share.
type Config struct {
	// Options are the options of the connection: seed brokers, TLS, SASL, client id.
	Options []kgo.Opt
	// Remote describes the connection, for errors.
	Remote Remote
	// Log receives the warnings of clients and consumers; nil discards them.
	Log *Log
	// Metrics counts errors and traffic; nil counts nothing.
	Metrics *Metrics
}

// NewClient makes a client of the process's brokers. name identifies the client in logs and
// metrics ("detect", "detect-produce"), so the set of names must be small. opts come after the
// options of the process and override them.
//
// Only this function makes clients in the product; the layout test checks this.
func (c Config) NewClient(name string, opts ...kgo.Opt) (*kgo.Client, error) {
	all := make([]kgo.Opt, 0, len(c.Options)+len(opts)+2)
	all = append(all, c.Options...)
	all = append(all, opts...)
	if c.Log != nil {
		all = append(all, kgo.WithLogger(&clientLogger{c.Log, name}))
	}
	if c.Metrics != nil {
		all = append(all, kgo.WithHooks(&clientHooks{c.Metrics, name}))
	}
	client, err := kgo.NewClient(all...)
	if err != nil {
		return nil, fmt.Errorf("make the Kafka client %s: %w", name, err)
	}
	return client, nil
}

// Producer sends records. *kgo.Client implements it.
type Producer interface {
	// Produce sends records in order. It calls done once, from another goroutine.
	Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error))
	// ProduceSync sends records and waits until each is acknowledged or has failed.
	ProduceSync(ctx context.Context, r ...*kgo.Record) kgo.ProduceResults
}

// ProduceCallback returns a callback for records whose result the producer does not wait for.
// It counts an error under the client's name and logs it at a limited rate; what names the
// kind of record ("heartbeat"). A permanent error is also passed to onPermanent, unless that
// is nil. A cancelled context or a closed client is not an error.
func (c Config) ProduceCallback(client, what string, onPermanent func(error)) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		if err == nil || isEnd(err) {
			return
		}
		topic := ""
		if r != nil {
			topic = r.Topic
		}
		c.Metrics.Error(client, OpProduce, err)
		c.Log.Warn("produce "+client+" "+what, "record not written", "client", client, "what", what, "topic", topic, "error", err)
		if onPermanent != nil && IsPermanent(err) {
			onPermanent(fmt.Errorf("write %s to %s: %w", what, topic, err))
		}
	}
}
