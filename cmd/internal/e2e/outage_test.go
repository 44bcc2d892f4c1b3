package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outageOptions are the sizes of an outage.
type outageOptions struct {
	rate       int           // calls a second
	before     time.Duration // how long there is load before the outage
	away, slow time.Duration // how long ClickHouse is away, and then slow
	insert     time.Duration // of an insert while it is slow
	every      time.Duration // between two printed rows
}

// outageSize is short for a test that runs often; FLYBALL_TEST_OUTAGE=5m and FLYBALL_TEST_RATE=10000 make the long one.
func outageSize() outageOptions {
	o := outageOptions{rate: 500, before: time.Second, away: 5 * time.Second, slow: 5 * time.Second, insert: time.Second,
		every: 2 * time.Second}
	if d, err := time.ParseDuration(os.Getenv("FLYBALL_TEST_OUTAGE")); err == nil {
		o.rate, o.away, o.slow, o.insert, o.every = 10_000, d, d, 10*time.Second, max(d/20, 5*time.Second)
		o.before = 5 * time.Second
	}
	if n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_RATE")); err == nil {
		o.rate = n
	}
	return o
}

// outageWatch prints what Flyball does during an outage.
type outageWatch struct {
	f     *flyball
	load  *load
	began time.Time

	mu      sync.Mutex
	phase   string
	lastAt  time.Time
	last    int // stored at lastAt
	maxRSS  int
	maxWait int
}

func (w *outageWatch) enter(phase string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = phase
}

// stored is how many calls of the load are stored; negative: ClickHouse does not answer.
func (w *outageWatch) stored() int {
	n, err := w.f.sql("SELECT count() FROM flyball.calls_v5 WHERE run_key LIKE 'load-%'")
	if err != nil {
		return -1
	}
	stored, err := strconv.Atoi(n)
	if err != nil {
		return -1
	}
	return stored
}

// row prints a row.
func (w *outageWatch) row() {
	stored, rss := w.stored(), residentMiB(w.f.cmd.Process.Pid)
	w.mu.Lock()
	defer w.mu.Unlock()
	now, sent := time.Now(), int(w.load.sent.Load())
	speed := "       ?"
	if stored >= 0 && !w.lastAt.IsZero() {
		speed = fmt.Sprintf("%8.0f", float64(stored-w.last)/now.Sub(w.lastAt).Seconds())
	}
	if stored >= 0 {
		w.last, w.lastAt = stored, now
		w.maxWait = max(w.maxWait, sent-stored)
	}
	w.maxRSS = max(w.maxRSS, rss)
	fmt.Printf("%5.0f s  %-10s acknowledged %8d, stored %8d (%s/s), behind %8d, RSS %5d MiB\n", now.Sub(w.began).Seconds(), w.phase, sent,
		stored, speed, sent-max(stored, 0), rss)
}

// residentMiB is the resident memory of a process, without its children.
func residentMiB(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib := 0
			_, _ = fmt.Sscan(v, &kib)
			return kib / 1024
		}
	}
	return 0
}

// denied makes a run that repeats a call, and returns the time from the acknowledgement of the call that trips it to the first denial.
func (f *flyball) denied(agent, run string, within time.Duration) time.Duration {
	f.t.Helper()
	const deciding = 5 // as in trips
	c, err := kgo.NewClient(kgo.SeedBrokers(f.brokers()), kgo.DefaultProduceTopic("gateway-logs"), kgo.ProducerLinger(0))
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	var acknowledged time.Time
	for range deciding {
		r := &kgo.Record{Key: []byte(run), Value: []byte(record(time.Now(), agent, run, "/v1/orders/7", "GET", 200, 512))}
		if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			f.t.Fatal(err)
		}
		acknowledged = time.Now()
	}
	for time.Since(acknowledged) < within {
		if code, _, _ := f.check(agent, run, "GET", "/v1/orders/7"); code == http.StatusForbidden {
			return time.Since(acknowledged)
		}
		time.Sleep(time.Millisecond)
	}
	f.t.Errorf("%s was not denied in %s", run, within)
	return within
}

