package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestLossIsTakenForAnother(t *testing.T) {
	one, two := schema.TopicID{1}, schema.TopicID{2}
	recreated, expired := loss(schema.LossRecreated, 0, 9, 0, 0), loss(schema.LossExpired, 9, 20, 11, 0)
	for name, c := range map[string]struct {
		n    Noted
		now  LogState
		from int64
		want schema.LogLoss
	}{
		"nothing read yet":     {Noted{Next: -1, LeaderEpoch: -1}, LogState{Start: 3, End: 9, Same: 9}, 3, schema.LogLoss{}},
		"whole":                {Noted{TopicID: one, Next: 5, LeaderEpoch: 2}, LogState{TopicID: one, End: 9, Same: 9}, 5, schema.LogLoss{}},
		"read to the end":      {Noted{Next: 9, LeaderEpoch: 2, End: 9}, LogState{End: 9, Same: 9}, 9, schema.LogLoss{}},
		"new leader, no loss":  {Noted{Next: 5, LeaderEpoch: 2, End: 9}, LogState{End: 9, Same: 7, LeaderEpoch: 3}, 5, schema.LogLoss{}},
		"nothing was read":     {Noted{Next: 0, LeaderEpoch: -1}, LogState{}, 0, schema.LogLoss{}},
		"cut":                  {Noted{Next: 9, LeaderEpoch: 2, End: 9}, LogState{End: 6, Same: 6}, 6, loss(schema.LossCut, 6, 9, 3, 3)},
		"cut, part was unread": {Noted{Next: 7, LeaderEpoch: 2, End: 9}, LogState{End: 6, Same: 6}, 6, loss(schema.LossCut, 6, 9, 3, 1)},
		"only unread lost":     {Noted{Next: 5, LeaderEpoch: 2, End: 9}, LogState{End: 6, Same: 6}, 5, loss(schema.LossCut, 6, 9, 3, 0)},
		"all lost":             {Noted{Next: 9, LeaderEpoch: 2}, LogState{}, 0, loss(schema.LossCut, 0, 9, 9, 9)},
		"refilled":             {Noted{Next: 9, LeaderEpoch: 2}, LogState{End: 30, Same: 6}, 6, loss(schema.LossRefilled, 6, 9, 3, 3)},
		"recreated":            {Noted{TopicID: one, Next: 9}, LogState{TopicID: two, End: 30, Same: 30}, 0, recreated},
		"expired":              {Noted{Next: 9, LeaderEpoch: 2}, LogState{Start: 20, End: 30, Same: 30}, 20, expired},
		"cut below the start":  {Noted{Next: 9, LeaderEpoch: 2}, LogState{Start: 8, End: 30, Same: 6}, 8, loss(schema.LossRefilled, 6, 9, 3, 3)},
	} {
		from, got := Compare(c.n, c.now)
		if from != c.from || (got == nil) != (c.want == schema.LogLoss{}) || got != nil && *got != c.want {
			t.Errorf("%s: from %d, %+v; want from %d, %+v", name, from, got, c.from, c.want)
		}
	}
}

func loss(kind schema.LossKind, from, to, records, read int64) schema.LogLoss {
	return schema.LogLoss{Kind: kind, From: from, To: to, Records: records, Read: read}
}

// Positions after a loss come after all positions before it, whatever the leader epoch does.
func TestEpochIsGivenTwice(t *testing.T) {
	cut, expired := &schema.LogLoss{Kind: schema.LossCut}, &schema.LogLoss{Kind: schema.LossExpired}
	for name, c := range map[string]struct {
		before Epochs
		known  bool
		used   int64
		leader int32
		loss   *schema.LogLoss
		want   int64 // epoch of new positions
	}{
		"no loss":                                 {Epochs{}, true, 4, 4, nil, 4},
		"new leader":                              {Epochs{}, true, 4, 5, nil, 5},
		"loss with a new leader":                  {Epochs{}, true, 4, 5, cut, 5},
		"loss without a new leader":               {Epochs{}, true, 4, 4, cut, 5},
		"a recreated topic begins with leader 0":  {Epochs{}, true, 4, 0, cut, 5},
		"a recreated topic whose leader rose":     {Epochs{}, true, 4, 2, &schema.LogLoss{Kind: schema.LossRecreated}, 7},
		"state of the version before":             {Epochs{}, false, 0, 7, nil, 0},
		"state of the version before with losses": {Epochs{}, false, 2, 7, nil, 2},
		"loss before the first note":              {Epochs{}, false, 0, 7, cut, 1},
		"shifted":                                 {Epochs{Shift: -7}, true, 0, 8, nil, 1},
		"deleted records need no new epoch":       {Epochs{}, true, 4, 4, expired, 4},
	} {
		e := EpochsAfter(c.before, c.known, c.used, LogState{LeaderEpoch: c.leader}, c.loss)
		at := e.Position(c.leader, 10)
		if schema.PositionEpoch(at) != c.want || schema.KafkaOffset(at) != 10 || c.loss != nil && c.loss.Epoch != c.want {
			t.Errorf("%s: epoch %d, want %d; %+v", name, schema.PositionEpoch(at), c.want, c.loss)
		}
		if first := schema.PositionEpoch(e.Position(0, 0)); c.loss != nil && c.loss.Kind == schema.LossRecreated && first <= c.used {
			t.Errorf("%s: the first records of the topic have epoch %d, which was used", name, first)
		}
	}
}

