package broker

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Each minute all checkpoints were read and written anew, and nobody was answered meanwhile: 8 s for 2 GB.
func TestCompactionCostsMoreThanWhatWasWritten(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		after, now int64
		due        bool
	}{
		{0, 127 * mib, false}, {0, 128 * mib, true}, {50 * mib, 177 * mib, false}, {50 * mib, 178 * mib, true},
		{2000 * mib, 5999 * mib, false}, {2000 * mib, 6000 * mib, true}, {2000 * mib, 100 * mib, false},
	} {
		if got := compactionDue(c.after, c.now); got != c.due {
			t.Errorf("%d MiB after the last one, %d now: due %v, want %v", c.after/mib, c.now/mib, got, c.due)
		}
	}
}

// Values that were replaced must not fill the disk.
func TestReplacedValuesAreKeptForEver(t *testing.T) {
	b := open(t, t.TempDir(), func(o *Options) { o.Compacted = []string{"state"} })
	defer b.Close()
	c := client(t, b)
	if _, err := kadm.NewClient(c).CreateTopic(context.Background(), 1, -1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")},
		"state"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1<<20)
	for i := range value {
		value[i] = byte(i * i >> 3) // does not compress to nothing
	}
	write := func() {
		if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: "state", Key: []byte("actor"), Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c = client(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(8<<20))
	for range 135 {
		write()
	}
	now := time.Now()
	b.compactIfDue(now.Add(compactPause / 2))
	if got := b.bytesToCompact(); got < 135<<20 {
		t.Fatalf("%d bytes are left half a minute after the last compaction", got)
	}
	b.compactIfDue(now.Add(2 * compactPause))
	if got := b.bytesToCompact(); got > 2<<20+4096 {
		t.Fatalf("%d bytes are left of a value of %d", got, len(value))
	}
	write()
	b.compactIfDue(now.Add(4 * compactPause))
	if got := b.bytesToCompact(); got < 2<<20 {
		t.Fatalf("%d bytes: compacted for a single value", got)
	}
	// The log had been much larger, and kfake has compacted it since.
	b.compactedBytes = 1 << 40
	b.compactIfDue(now.Add(6 * compactPause))
	for range 135 {
		write()
	}
	b.compactIfDue(now.Add(8 * compactPause))
	if got := b.bytesToCompact(); got > 2<<20+4096 {
		t.Fatalf("%d bytes are left: the size before decides", got)
	}
}

// The process is killed after the beginning of a log was deleted: what was kept is there, whole and once.
func TestKilledAfterTheBeginningWasDeleted(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	b := open(t, dir)
	c := client(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(ctx, 1, -1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}, "state"); err != nil {
		t.Fatal(err)
	}
	const records, kept = 150, 40 // of half a MiB: three segments
	for i := range records {
		r := &kgo.Record{Topic: "state", Key: []byte(strconv.Itoa(i)), Value: make([]byte, 512<<10)}
		if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	deleted, err := adm.DeleteRecords(ctx, kadm.Offsets{"state": {0: {Topic: "state", At: records - kept}}})
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "killed") // the files as a process that ends now leaves them
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	again := open(t, killed)
	defer again.Close()
	r := client(t, again, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"state": {0: kgo.NewOffset().AtStart()}}))
	seen := map[int64]int{}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for seen[records-1] == 0 {
		fetches := r.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) { seen[rec.Offset]++ })
	}
	for i := int64(records - kept); i < records; i++ {
		if seen[i] != 1 {
			t.Errorf("record %d was read %d times", i, seen[i])
		}
	}
}

// Each start read and wrote all checkpoints before anybody was answered: with 5 GB seven seconds and more. They are compacted at a start
// when they are three times as long as after the last compaction, also when that was in an earlier life.
func TestEachStartCompactsALongLog(t *testing.T) {
	dir := t.TempDir()
	start := func() *Broker { return open(t, dir, func(o *Options) { o.Compacted = []string{"state"} }) }
	b := start()
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(context.Background(), 1, -1,
		map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}, "state"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1<<20)
	write := func(keys, times int) {
		t.Helper()
		c := client(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(8<<20))
		for i := range keys * times {
			r := &kgo.Record{Topic: "state", Key: []byte(strconv.Itoa(i % keys)), Value: value}
			if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
	}
	restart := func() int64 {
		b.Close()
		b = start()
		return b.bytesToCompact() >> 20
	}
	write(10, 4)
	if got := restart(); got > 12 {
		t.Fatalf("%d MiB are left of ten values of 1 MiB", got)
	}
	write(100, 2) // more than three times the size after the last compaction
	if got := restart(); got > 102 {
		t.Fatalf("%d MiB are left of a hundred values of 1 MiB", got)
	}
	write(100, 1)
	if got := restart(); got < 200 {
		t.Fatalf("%d MiB: a log of twice its size was compacted at the start", got)
	}
	write(100, 2)
	if got := restart(); got > 102 {
		t.Fatalf("%d MiB: the size after the compaction two starts ago does not count", got)
	}
	b.Close()
}
