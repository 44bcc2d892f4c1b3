package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// commit commits an offset of partition 0 for ingest, as an earlier process did. With a leader epoch, it stores the note, too.
func (w *world) commit(at int64, leaderEpoch int32, metadata string) {
	w.t.Helper()
	o := kadm.Offsets{}
	o.Add(kadm.Offset{Topic: "in", Partition: 0, At: at, LeaderEpoch: leaderEpoch, Metadata: metadata})
	if err := kadm.NewClient(w.client).CommitAllOffsets(context.Background(), wire.IngestGroup, o); err != nil {
		w.t.Fatal(err)
	}
	if leaderEpoch < 0 {
		return
	}
	n := kadm.Offsets{}
	n.Add(note(key{"in", 0}, w.cluster.TopicInfo("in").TopicID, kafka.Epochs{}))
	if err := kadm.NewClient(w.client).CommitAllOffsets(context.Background(), wire.IngestNotesGroup, n); err != nil {
		w.t.Fatal(err)
	}
}

// ready waits until partitions are assigned.
func (w *world) ready(s *Source) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); s.Ready() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal(s.Ready())
		}
	}
}

// forgetNotes deletes the group of notes, as Kafka does when its offsets are old.
func (w *world) forgetNotes() {
	w.t.Helper()
	adm := kadm.NewClient(w.client)
	if _, err := adm.DeleteGroup(context.Background(), wire.IngestNotesGroup); err != nil {
		w.t.Fatal(err)
	}
	if w.noted() != "" {
		w.t.Fatal("the note is still there")
	}
}

// noted returns the note about partition 0.
func (w *world) noted() string {
	w.t.Helper()
	stored, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), wire.IngestNotesGroup)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		w.t.Fatal(err)
	}
	o, _ := stored.Lookup("in", 0)
	return o.Metadata
}

func (w *world) topicID() string { return topicIDMetadata(w.cluster.TopicInfo("in").TopicID) }

func (w *world) sendNumbered(from, n int) {
	for i := range n {
		w.send(0, fmt.Sprint("w", from+i))
	}
}

// losses returns the losses in flyball.events, shortened.
func (w *world) losses() string {
	w.t.Helper()
	var out []string
	_, err := kafka.ReadToEnd(context.Background(), kafka.Config{Options: w.opts}, "test", wire.EventsTopic, nil, func(r *kgo.Record) error {
		e, err := wire.DecodeEvent(r.Value)
		if err == nil && e.Loss != nil {
			l := e.Loss
			out = append(out, fmt.Sprintf("%s %s/%d %d-%d records %d read %d epoch %d", l.Kind, l.Topic, l.Partition, l.From, l.To,
				l.Records, l.Read, l.Epoch))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(out, "; ")
}

// wantLosses checks the losses that were reported, after all readers have ended.
func (w *world) wantLosses(want string) {
	w.t.Helper()
	if got := w.losses(); got != want {
		w.t.Errorf("losses %q, want %q", got, want)
	}
}

// awaitCommitted waits until an offset of partition 0 is committed.
func (w *world) awaitCommitted(offset int64) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); w.committed()[0] != offset; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("offset %d is committed, want %d", w.committed()[0], offset)
		}
	}
}

// offsetsIn returns the positions' offsets in Kafka of an epoch.
func offsetsIn(positions map[string]int, epoch int64) (n int) {
	for p := range positions {
		var at schema.Position
		_, err := fmt.Sscanf(p[strings.LastIndex(p, "{"):], "{%d %d}", &at.Offset, &at.Item)
		if err == nil && schema.PositionEpoch(at.Offset) == epoch {
			n++
		}
	}
	return n
}

