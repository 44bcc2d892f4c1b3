package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lagOf reads the lag of group g in topic t, by partition.
func lagOf(t *testing.T, client *kgo.Client, topics ...string) []PartitionLag {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := ReadLag(ctx, kadm.NewClient(client), []GroupTopics{{Group: "g", Topics: topics}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func produce(t *testing.T, client *kgo.Client, part int32, n int) {
	t.Helper()
	for range n {
		if err := client.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Partition: part, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func commit(t *testing.T, client *kgo.Client, part int32, at int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "t", Partition: part, At: at, LeaderEpoch: -1})
	if err := kadm.NewClient(client).CommitAllOffsets(context.Background(), "g", offsets); err != nil {
		t.Fatal(err)
	}
}

// A group whose members have all ended, and one that never had any, have the lag that Kafka holds.
func TestLagOfPartitionsWithoutALiveMember(t *testing.T) {
	b := newBench(t, 2, "t")
	client := b.client(t, "test")
	produce(t, client, 0, 5)
	produce(t, client, 1, 3)
	got := lagOf(t, client, "t")
	if len(got) != 2 || got[0].Records != 5 || got[1].Records != 3 || !got[0].Never {
		t.Fatalf("nobody ever read: %+v, want every record", got)
	}
	commit(t, client, 0, 4)
	got = lagOf(t, client, "t")
	if got[0].Records != 1 || got[0].Never || got[1].Records != 3 || !got[1].Never {
		t.Fatalf("after a commit of one partition: %+v", got)
	}
	produce(t, client, 0, 2)
	if got = lagOf(t, client, "t"); got[0].Records != 3 {
		t.Fatalf("records that came after the last member ended: %+v, want 3", got[0])
	}
	got[0].Advance(6)
	if got[0].Records != 1 {
		t.Fatalf("a member has handled up to 6: %+v, want 1", got[0])
	}
	got[0].Advance(2)
	if got[0].Records != 1 {
		t.Fatalf("a member behind the commit: %+v, want 1", got[0])
	}
}

func TestLagOfATopicThatDoesNotExist(t *testing.T) {
	b := newBench(t, 1, "t")
	got := lagOf(t, b.client(t, "test"), "t", "nowhere")
	if len(got) != 2 || got[0].Err != nil || !errors.Is(got[1].Err, ErrNoSuchTopic) {
		t.Fatalf("%+v, want no such topic for the second alone", got)
	}
}

func TestLagCountsWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		name                  string
		start, end, committed int64
		known                 bool
		records, deleted      int64
	}{
		{"never committed", 10, 30, 0, false, 20, 0},
		{"all read", 10, 30, 30, true, 0, 0},
		{"some unread", 10, 30, 25, true, 5, 0},
		{"deleted before it was read", 10, 30, 4, true, 20, 6},
		{"the log lost its end", 5, 30, 40, true, 25, 0},
		{"empty", 10, 10, 0, false, 0, 0},
	} {
		var l PartitionLag
		l.set(c.start, c.end, c.committed, c.known)
		if l.Records != c.records || l.Deleted != c.deleted || l.Never == c.known {
			t.Errorf("%s: %+v, want %d records, %d deleted", c.name, l, c.records, c.deleted)
		}
	}
}

// Whoever had read further than the log goes now has read nothing of what is in it.
func TestLagIsZeroAfterTheTopicWasMadeAnew(t *testing.T) {
	b := newBench(t, 1, "t")
	client := b.client(t, "test")
	produce(t, client, 0, 5)
	commit(t, client, 0, 40)
	got := lagOf(t, client, "t")
	if got[0].Records != 5 || got[0].Ahead != 35 || got[0].Err != nil {
		t.Fatalf("%+v, want the 5 records of the log, 35 lost", got[0])
	}
	got[0].Advance(40)
	if got[0].Records != 5 {
		t.Fatalf("a member that read the lost records: %+v, want 5", got[0])
	}
	got[0].Advance(2)
	if got[0].Records != 3 {
		t.Fatalf("a member that reads the log: %+v, want 3", got[0])
	}
}

// The end is read before the committed offset, which traffic moves on between both.
func TestCommitAfterTheEndWasReadIsCalledALoss(t *testing.T) {
	b := newBench(t, 1, "t")
	client, other := b.client(t, "test"), b.client(t, "other")
	produce(t, client, 0, 5)
	commit(t, client, 0, 5)
	b.ControlKey(int16(kmsg.OffsetFetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.SleepControl(func() {
			produce(t, other, 0, 3)
			commit(t, other, 0, 8)
		})
		return nil, nil, false
	})
	if got := lagOf(t, client, "t"); got[0].Records != 0 || got[0].Ahead != 0 || got[0].End != 8 {
		t.Fatalf("%+v, want nothing unread and nothing lost", got[0])
	}
}

func TestLagIsNotKnownWhenNoBrokerAnswers(t *testing.T) {
	b := newBench(t, 1, "t")
	client := b.client(t, "test")
	b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if got, err := ReadLag(ctx, kadm.NewClient(client), []GroupTopics{{Group: "g", Topics: []string{"t"}}}); err == nil {
		t.Fatalf("%+v, want an error", got)
	}
}
