package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// startRole runs a role until the test ends.
func startRole(t *testing.T, c config.Config, role string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- Run(ctx, c, []string{role}, quiet(), func() { close(started) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if role == "store" {
		return // without ClickHouse it does not become ready
	}
	select {
	case <-started:
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("not ready")
	}
}

// processStatus reads /status of a process; nil if nothing answers.
func processStatus(t *testing.T, c config.Config) *ProcessStatus {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	r, err := client.Get("http://" + c.Metrics.Listen + "/status")
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	var s ProcessStatus
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// awaitStatus reads /status until it is as wanted.
func awaitStatus(t *testing.T, c config.Config, what string, want func(*ProcessStatus) bool) *ProcessStatus {
	t.Helper()
	var last *ProcessStatus
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if last = processStatus(t, c); last != nil && want(last) {
			return last
		}
	}
	t.Fatalf("%s: never; the last status is %+v", what, last)
	return nil
}

// records returns the lag of a reader in all its topics.
func (l Lag) records(reader string) (n int64) {
	for _, r := range l.Readers {
		if r.Reader == reader {
			n += r.Records
		}
	}
	return n
}

func produceTo(t *testing.T, k *kfake.Cluster, topic string, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range n {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("{}")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func newBroker(t *testing.T) *kfake.Cluster {
	t.Helper()
	k := kafkatest.Start(t, kfake.SeedTopics(1, "gateway-logs", "otlp_spans"))
	return k
}

// Status said "lag 0" while nobody read: the process that answers is not the one that should read.
func TestLagIsZeroWhileIngestIsDown(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	startRole(t, c, "control")
	produceTo(t, k, "gateway-logs", 300)
	s := awaitStatus(t, c, "the lag of ingest", func(s *ProcessStatus) bool { return s.Lag.records("ingest") == 300 })
	if s.FalseTrips != nil {
		t.Errorf("a process without detect says by which rate detect trips: %v", *s.FalseTrips)
	}
	for _, r := range s.Lag.Readers {
		if r.Topic == "gateway-logs" && r.NeverRead != 1 || r.Topic == "otlp_logs" && !r.NoSuchTopic {
			t.Errorf("%+v", r)
		}
	}
	awaitStatus(t, c, "how long they wait", func(s *ProcessStatus) bool {
		i := slices.IndexFunc(s.Lag.Readers, func(r ReaderLag) bool { return r.Topic == "gateway-logs" })
		return s.Lag.Readers[i].Seconds > 0
	})
}

// Status said "lag 0" while the store waited for ClickHouse: it had fetched the records.
func TestLagIsZeroWhileClickHouseRefuses(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	startRole(t, c, "store")
	awaitStatus(t, c, "the topics", func(s *ProcessStatus) bool { return len(s.Lag.Readers) > 0 })
	produceTo(t, k, wire.JournalTopic, 70)
	s := awaitStatus(t, c, "the lag of the store", func(s *ProcessStatus) bool { return s.Lag.records("store") == 70 })
	if !slices.ContainsFunc(s.Parts, func(p PartState) bool { return p.Part == "store" && !p.Ready }) {
		t.Errorf("the store is ready: %+v", s.Parts)
	}
}

// What detect has read is not lag, although it commits only what is saved.
func TestReadCallsCountAsLagUntilTheCheckpoint(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	c.Detect.CheckpointEvery = config.Duration(time.Hour)
	startRole(t, c, "detect")
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	value := wire.EncodeMarks(nil, &wire.Marks{At: 1})
	for range 5 {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: wire.CallsTopic, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s := awaitStatus(t, c, "no lag of detect", func(s *ProcessStatus) bool { return len(s.Lag.Readers) > 0 && s.Lag.records("detect") == 0 })
	if s.FalseTrips == nil || *s.FalseTrips != c.Detect.FalseTripsPer1000 {
		t.Errorf("the nominal rate of trips is %v, want %v", s.FalseTrips, c.Detect.FalseTripsPer1000)
	}
	k2, err := KafkaConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	other := newLagReader(c, k2, time.Now)
	defer other.close()
	if lag := other.summary(t.Context()); lag.Error != "" || lag.records("detect") > 5 {
		t.Errorf("another process sees %+v", lag)
	}
}

// Kafka is away: the lag is not known, and the check goes on.
func TestLagIsNotZeroWithoutKafka(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	startRole(t, c, "control")
	k.Close()
	s := awaitStatus(t, c, "that Kafka is away", func(s *ProcessStatus) bool { return s.Lag.Error != "" })
	if !strings.HasPrefix(s.Lag.Error, "Kafka cannot be reached at "+c.Kafka.Brokers[0]) || len(s.Lag.Readers) > 0 {
		t.Errorf("%+v", s.Lag)
	}
	awaitStatus(t, c, "the warning", func(s *ProcessStatus) bool {
		return slices.ContainsFunc(s.Parts, func(p PartState) bool {
			return p.Part == "kafka" && p.Ready && strings.Contains(p.Warning, c.Kafka.Brokers[0])
		})
	})
	awaitStatus(t, c, "that the point is stale", func(s *ProcessStatus) bool {
		return slices.ContainsFunc(s.Parts, func(p PartState) bool {
			return p.Part == "control" && p.Ready && strings.Contains(p.Warning, "the command log is silent for")
		})
	})
	if code, _ := readiness(t, c); code != http.StatusOK {
		t.Errorf("the point that answers from memory is taken out of service: HTTP %d", code)
	}
}

// Metrics name the group, and have no series while the lag is not known.
func TestMetricsOfTheLag(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	produceTo(t, k, "gateway-logs", 3)
	clients, err := KafkaConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	l := newLagReader(c, clients, func() time.Time { return now })
	defer l.close()
	reg := prometheus.NewRegistry()
	reg.MustRegister(l)
	const want = `# HELP flyball_lag_known 1 if Kafka answers for its offsets, 0 if the lag is not known.
# TYPE flyball_lag_known gauge
flyball_lag_known 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "flyball_lag_known"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "flyball_lag_records"); err != nil || n != 2 {
		t.Errorf("%d series of lag (%v), want those of the two topics that exist", n, err)
	}
	k.Close()
	now = now.Add(time.Minute)
	if n, err := testutil.GatherAndCount(reg, "flyball_lag_records"); err != nil || n != 0 {
		t.Errorf("%d series of lag without Kafka (%v)", n, err)
	}
	unknown := strings.Replace(want, "known 1\n", "known 0\n", 1)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(unknown), "flyball_lag_known"); err != nil {
		t.Error(err)
	}
}

func TestOldestRecordHasWaitedSinceItWasSeen(t *testing.T) {
	var w waiting
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	w.observe(at(0), 10, 10)
	if w.age(at(5)) != 0 {
		t.Error("nothing waits")
	}
	w.observe(at(10), 10, 12) // records 10 and 11 came by 10 s
	w.observe(at(20), 10, 15)
	if got := w.age(at(25)); got != 15*time.Second {
		t.Errorf("waited %s, want 15 s", got)
	}
	w.observe(at(30), 12, 15) // the first two were handled
	if got := w.age(at(30)); got != 10*time.Second {
		t.Errorf("waited %s, want 10 s", got)
	}
	w.observe(at(40), 15, 15)
	if got := w.age(at(40)); got != 0 {
		t.Errorf("waited %s after all was handled", got)
	}
	for i := range int64(3000) {
		w.observe(at(100+i), 15, 16+i)
	}
	if got := w.age(at(3100)); len(w.seen) > maxSeen || got != 3000*time.Second {
		t.Errorf("%d entries, waited %s", len(w.seen), got)
	}
}

// The file may say what the process does not run.
func TestChangedFileNamesWhatNeedsARestart(t *testing.T) {
	a := config.Default()
	b := a
	b.Detect.Mode, b.Learn.MinRuns, b.Tenant, b.File = config.ModeArmed, 7, "acme", "elsewhere"
	b.Alerts.Receivers = []config.Receiver{{Name: "soc"}}
	if got := changedKeys(a, b); !slices.Equal(got, []string{"alerts.receivers", "detect.mode", "learn.min_runs", "tenant"}) {
		t.Errorf("%q", got)
	}
	if got := changedKeys(a, a); len(got) > 0 {
		t.Errorf("%q of equal configurations", got)
	}
}

func TestStatusSaysWhatTheProcessRunsAndNotTheFile(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	c.File = c.Data + "/flyball.yaml"
	deployment := fmt.Sprintf("kafka: {brokers: [%q], partitions: 2}\nclickhouse: {addr: [\"127.0.0.1:1\"]}\nsecret_key_file: %s\n",
		k.ListenAddrs()[0], c.SecretKeyFile)
	write := func(text string) {
		text = deployment + text
		if err := os.WriteFile(c.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tenant: default\n")
	startRole(t, c, "control")
	write("detect: {mode: armed}\n")
	s := awaitStatus(t, c, "the changed mode", func(s *ProcessStatus) bool { return slices.Contains(s.Restart, "detect.mode") })
	if s.Mode != config.ModeObserve {
		t.Errorf("mode %s, and the process observes", s.Mode)
	}
	write("detect: {mode: nonsense}\n")
	awaitStatus(t, c, "that the file is not usable", func(s *ProcessStatus) bool { return strings.Contains(s.FileError, "nonsense") })
}

// Markers of transactions behind the last record counted as unread for ever, because no reader commits behind them.
func TestMarkersOfTransactionsAreUnread(t *testing.T) {
	k := newBroker(t)
	c := deploymentOn(t, k)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.TransactionalID("shipper"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "gateway-logs", Value: []byte("{}")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "gateway-logs", At: 1, LeaderEpoch: -1})
	if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), wire.IngestGroup, offsets); err != nil {
		t.Fatal(err)
	}
	clients, err := KafkaConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	l := newLagReader(c, clients, time.Now)
	defer l.close()
	if n := l.summary(t.Context()).records("ingest"); n != 1 {
		t.Fatalf("lag %d before it is looked up, want the marker", n)
	}
	l.findMarkers(t.Context(), l.short())
	if n := l.summary(t.Context()).records("ingest"); n != 0 {
		t.Errorf("lag %d, want 0", n)
	}
	produceTo(t, k, "gateway-logs", 1)
	l.findMarkers(t.Context(), l.short())
	if n := l.summary(t.Context()).records("ingest"); n != 2 {
		t.Errorf("lag %d with a record behind the marker, want both", n)
	}
	l.findMarkers(t.Context(), l.short())
	if n := l.summary(t.Context()).records("ingest"); n != 2 {
		t.Errorf("lag %d, and a record is unread", n)
	}
}