// A reader to whom repeats do no harm reads again what may be new.
func TestReaderSkipsRecordsOfARefilledLog(t *testing.T) {
	for name, c := range map[string]struct {
		n    Noted
		now  LogState
		want int64
	}{
		"the leader epoch rose":      {Noted{Next: 9, LeaderEpoch: 2}, LogState{End: 30, Same: 6, LeaderEpoch: 3}, 6},
		"it did not rise":            {Noted{Next: 9, LeaderEpoch: 2}, LogState{Start: 1, End: 6, Same: 6, LeaderEpoch: 2}, 1},
		"it was not noted":           {Noted{Next: 9, LeaderEpoch: -1}, LogState{Start: 1, End: 6, Same: 6, LeaderEpoch: 2}, 1},
		"records were deleted":       {Noted{Next: 9, LeaderEpoch: -1}, LogState{Start: 12, End: 20, Same: 20, LeaderEpoch: 2}, 12},
		"nothing was lost":           {Noted{Next: 9, LeaderEpoch: -1}, LogState{Start: 1, End: 20, Same: 20, LeaderEpoch: 2}, 9},
		"recreated with a new start": {Noted{Next: 9, LeaderEpoch: 4}, LogState{Start: 0, End: 3, Same: 3, LeaderEpoch: 0}, 0},
	} {
		if from, _ := resumePoint(c.n, c.now); from != c.want {
			t.Errorf("%s: from %d, want %d", name, from, c.want)
		}
	}
}

func TestStateOfALogIsLookedUpWrongly(t *testing.T) {
	cluster := kafkatest.Start(t, kfake.SeedTopics(2, "in"))
	m := NewMetrics(prometheus.NewRegistry())
	cfg := Config{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Metrics: m}
	client, err := cfg.NewClient("test", kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	if _, err := EnsureTopics(ctx, kadm.NewClient(client), TopicOptions{Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	write := func(n int) {
		for range n {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: "in", Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func(epoch int32) LogState {
		fresh, err := cfg.NewClient("test") // without metadata of before
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		states, err := LogStates(ctx, fresh, []Noted{{Topic: "in", Partition: 1, Next: 4, LeaderEpoch: epoch}})
		if err != nil {
			t.Fatal(err)
		}
		return states[0]
	}
	write(5)
	cluster.ShufflePartitionLeaders()
	if s := look(0); s.Same != 5 || s.End != 5 || s.LeaderEpoch != 1 { // nothing was written in epoch 1 yet
		t.Errorf("%+v", s)
	}
	write(3)
	for epoch, same := range map[int32]int64{-1: 8, 0: 5, 1: 8, 9: 8} {
		if s := look(epoch); s.Same != same || s.End != 8 || s.Start != 0 || s.TopicID == (schema.TopicID{}) {
			t.Errorf("epoch %d: %+v", epoch, s)
		}
	}
	if err := cluster.DeleteRecords("in", 1, 2); err != nil {
		t.Fatal(err)
	}
	if s := look(0); s.Start != 2 {
		t.Errorf("%+v", s)
	}
	if _, err := LogStates(ctx, client, []Noted{{Topic: "missing", LeaderEpoch: -1}}); err == nil {
		t.Error("no error for a topic that does not exist")
	}

	cfg.ReportLosses(ctx, "ingest", time.Now(), []*schema.LogLoss{{
		Topic: "in", Partition: 1, Kind: schema.LossCut, From: 3, To: 7, Records: 4,
	}})
	if n := testutil.ToFloat64(m.losses.WithLabelValues("in", "cut")); n != 1 {
		t.Errorf("%v losses are counted", n)
	}
	if n := testutil.ToFloat64(m.lost); n != 4 {
		t.Errorf("%v records are counted", n)
	}
	var found []schema.LogLoss
	if _, err := ReadToEnd(ctx, cfg, "test", wire.EventsTopic, nil, func(r *kgo.Record) error {
		e, err := wire.DecodeEvent(r.Value)
		if err == nil && e.Kind == schema.EventLogLoss {
			found = append(found, *e.Loss)
		}
		return err
	}); err != nil || len(found) != 1 || found[0].Component != "ingest" || found[0].NoticedAt == 0 || found[0].Records != 4 {
		t.Errorf("%+v %v", found, err)
	}
}
