package engine

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// onDisk is a log whose broker can be stopped, damaged and started again.
func onDisk(t *testing.T) (l *log, dir string) {
	dir = t.TempDir()
	l = &log{t: t}
	l.open(dir)
	if _, err := kafka.EnsureTopics(context.Background(), kadm.NewClient(l.client),
		kafka.TopicOptions{Partitions: parts, Replication: 1, BrokerTrims: true}); err != nil {
		t.Fatal(err)
	}
	return l, dir
}

func (l *log) open(dir string) {
	l.t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	l.cluster, l.opts = c, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	if l.client, err = kgo.NewClient(append(l.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(l.client.Close)
}

// restart stops the broker, changes the segments of a partition, and starts it again. raise gives all
// partitions a higher leader epoch, as Kafka does.
func (l *log) restart(dir, partition string, keep func(size int64) int64, raise bool) {
	l.t.Helper()
	l.client.Close()
	l.cluster.Close()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".dat") && filepath.Base(filepath.Dir(path)) == partition {
			if info, err := d.Info(); err == nil {
				return os.Truncate(path, keep(info.Size()))
			}
		}
		return err
	})
	l.open(dir)
	if raise {
		l.cluster.ShufflePartitionLeaders()
	}
}

func (l *log) end(topic string) int64 { return l.cluster.PartitionInfo(topic, 0).HighWatermark }

