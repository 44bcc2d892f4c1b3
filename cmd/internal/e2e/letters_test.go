package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/ingest/deadletter"
)

// Records that could not be read are read after a fix, each once: the second replay has
// nothing to send, and records that still cannot be read are not sent.
func TestDeadLettersComeThroughOnceAfterAFix(t *testing.T) {
	f := install(t, "", "").start()
	moat := func(i int) string {
		return fmt.Sprintf(`{"moat":1,"when":"%s","verb":"GET","what":"/orders/%d","code":200,"app":"moat-bot"}`,
			time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), i)
	}
	f.send(moat(1), moat(2), `{"no":"idea"}`, moat(3))
	f.until("four dead letters", 30*time.Second, "4", func() (string, error) { return f.sql("SELECT count() FROM flyball.dead_letters") })
	// A foreign record in the topic must not stop the replay.
	if err := f.own().ProduceSync(t.Context(), &kgo.Record{Topic: "flyball.dead-letters", Value: []byte("junk")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Reason, Sample string
		Letters        int
	}
	f.json(&rows, "dead-letters", "--since", "")
	if len(rows) < 1 || rows[0].Letters != 4 || rows[0].Reason != "unknown_format" || !strings.HasPrefix(rows[0].Sample, "gateway-logs/") {
		t.Errorf("%+v", rows)
	}
	f.stop()
	mapping := filepath.Join(f.dir, "moat.yaml")
	if err := os.WriteFile(mapping,
		[]byte("version: 1\nname: moat\nrecognise: [[moat, verb]]\nset:\n  start_time: {from: when, basis: start}\n  method: verb\n  path: "+
			"what\n  status: code\n  agent_id: app\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.config, append(b, "mappings: ["+mapping+"]\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()
	var result struct {
		Letters, Before int
		Sent            []string
		Still           map[string]int
		DiedAgain       int `json:"died_again"`
	}
	for i, want := range []string{"sent 3 still 1 before 0", "sent 0 still 1 before 3"} {
		f.json(&result, "dead-letters", "replay")
		if got := fmt.Sprintf("sent %d still %d before %d", len(result.Sent), result.Still["unknown_format"], result.Before); got != want {
			t.Errorf("replay %d: %s, want %s", i+1, got, want)
		}
		result.Sent, result.Still = nil, nil
	}
	if got, err := f.sql("SELECT count(), uniqExact(path), any(agent_id) FROM flyball.calls"); err != nil || got != "3\t3\tmoat-bot" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := f.sql("SELECT count() FROM flyball.dead_letters WHERE reason != ''"); err != nil || got != "4" {
		t.Errorf("%s dead letters: %v", got, err)
	}
}

// Secrets are put in every place of many formats, and in a Kafka key. They may be in the input
// and, where nothing names them, in the dead letters, but in no table, other topic, log line,
// metric, listing or report.
func TestSecretIsOnlyWhereNothingNamesIt(t *testing.T) {
	const canary = "c4naryS3cret0987654321"
	f := install(t, "", "").start()
	var records []*kgo.Record
	add := func(v string) {
		records = append(records, &kgo.Record{Topic: "gateway-logs", Key: []byte("key-" + canary), Value: []byte(v)})
	}
	at := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	epoch := time.Now().Add(-time.Minute).UnixMilli()
	for _, secret := range []string{"Bearer " + canary, "sk-live-" + canary, "password=" + canary,
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ" + canary + "In0.c2ln"} {
		q, _ := json.Marshal(secret)
		add(fmt.Sprintf(`{"start_time":%q,"method":"GET","path":"/a?token=%s","response_code":200,"authorization":%s,"x_api_key":%s,"user_agent":%s,"custom":%s,"cookie":%s}`, at, canary, q, q, q, q, q))
		add(fmt.Sprintf(`{"started_at":%d,"latencies":{"request":3},"request":{"method":"POST","uri":"/b?k=%s","headers":{"authorization":%s,"apikey":%s,"cookie":%s,"x-custom":%s},"body":%s},"response":{"status":200},"client_ip":"10.0.0.1"}`, epoch, canary, q, q, q, q, q))
		add(fmt.Sprintf(`{"EdgeStartTimestamp":%q,"ClientRequestMethod":"GET","ClientRequestURI":"/c?x=%s","EdgeResponseStatus":500,"RequestHeaders":{"authorization":%s},"ClientRequestUserAgent":%s}`, at, canary, q, q))
		add(fmt.Sprintf(`{"unreadable":%s}`, q))
		add(canary + " is no log line")
	}
	for _, r := range f.kafka().ProduceSync(t.Context(), records...) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	f.until("calls and dead letters", 30*time.Second, "12\t8", func() (string, error) {
		return f.sql("SELECT (SELECT count() FROM flyball.calls), (SELECT count() FROM flyball.dead_letters)")
	})
	time.Sleep(2 * time.Second) // snapshots and checkpoints
	has := func(where string, b []byte) {
		if i := bytes.Index(bytes.ToLower(b), []byte(strings.ToLower(canary))); i >= 0 {
			t.Errorf("%s holds the secret: …%q…", where, b[max(0, i-60):min(len(b), i+40)])
		}
	}
	tables, err := f.sql("SELECT name FROM system.tables WHERE database = 'flyball' AND engine != 'View'")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range strings.Fields(tables) {
		rows, err := f.sql("SELECT * FROM flyball." + table + " FORMAT JSONEachRow")
		if err != nil {
			t.Fatal(table, err)
		}
		has("table "+table, []byte(rows))
	}
	for _, topic := range []string{"flyball.calls", "flyball.journal", "flyball.events", "flyball.commands", "flyball.state",
		"flyball.breakers", "flyball.points", "flyball.baselines"} {
		for _, r := range f.all(topic) {
			has("topic "+topic, append(append(r.Key, ' '), r.Value...))
		}
	}
	key, err := app.ReadSecretKey(config.Config{Data: filepath.Join(f.dir, "data")}, false)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := deadletter.NewSeal(key)
	if err != nil {
		t.Fatal(err)
	}
	unnamed, whole := 0, 0
	for _, r := range f.all("flyball.dead-letters") {
		shown := f.run(nil, "dead-letters", "show", fmt.Sprint(r.Offset), "-o", "json")
		if bytes.HasPrefix(r.Value, []byte(canary)) { // nothing says that this is a secret
			unnamed++
		} else {
			has("a dead letter", r.Value)
			has("a dead letter that is shown", []byte(strings.ReplaceAll(shown, "key-"+canary, "")))
		}
		_, original, err := seal.Original(r)
		if err != nil {
			t.Error(err)
		}
		if bytes.Contains(original, []byte(canary)) {
			whole++
		}
		for _, h := range r.Headers {
			has("header of a dead letter", h.Value)
		}
	}
	if unnamed != 4 || whole != 8 {
		t.Errorf("%d dead letters hold a secret that nothing names, want 4; the originals of %d hold it, want 8", unnamed, whole)
	}
	log, err := os.ReadFile(filepath.Join(f.dir, "flyball.log"))
	if err != nil {
		t.Fatal(err)
	}
	has("the log", log)
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", f.ports["metrics"]))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	metrics, _ := io.ReadAll(r.Body)
	has("the metrics", metrics)
	for _, args := range [][]string{{"agents"}, {"routes"}, {"runs"}, {"dead-letters"}, {"stitching"}, {"start-here"}} {
		has(strings.Join(args, " "), []byte(f.run([]int{0, 3}, append(args, "-o", "json")...)))
	}
	runs, err := f.sql("SELECT run_id FROM flyball.runs")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(runs) {
		has("run "+id, []byte(f.run([]int{0, 3}, "run", id, "-o", "json")))
		has("touched "+id, []byte(f.run([]int{0, 3}, "touched", id, "-o", "html")))
	}
}

// all returns the records of a topic.
func (f *flyball) all(topic string) []*kgo.Record {
	f.t.Helper()
	admin := kadm.NewClient(f.own())
	ends, err := admin.ListEndOffsets(f.t.Context(), topic)
	if err != nil {
		f.t.Fatal(err)
	}
	starts, err := admin.ListStartOffsets(f.t.Context(), topic)
	if err != nil {
		f.t.Fatal(err)
	}
	from, until := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if start, _ := starts.Lookup(topic, o.Partition); o.Offset > start.Offset {
			from[o.Partition], until[o.Partition] = kgo.NewOffset().At(start.Offset), o.Offset
		}
	})
	c, err := kgo.NewClient(append(f.login(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	var out []*kgo.Record
	ctx, cancel := context.WithTimeout(f.t.Context(), 5*time.Second) // the end of a compacted topic is never reached
	defer cancel()
	for len(until) > 0 && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			out = append(out, r)
			if r.Offset+1 >= until[r.Partition] {
				delete(until, r.Partition)
			}
		})
	}
	return out
}

