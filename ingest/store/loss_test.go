package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// The journal lost its end and was written again beyond the committed offset.
func TestRowsOfARefilledJournalAreSkipped(t *testing.T) {
	c := kafkatest.Start(t, kfake.SeedTopics(1, wire.JournalTopic, wire.DeadLettersTopic, wire.EventsTopic))
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	write := func(from, n int64, epoch int64) {
		for i := from; i < from+n; i++ {
			at := schema.PositionOffset(epoch, i)
			j := wire.Journal{CallsTopicID: schema.TopicID{1}, From: at, To: at,
				Sections: []wire.Section{{Table: "calls_store", Rows: 1, Native: fmt.Append(nil, "row", at)}}}
			r := &kgo.Record{Topic: wire.JournalTopic, Value: wire.EncodeJournal(nil, &j)}
			if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(0, 10, 0)
	o := kadm.Offsets{}
	o.Add(kadm.Offset{Topic: wire.JournalTopic, At: 15, LeaderEpoch: 0}) // five more were read, and then lost
	if err := kadm.NewClient(client).CommitAllOffsets(context.Background(), wire.StoreGroup, o); err != nil {
		t.Fatal(err)
	}
	c.ShufflePartitionLeaders()
	write(10, 20, 1)

	db := &memory{tables: map[string][]string{}}
	options := DefaultOptions()
	options.MaxAge, options.Backoff, options.MaxBackoff = 10*time.Millisecond, time.Millisecond, 10*time.Millisecond
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := New(options, kafka.Config{Options: opts, Metrics: kafka.NewMetrics(nil)}, db, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	await(t, "20 rows", func() bool { return db.rows("calls_store") >= 20 })
	await(t, "the loss", func() bool { return db.rows("log_losses_store") == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := db.rows("calls_store"); n != 20 {
		t.Errorf("%d rows, 20 are new", n)
	}
}

// The dead letters were cut, and no further one comes: the committed offset must not stay beyond the end of the topic.
func TestCommittedOffsetStaysBeyondTheEnd(t *testing.T) {
	for name, left := range map[string]int{"empty": 0, "cut": 3} {
		t.Run(name, func(t *testing.T) {
			c := kafkatest.Start(t, kfake.SeedTopics(1, wire.JournalTopic, wire.DeadLettersTopic, wire.EventsTopic))
			opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
			client, err := kgo.NewClient(opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for range left {
				j := wire.Journal{CallsTopicID: schema.TopicID{1}}
				if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: wire.JournalTopic,
					Value: wire.EncodeJournal(nil, &j)}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			groups := map[string]string{wire.StoreGroup: wire.JournalTopic}
			if left == 0 {
				groups = map[string]string{wire.StoreDeadGroup: wire.DeadLettersTopic, wire.StoreGroup: wire.JournalTopic}
			}
			adm := kadm.NewClient(client)
			for group, topic := range groups {
				o := kadm.Offsets{}
				o.Add(kadm.Offset{Topic: topic, At: 15, LeaderEpoch: 0})
				if err := adm.CommitAllOffsets(t.Context(), group, o); err != nil {
					t.Fatal(err)
				}
			}
			options := DefaultOptions()
			log := slog.New(slog.DiscardHandler)
			s, err := New(options, kafka.Config{Options: opts, Metrics: kafka.NewMetrics(nil)}, &memory{tables: map[string][]string{}}, log, nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			for group, topic := range groups {
				await(t, "an offset of "+group+" within the log", func() bool {
					committed, err := adm.FetchOffsets(context.Background(), group)
					o, ok := committed.Lookup(topic, 0)
					return err == nil && ok && o.At <= int64(left)
				})
			}
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	}
}