// losses returns the losses in flyball.events.
func (l *log) losses() (out []schema.LogLoss) {
	l.t.Helper()
	_, err := kafka.ReadToEnd(context.Background(), kafka.Config{Options: l.opts}, "test", wire.EventsTopic, nil, func(r *kgo.Record) error {
		e, err := wire.DecodeEvent(r.Value)
		if err == nil && e.Loss != nil {
			out = append(out, *e.Loss)
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func half(n int64) int64  { return n / 2 }
func whole(n int64) int64 { return n }

// assigned waits until a partition is restored.
func (l *log) assigned(e *Engine) *worker {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if w := e.worker(0); w != nil {
			return w
		}
	}
	l.t.Fatal("the partition is not assigned")
	return nil
}

// blocks writes n calls from a position of the source on, one in each record.
func (l *log) blocks(from, n int64) {
	for i := from; i < from+n; i++ {
		l.block(i, i+1)
	}
}

func TestCallsTailCutDropsNewCalls(t *testing.T) {
	for name, raise := range map[string]bool{"leader epoch rises": true, "leader epoch stays": false} {
		t.Run(name, func(t *testing.T) {
			l, dir := onDisk(t)
			_, stop := l.start()
			l.blocks(0, 40)
			l.rows(40)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			before := l.end(wire.CallsTopic)
			l.restart(dir, wire.CallsTopic+"-0", half, raise)
			kept := l.end(wire.CallsTopic)
			if kept >= before || kept == 0 {
				t.Fatalf("%d of %d records left", kept, before)
			}
			e, stop := l.start()
			l.assigned(e)
			l.blocks(40, 40) // they get the offsets of lost records, and later ones
			if got := l.rows(80); got != 80 {
				t.Fatalf("%d calls in the journal, 80 were made", got)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			losses := l.losses()
			if len(losses) != 1 || losses[0].Kind != schema.LossCut || losses[0].From != kept || losses[0].To != before ||
				losses[0].Records != before-kept || losses[0].Read != before-kept || losses[0].Epoch != 1 {
				t.Fatalf("%d records left of %d; losses %+v", kept, before, losses)
			}
			// Another restart finds nothing new, and replays nothing.
			l.restart(dir, "", whole, raise)
			_, stop = l.start()
			l.blocks(80, 5)
			if got := l.rows(85); got != 85 {
				t.Errorf("%d calls in the journal, 85 were made", got)
			}
			_ = stop()
			if again := l.losses(); len(again) != 1 {
				t.Errorf("losses after another start: %+v", again)
			}
		})
	}
}

// The log was written again beyond the offset that was read, before detect started.
func TestRefilledCallsPassForTheOldOnes(t *testing.T) {
	l, dir := onDisk(t)
	_, stop := l.start()
	l.blocks(0, 20)
	l.rows(20)
	_ = stop()
	before := l.end(wire.CallsTopic)
	l.restart(dir, wire.CallsTopic+"-0", half, true)
	kept := l.end(wire.CallsTopic)
	l.blocks(20, 40)
	_, stop = l.start()
	if got := l.rows(60); got != 60 {
		t.Fatalf("%d calls in the journal, 60 were made", got)
	}
	_ = stop()
	if x := l.losses(); len(x) != 1 || x[0].Kind != schema.LossRefilled || x[0].From != kept || x[0].To != before {
		t.Errorf("kept %d of %d: %+v", kept, before, x)
	}
}

// recreate deletes flyball.calls and creates it again.
func (l *log) recreate() {
	l.t.Helper()
	if err := l.cluster.DeleteTopic(wire.CallsTopic); err != nil {
		l.t.Fatal(err)
	}
	if err := l.cluster.CreateTopic(wire.CallsTopic, parts, nil); err != nil {
		l.t.Fatal(err)
	}
	l.client.Close()
	client, err := kgo.NewClient(append(l.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(client.Close)
	l.client = client
}

// The topic was created again, and detect stopped before it had stored a position in it: the stored position is
// still that of the deleted topic.
func TestSecondStartAfterRecreationSkipsRecords(t *testing.T) {
	for name, epochs := range map[string]int{"leader epoch 0": 0, "leader epoch 2": 2} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			_, stop := l.start()
			l.blocks(0, 20)
			l.rows(20)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			l.recreate()
			l.blocks(20, 5)
			for range epochs {
				l.cluster.ShufflePartitionLeaders()
			}
			l.findBeginOnly()
			l.blocks(25, 40)
			_, stop = l.start()
			if got := l.rows(65); got != 65 {
				t.Errorf("%d calls in the journal, 65 were made", got)
			}
			_ = stop()
			if x := l.losses(); len(x) != 1 || x[0].Kind != schema.LossRecreated {
				t.Errorf("%+v", x)
			}
		})
	}
}

// The same after a cut that the leader epoch does not show.
func TestSecondStartAfterACutSkipsRecords(t *testing.T) {
	l, dir := onDisk(t)
	_, stop := l.start()
	l.blocks(0, 40)
	l.rows(40)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.restart(dir, wire.CallsTopic+"-0", half, false)
	l.findBeginOnly()
	l.blocks(40, 60)
	_, stop = l.start()
	if got := l.rows(100); got != 100 {
		t.Errorf("%d calls in the journal, 100 were made", got)
	}
	_ = stop()
}

// After a loss, the committed offset is beyond the end of the log until the next record comes.
func TestCommittedOffsetStaysBeyondTheEndAfterRecreation(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.blocks(0, 20)
	l.rows(20)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.recreate()
	before := kadm.Offsets{} // brokers delete the offsets of a deleted topic later, if at all
	before.AddOffset(wire.CallsTopic, 0, 20, 0)
	if err := kadm.NewClient(l.client).CommitAllOffsets(context.Background(), DefaultConfig().Group, before); err != nil {
		t.Fatal(err)
	}
	_, stop = l.start()
	adm, at := kadm.NewClient(l.client), int64(-1)
	for end := time.Now().Add(20 * time.Second); at != 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		committed, err := adm.FetchOffsets(context.Background(), DefaultConfig().Group)
		if err != nil {
			t.Fatal(err)
		}
		if o, ok := committed.Lookup(wire.CallsTopic, 0); ok {
			at = o.At
		}
	}
	if at != 0 {
		t.Errorf("committed offset %d in an empty log", at)
	}
	_ = stop()
}

// Offsets were committed without the leader epoch of their records, from which a broker and a reader recognise another log.
func TestCommittedOffsetHasNoLeaderEpoch(t *testing.T) {
	l := newLog(t)
	for range 2 {
		l.cluster.ShufflePartitionLeaders()
	}
	epoch := l.cluster.PartitionInfo(wire.CallsTopic, 0).Epoch
	l.blocks(0, 20)
	_, stop := l.start()
	adm, at := kadm.NewClient(l.client), kadm.Offset{At: -1, LeaderEpoch: -1}
	for end := time.Now().Add(20 * time.Second); at.At != 20 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		committed, _ := adm.FetchOffsets(context.Background(), DefaultConfig().Group) // an error: the group does not exist yet
		if o, ok := committed.Lookup(wire.CallsTopic, 0); ok {
			at = o.Offset
		}
	}
	if at.At != 20 || epoch < 2 || at.LeaderEpoch != epoch {
		t.Errorf("committed offset %d with leader epoch %d, want 20 with %d", at.At, at.LeaderEpoch, epoch)
	}
	_ = stop()
}

// findBeginOnly restores a partition as a process does that is killed before it reads a record.
func (l *log) findBeginOnly() {
	l.t.Helper()
	l.takenOver(3)
}

func TestRecreatedCallsTopicPassesForTheOldOne(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.blocks(0, 20)
	l.rows(20)
	_ = stop()
	l.recreate()
	l.blocks(20, 30)
	_, stop = l.start()
	if got := l.rows(50); got != 50 {
		t.Fatalf("%d calls in the journal, 50 were made", got)
	}
	_ = stop()
	x := l.losses()
	if len(x) == 0 || x[0].Kind != schema.LossRecreated || x[0].Records != 0 || x[0].Epoch != 1 {
		t.Errorf("%+v", x)
	}
}

func TestCallsBelowRetentionAreLostInSilence(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.blocks(0, 10)
	l.rows(10)
	_ = stop()
	read := l.end(wire.CallsTopic)
	l.blocks(10, 10)
	if err := l.cluster.DeleteRecords(wire.CallsTopic, 0, read+4); err != nil {
		t.Fatal(err)
	}
	_, stop = l.start()
	if got := l.rows(16); got != 16 {
		t.Fatalf("%d calls in the journal, 16 are left", got)
	}
	_ = stop()
	if x := l.losses(); len(x) != 1 || x[0].Kind != schema.LossExpired || x[0].Records != 4 || x[0].Read != 0 || x[0].Epoch != 0 {
		t.Errorf("%+v", x)
	}
}

// The version before stored no notes and used offsets without epochs.
func TestStateOfTheVersionBeforeIsReadInAHigherEpoch(t *testing.T) {
	l := newLog(t)
	for range 3 {
		l.cluster.ShufflePartitionLeaders()
	}
	// A state as the version before stored it: offsets in Kafka, no note.
	l.blocks(0, 20)
	p := newProgress(DefaultConfig().Limits)
	p.positions[schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}] = schema.Position{Offset: 11}
	if err := l.client.ProduceSync(context.Background(), &kgo.Record{Topic: wire.StateTopic, Partition: 0, Key: partitionKey(0),
		Value: encodeProgress(p, 12, 0)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	e, stop := l.start()
	if got := l.rows(8); got != 8 {
		t.Fatalf("%d calls in the journal, 8 were not read before", got)
	}
	w := e.worker(0)
	if at := schema.PositionEpoch(w.next); w.epochs.Shift != -3 || at != 0 {
		t.Errorf("shift %d, epoch %d", w.epochs.Shift, at)
	}
	_ = stop()
	l.cluster.ShufflePartitionLeaders()
	e, stop = l.start()
	l.blocks(20, 5)
	if got := l.rows(13); got != 13 {
		t.Fatalf("%d calls in the journal, want 13", got)
	}
	if w := l.assigned(e); w.epochs.Shift != -3 {
		t.Errorf("shift %d after a restart", w.epochs.Shift)
	}
	_ = stop()
	if x := l.losses(); len(x) != 0 {
		t.Errorf("%+v", x)
	}
}