// The log lost its end and was written again beyond the committed offset: its offsets are those of records that were read.
func TestRefilledLogPassesForTheOldOne(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(15, 0, w.topicID()) // records 10 to 14 of epoch 0 were read, and then lost
	w.cluster.ShufflePartitionLeaders()
	w.sendNumbered(10, 30)
	_, stop := w.start()
	if got := w.emitted(30); offsetsIn(got, 1) != 30 {
		t.Errorf("%d of 30 new records have positions that no record had: %v", offsetsIn(got, 1), got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, stop = w.start()
	w.sendNumbered(40, 5)
	if got := w.emitted(35); offsetsIn(got, 1) != 35 {
		t.Errorf("%d of 35 records are in epoch 1: %v", offsetsIn(got, 1), got)
	}
	_ = stop()
	w.wantLosses("refilled in/0 10-15 records 5 read 5 epoch 1")
}

// Nothing was read between the loss and the next start.
func TestSecondStartAfterALossForgetsTheEpoch(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(15, 0, w.topicID())
	w.cluster.ShufflePartitionLeaders()
	for range 2 {
		_, stop := w.start()
		w.awaitCommitted(10)
		_ = stop()
	}
	_, stop := w.start()
	w.sendNumbered(10, 5)
	if got := w.emitted(5); offsetsIn(got, 1) != 5 {
		t.Errorf("%d of 5 records are in epoch 1: %v", offsetsIn(got, 1), got)
	}
	_ = stop()
	w.wantLosses("cut in/0 10-15 records 5 read 5 epoch 1")
}

func TestCutLogWithoutANewLeaderReusesPositions(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(15, 0, w.topicID())
	s, stop := w.start()
	w.ready(s)
	w.sendNumbered(10, 20)
	if got := w.emitted(20); offsetsIn(got, 1) != 20 {
		t.Errorf("%d of 20 new records have positions that no record had: %v", offsetsIn(got, 1), got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// The next process continues in the same epoch.
	_, stop = w.start()
	w.sendNumbered(30, 5)
	if got := w.emitted(25); offsetsIn(got, 1) != 25 {
		t.Errorf("%d of 25 records are in epoch 1: %v", offsetsIn(got, 1), got)
	}
	_ = stop()
	w.wantLosses("cut in/0 10-15 records 5 read 5 epoch 1")
}

func TestRecreatedTopicContinuesAtTheOldOffset(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(4, 0, topicIDMetadata(schema.TopicID{9}))
	_, stop := w.start()
	w.emitted(10)
	_ = stop()
	w.wantLosses("recreated in/0 0-4 records 0 read 0 epoch 0")
}

func TestRecordsBelowRetentionAreLostInSilence(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(3, 0, w.topicID())
	if err := w.cluster.DeleteRecords("in", 0, 8); err != nil {
		t.Fatal(err)
	}
	_, stop := w.start()
	w.emitted(2)
	_ = stop()
	w.wantLosses("expired in/0 3-8 records 5 read 0 epoch 0")
}

// Retention may overtake a reader that is running: Kafka's client goes on at the start of the log without an error.
func TestRecordsThatExpireBeforeARunningReaderAreLostInSilence(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 3)
	var held atomic.Bool
	var refused atomic.Int64
	w.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if held.Load() {
			refused.Add(1)
			return nil, errors.New("held"), true
		}
		return nil, nil, false
	})
	_, stop := w.start()
	w.emitted(3)
	held.Store(true)
	for refused.Load() < 2 { // no fetch from before is waiting for records any more
		time.Sleep(10 * time.Millisecond)
	}
	w.sendNumbered(3, 10)
	if err := w.cluster.DeleteRecords("in", 0, 8); err != nil {
		t.Fatal(err)
	}
	held.Store(false)
	w.emitted(8)
	_ = stop()
	w.wantLosses("expired in/0 3-8 records 5 read 0 epoch 0")
}

// The version before committed no leader epoch, and its positions were offsets. Its records that are read again must be known as such.
func TestOffsetOfTheVersionBeforeBeginsANewEpoch(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.cluster.ShufflePartitionLeaders()
	}
	w.sendNumbered(0, 10)
	w.commit(6, -1, w.topicID())
	_, stop := w.start()
	if got := w.emitted(4); offsetsIn(got, 0) != 4 {
		t.Errorf("%v", got)
	}
	_ = stop()
	w.cluster.ShufflePartitionLeaders()
	w.sendNumbered(10, 5)
	_, stop = w.start()
	if got := w.emitted(9); offsetsIn(got, 0) != 4 || offsetsIn(got, 1) != 5 {
		t.Errorf("%v", got)
	}
	_ = stop()
	w.wantLosses("")
}

// An input that was created again, or lost its first records, has no record yet: its committed offset must not be one that it
// does not have.
func TestCommittedOffsetStaysBeyondTheEnd(t *testing.T) {
	w := newWorld(t)
	w.commit(4, 0, topicIDMetadata(schema.TopicID{9}))
	_, stop := w.start()
	w.awaitCommitted(0)
	_ = stop()
	committed, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), wire.IngestGroup)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := committed.Lookup("in", 0); c.Metadata != w.topicID() || c.LeaderEpoch != 0 {
		t.Errorf("%+v", c)
	}
	_, stop = w.start()
	w.sendNumbered(0, 3)
	w.emitted(3)
	_ = stop()
	w.wantLosses("recreated in/0 0-4 records 0 read 0 epoch 0")
}

// Kafka forgot the note about a partition whose positions are in a higher epoch than its records' leader epoch.
func TestForgottenNoteDropsNewCalls(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(15, 0, w.topicID())
	_, stop := w.start()
	w.awaitCommitted(10)
	w.sendNumbered(10, 5)
	if got := w.emitted(5); offsetsIn(got, 1) != 5 {
		t.Fatalf("%v", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.forgetNotes()
	for range 2 { // the second start finds a note
		s, stop := w.start()
		w.ready(s)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	s, stop := w.start()
	w.sendNumbered(15, 5)
	w.emitted(10) // also verifies that positions only rise
	if shift := s.current()[key{"in", 0}].epochs.Shift; shift <= 1 {
		t.Errorf("shift %d, the positions before had 1", shift)
	}
	_ = stop()
}

// An ingest that runs for longer than Kafka keeps the offsets of a group without members.
func TestNoteIsForgottenWhileIngestRuns(t *testing.T) {
	w := newWorld(t)
	w.sendNumbered(0, 10)
	w.commit(15, 0, w.topicID())
	var later atomic.Int64
	s, stop := w.start(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) } })
	w.ready(s)
	before := w.noted()
	if before != epochsMetadata(w.cluster.TopicInfo("in").TopicID, kafka.Epochs{Shift: 1}) {
		t.Fatalf("note %q", before)
	}
	w.forgetNotes()
	later.Store(int64(24 * time.Hour))
	for end := time.Now().Add(20 * time.Second); w.noted() == "" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if got := w.noted(); got != before {
		t.Errorf("note %q a day later, want %q", got, before)
	}
	_ = stop()
}

// What is committed can be read by the version before.
func TestCommitIsUnknownToTheVersionBefore(t *testing.T) {
	w := newWorld(t)
	_, stop := w.start()
	w.sendNumbered(0, 5)
	w.emitted(5)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	committed, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), wire.IngestGroup)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := committed.Lookup("in", 0); !ok || c.At != 5 || c.Metadata != w.topicID() || c.LeaderEpoch != 0 {
		t.Errorf("%+v", c)
	}
	// Nothing changed: the next start reports no loss and repeats nothing.
	_, stop = w.start()
	w.sendNumbered(5, 1)
	for p, n := range w.emitted(6) {
		if n != 1 {
			t.Errorf("%s was written %d times", p, n)
		}
	}
	_ = stop()
	w.wantLosses("")
}
