package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config is what all Kafka clients of a process share.
type Config struct {
	// Options reach the brokers: seed brokers, TLS, SASL, client id.
	Options []kgo.Opt
	// Log takes the warnings of clients and consumers; nil discards them.
	Log *Log
	// Metrics counts errors and traffic; nil counts nothing.
	Metrics *Metrics
}

// NewClient makes a client of the process's brokers. name says which one it is in
// logs and metrics ("detect", "detect-produce"), so it must be one of few. Options
// given here come after those of the process and override them.
//
// Only this function makes clients in the product; the layout test holds it.
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

// Producer sends records. *kgo.Client is one.
type Producer interface {
	// Produce sends in order; done is called once, from another goroutine.
	Produce(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error))
	// ProduceSync sends and waits until every record is acknowledged or has failed.
	ProduceSync(ctx context.Context, r ...*kgo.Record) kgo.ProduceResults
}

// ProduceCallback makes the callback of records that nobody waits for. An error is
// counted under the client's name and logged at a limited rate; what says what was
// not written ("heartbeat"). A permanent error is also handed to onPermanent, unless
// that is nil. An end that was asked for (a cancelled context, a closed client) is no
// error.
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
