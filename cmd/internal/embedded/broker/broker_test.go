package broker

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const password = "0123456789abcdef"

func open(t *testing.T, dir string, change ...func(*Options)) *Broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	o := Options{Listen: addr, Dir: dir, Partitions: 2, TrimEvery: time.Hour, Password: password}
	for _, f := range change {
		f(&o)
	}
	b, err := Start(o, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()), kgo.SASL(Mechanism(password)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// afterKill returns a copy of the directory in the state after kill -9.
func afterKill(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(to, "flyball.lock"))
	return to
}

func produce(t *testing.T, c *kgo.Client, n int) {
	t.Helper()
	for range n {
		if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: "flyball.calls", Partition: 0,
			Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func end(t *testing.T, b *Broker) int64 {
	t.Helper()
	for _, p := range b.cluster.PartitionInfos("flyball.calls") {
		if p.Partition == 0 {
			return p.HighWatermark
		}
	}
	return -1
}

// A partition of which all records were deleted must not start at offset 0 again: readers would skip the next records as already
// seen.
func TestOffsetsGoBackAfterRecordsWereDeleted(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, func(o *Options) { o.Readers = map[string][]string{"flyball.calls": {"reader"}} })
	defer b.Close()
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(context.Background(), 2, -1, nil, "flyball.calls"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 7)
	var o kadm.Offsets
	o.AddOffset("flyball.calls", 0, 7, -1)
	if err := adm.CommitAllOffsets(context.Background(), "reader", o); err != nil {
		t.Fatal(err)
	}
	b.clean()
	killed := open(t, afterKill(t, dir))
	defer killed.Close()
	if got := end(t, killed); got != 7 {
		t.Fatalf("after the deletion and kill -9 the partition ends at %d, it ended at 7", got)
	}
}

func TestUnreadRecordsAreDeleted(t *testing.T) {
	b := open(t, t.TempDir(), func(o *Options) { o.Readers = map[string][]string{"flyball.calls": {"fast", "slow"}} })
	defer b.Close()
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(context.Background(), 2, -1, nil, "flyball.calls"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 10)
	commit := func(group string, at int64) {
		var o kadm.Offsets
		o.AddOffset("flyball.calls", 0, at, -1)
		if err := adm.CommitAllOffsets(context.Background(), group, o); err != nil {
			t.Fatal(err)
		}
	}
	start := func() int64 { return b.cluster.PartitionInfos("flyball.calls")[0].LogStartOffset }
	commit("fast", 10)
	b.clean()
	if start() != 0 {
		t.Fatal("deleted although one reader has committed nothing")
	}
	commit("slow", 4)
	b.clean()
	if start() != 4 {
		t.Fatalf("log starts at %d, the slowest reader is at 4", start())
	}
}

func TestKilledWhileProducing(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	defer b.Close()
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	adm := kadm.NewClient(c)
	made, err := adm.CreateTopic(context.Background(), 2, -1, nil, "flyball.calls")
	if err != nil {
		t.Fatal(err)
	}
	produce(t, c, 50)
	var o kadm.Offsets
	o.AddOffset("flyball.calls", 0, 33, -1)
	if err := adm.CommitAllOffsets(context.Background(), "g", o); err != nil {
		t.Fatal(err)
	}
	torn := afterKill(t, dir)
	// A write that is incomplete at the end of a segment.
	_ = filepath.Walk(torn, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.Contains(path, "flyball.calls") && strings.HasSuffix(path, ".dat") && info.Size() > 0 {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, _ = f.Write([]byte{0, 0, 0, 0, 0, 0, 0, 51, 0, 0, 1})
				f.Close()
			}
		}
		return nil
	})
	k := open(t, torn)
	defer k.Close()
	if got := end(t, k); got != 50 {
		t.Fatalf("%d records, 50 were acknowledged", got)
	}
	if g := k.cluster.GroupInfo("g"); g == nil || g.Commits["flyball.calls"][0].Offset != 33 {
		t.Fatalf("committed offset lost: %+v", g)
	}
	if id := k.cluster.TopicInfo("flyball.calls").TopicID; [16]byte(id) != [16]byte(made.ID) {
		t.Fatal("the topic has another id")
	}
}

func TestSecondProcessOnTheSameDirectory(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	defer b.Close()
	lockWait = 200 * time.Millisecond
	defer func() { lockWait = 10 * time.Second }()
	_, err := Start(Options{Listen: "127.0.0.1:0", Dir: dir, Partitions: 1, Password: password},
		slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("error %v does not name the directory", err)
	}
}

func TestPortInUseNamesItsKey(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(Options{Listen: l.Addr().String(), Dir: t.TempDir(), Partitions: 1, Password: password},
		slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	if err == nil || !strings.Contains(err.Error(), "kafka.listen") {
		t.Fatalf("error %v does not name kafka.listen", err)
	}
}