// The newest records of a topic are shown as ingest would read them, with the line that fixes
// the format; committed offsets do not change.
func TestDecodeShowsATopic(t *testing.T) {
	f := install(t, "", "").start()
	var lines []string
	for i := range 30 {
		lines = append(lines,
			fmt.Sprintf(`{"ts":%d.5,"logger":"http.log.access","request":{"method":"GET","uri":"/orders/%d","host":"h","headers":{}},"duration":0.1,"status":200}`, time.Now().Unix(), i))
	}
	f.send(lines...)
	f.until("stored", 30*time.Second, "30", func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	out := f.run([]int{0}, "decode", "--topic", "gateway-logs", "-n", "5", "-o", "json")
	calls := strings.Split(strings.TrimSpace(out), "\n")
	if len(calls) != 5 || !strings.Contains(calls[4], `"path":"/orders/29"`) || !strings.Contains(calls[0], `"format":"caddy/1"`) {
		t.Errorf("%d: %s", len(calls), out)
	}
	if out := f.run([]int{0}, "decode", "--topic", "gateway-logs", "-n", "1", "--explain"); !strings.Contains(out, "request.uri") {
		t.Errorf("%s", out)
	}
	if got, err := f.sql("SELECT count() FROM flyball.calls"); err != nil || got != "30" {
		t.Errorf("%s calls after looking: %v", got, err)
	}
}
