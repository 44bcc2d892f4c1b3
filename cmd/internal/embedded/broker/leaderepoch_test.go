package broker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// epochsOf returns the leader epochs of the records in partition 0, by offset.
func epochsOf(t *testing.T, b *Broker) (out []int32) {
	t.Helper()
	n := end(t, b)
	c := client(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"flyball.calls": {0: kgo.NewOffset().AtStart()}}))
	for int64(len(out)) < n {
		f := c.PollFetches(context.Background())
		f.EachRecord(func(r *kgo.Record) { out = append(out, r.LeaderEpoch) })
		if f.Err() != nil {
			t.Fatal(f.Err())
		}
	}
	return out
}

// cut removes bytes at the end of the last segment of partition 0 of a stopped broker.
func cut(t *testing.T, dir string, keep func(size int64) int64) {
	t.Helper()
	found := false
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.Contains(path, "flyball.calls-0") && strings.HasSuffix(path, ".dat") && info.Size() > 0 {
			found = true
			return os.Truncate(path, keep(info.Size()))
		}
		return err
	})
	if !found {
		t.Fatal("no segment")
	}
}

func TestRecordsAfterALostTailHaveTheEpochOfLostOnes(t *testing.T) {
	for name, keep := range map[string]func(int64) int64{
		"a tenth lost": func(n int64) int64 { return n * 9 / 10 },
		"half lost":    func(n int64) int64 { return n / 2 },
		"7 bytes torn": func(n int64) int64 { return n - 7 },
		"all lost":     func(int64) int64 { return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			highest := int32(-1)
			for start := range 3 {
				b := open(t, dir)
				c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
				if start == 0 {
					if _, err := kadm.NewClient(c).CreateTopic(context.Background(), 2, -1, nil, "flyball.calls"); err != nil {
						t.Fatal(err)
					}
				}
				before := end(t, b)
				produce(t, c, 20)
				epochs := epochsOf(t, b)
				if got := epochs[before]; got <= highest {
					t.Fatalf("start %d: records have epoch %d, lost ones had up to %d", start, got, highest)
				}
				highest = epochs[len(epochs)-1]
				c.Close()
				b.Close()
				cut(t, dir, keep)
			}
			if highest != 2 {
				t.Errorf("epoch %d after three starts", highest)
			}
		})
	}
}

func TestOlderCopyOfTheFolderReusesEpochs(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "epoch")
	outside := func(o *Options) { o.EpochFile = file }
	b := open(t, dir, outside)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(c).CreateTopic(context.Background(), 2, -1, nil, "flyball.calls"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 3)
	older := afterKill(t, dir)
	b.Close()
	for want := int32(1); want < 3; want++ {
		b = open(t, afterKill(t, older), outside)
		produce(t, client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner())), 1)
		if got := epochsOf(t, b)[3]; got != want {
			t.Errorf("epoch %d, want %d", got, want)
		}
		b.Close()
	}
}

func TestUnreadRecordsAreDeletedAfterALostTail(t *testing.T) {
	dir := t.TempDir()
	reads := func(o *Options) { o.Readers = map[string][]string{"flyball.calls": {"g"}} }
	commit := func(c *kgo.Client, at int64) {
		var o kadm.Offsets
		o.AddOffset("flyball.calls", 0, at, -1)
		if err := kadm.NewClient(c).CommitAllOffsets(context.Background(), "g", o); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, dir, reads)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(c).CreateTopic(context.Background(), 1, -1, nil, "flyball.calls"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 20)
	commit(c, 20)
	c.Close()
	b.Close()
	cut(t, dir, func(n int64) int64 { return n / 2 })

	b = open(t, dir, reads)
	defer b.Close()
	c = client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	kept := end(t, b)
	produce(t, c, 15)
	b.clean()
	start := func() int64 { return b.cluster.PartitionInfo("flyball.calls", 0).LogStartOffset }
	if start() > kept {
		t.Fatalf("log starts at %d; records from %d on are unread", start(), kept)
	}
	commit(c, kept+5)
	b.clean()
	if start() != kept+5 {
		t.Errorf("log starts at %d after a commit at %d", start(), kept+5)
	}
}

func TestLogWithFlippedBytesCanNeverBeReadAgain(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(c).CreateTopic(context.Background(), 1, -1, nil, "flyball.calls"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 20)
	c.Close()
	b.Close()
	flipped := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "flyball.calls-0") || !strings.HasSuffix(path, ".dat") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) == 0 {
			return err
		}
		flipped = true
		at := len(raw)*3/4 + 30 // in the middle of a batch
		raw[at] ^= 0xff
		raw[at+1] ^= 0xff
		return os.WriteFile(path, raw, 0o600)
	})
	if err != nil || !flipped {
		t.Fatal("no segment was changed", err)
	}
	b = open(t, dir)
	defer b.Close()
	kept := end(t, b)
	if kept == 0 || kept >= 20 {
		t.Fatalf("%d of 20 records are left", kept)
	}
	produce(t, client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner())), 10)
	if epochs := epochsOf(t, b); len(epochs) != int(kept)+10 || epochs[kept] != 1 {
		t.Errorf("%d records were left; epochs are now %v", kept, epochs)
	}
}