// ClickHouse is away, and then slow, under load: runaways are denied and pages are sent meanwhile, memory stays bounded, and afterwards
// all is stored once. The figures are printed, not judged.
func TestClickHouseAwayAndSlowUnderLoad(t *testing.T) {
	o := outageSize()
	server := install(t, "", "").start() // its engine is the outside ClickHouse
	proxy := newFaultyProxy(t, server.ports["clickhouse"])
	engines.Store(fmt.Sprintf("127.0.0.1:%d", proxy.port), engineData(fmt.Sprintf("127.0.0.1:%d", server.ports["clickhouse"])))
	p := ring(t)
	f := install(t, "", fmt.Sprintf("127.0.0.1:%d", proxy.port))
	f.ports["clickhouse"] = server.ports["clickhouse"] // questions of the test do not meet the faults
	f = withLoopIn(t, f, p.config(t))
	open := 4 * o.rate // runs at a time: each makes a call every four seconds, and eight of them
	l := f.load(o.rate, func(n int) (string, string) {
		agent := fmt.Sprintf("fleet/a%d", n%10)
		run := fmt.Sprintf("load-%d", n/(8*open)*open+n%open)
		return agent, record(time.Now(), agent, run, fmt.Sprintf("/v1/orders/%d", n%50_000), "GET", 200, 400+n%100)
	})
	w := &outageWatch{f: f, load: l, began: time.Now()}
	ended := make(chan struct{})
	var rows sync.WaitGroup
	rows.Go(func() {
		tick := time.NewTicker(o.every)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				w.row()
			}
		}
	})
	const each = 3 // runaways in a phase
	during := func(phase string, d time.Duration, s proxyState) {
		w.enter(phase)
		proxy.be(s)
		end := time.Now().Add(d)
		var took []time.Duration
		for i := range each {
			run := fmt.Sprint(phase, "-", i)
			agent := 10 + map[string]int{"before": 0, "away": each, "slow": 2 * each}[phase] + i
			took = append(took, f.denied(fmt.Sprintf("fleet/a%d", agent), run, 30*time.Second))
			f.until("a page about "+run, 30*time.Second, "true", func() (string, error) {
				return fmt.Sprint(slices.Contains(p.told(run), "updated breaker_opened")), nil
			})
			time.Sleep(time.Until(end) / time.Duration(each-i+1))
		}
		time.Sleep(time.Until(end))
		slices.Sort(took)
		fmt.Printf("%s: first denial after %s\n", phase, took)
	}
	during("before", o.before, proxyState{})
	during("away", o.away, proxyState{away: true})
	during("slow", o.slow, proxyState{slow: o.insert})
	w.enter("catches up")
	proxy.be(proxyState{})
	from, behind, stored := time.Now(), int(l.sent.Load())-w.stored(), w.stored()
	f.until("no more than two seconds of the input are behind", 30*time.Minute, "true", func() (string, error) {
		return fmt.Sprint(int(l.sent.Load())-w.stored() < 2*o.rate), nil
	})
	speed := float64(w.stored()-stored) / time.Since(from).Seconds()
	fmt.Printf("%d calls behind, caught up in %s at %.0f calls/s: %.1f times the input\n", behind,
		time.Since(from).Round(100*time.Millisecond), speed, speed/float64(o.rate))
	sent := l.end()
	f.until("every call of the load is stored", 5*time.Minute, fmt.Sprint(sent), func() (string, error) {
		return f.sql("SELECT count() FROM flyball.calls WHERE run_key LIKE 'load-%'")
	})
	close(ended)
	rows.Wait()
	w.enter("caught up")
	w.row()
	after := residentMiB(f.cmd.Process.Pid)
	if got, err := f.sql("SELECT count() = uniqExact(source_topic, source_partition, source_offset, item) FROM flyball.calls"); err != nil ||
		got != "true" && got != "1" {
		t.Errorf("calls are stored more than once: %s, %v", got, err)
	}
	f.until("what was tripped meanwhile is stored", time.Minute, fmt.Sprint(3*each), func() (string, error) {
		return f.sql("SELECT uniqExact(run_id) FROM flyball.breakers WHERE state = 'open' AND mode = 'armed' AND run_id IN (SELECT run_id FROM " +
			"flyball.runs WHERE match(run_key, '^(before|away|slow)-'))")
	})
	fmt.Printf("at most %d calls behind and %d MiB resident; the broker compacted %.0f times and answered nobody for %.1f s meanwhile\n",
		w.maxWait, w.maxRSS, f.metric("flyball_broker_compaction_seconds_count"), f.metric("flyball_broker_compaction_seconds_sum"))
	// Runs take memory: 10,000 calls/s are 350,000 open runs. What waits for ClickHouse takes none beside them.
	if w.maxRSS > max(2048, after*5/4) {
		t.Errorf("%d MiB resident during the outage, %d after it with as many runs", w.maxRSS, after)
	}
}

// The disk of ClickHouse is full: the store waits, says so and loses nothing, and detection goes on.
func TestDiskOfClickHouseIsFull(t *testing.T) {
	server := install(t, "", "").start()
	proxy := newFaultyProxy(t, server.ports["clickhouse"])
	engines.Store(fmt.Sprintf("127.0.0.1:%d", proxy.port), engineData(fmt.Sprintf("127.0.0.1:%d", server.ports["clickhouse"])))
	f := install(t, "", fmt.Sprintf("127.0.0.1:%d", proxy.port))
	f.ports["clickhouse"] = server.ports["clickhouse"]
	f = withLoopIn(t, f, "")
	proxy.be(proxyState{full: true})
	f.runAway("fleet/a3", "bad", 30*time.Second)
	f.until("the store to say what it waits for", 20*time.Second, "true", func() (string, error) {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", f.ports["metrics"]))
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		body := make([]byte, 4096)
		n, _ := r.Body.Read(body)
		return fmt.Sprint(strings.Contains(string(body[:n]), "not enough space")), nil
	})
	proxy.be(proxyState{})
	f.until("what waited is stored", time.Minute, "true", func() (string, error) {
		got, err := f.sql("SELECT count() >= 5 AND count() = uniqExact(request_id) FROM flyball.calls WHERE run_key = 'bad' AND " +
			"observer_kind != 'gate'")
		return strings.Replace(got, "1", "true", 1), err
	})
	f.ready(30 * time.Second)
}
