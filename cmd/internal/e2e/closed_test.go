package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/realparts"
	"flyball/schema/wire"
)

// through sends a request through the gateway as an agent and returns its status.
func through(gateway, agent, run, method, path string) (int, string, error) {
	req, err := http.NewRequest(method, gateway+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("x-login", agent) // by which the gateway of the tests identifies the caller
	req.Header.Set("x-agent-run-id", run)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, r.Header.Get("content-type"), err
}

// hops are the times of the stages of one trip, in milliseconds.
type hops struct {
	logged, decided, denied, total float64 // call at Envoy → in Kafka → command in the log → 403 at the client
	calls, slipped                 int     // calls until the 403; calls after the deciding one
}

// A runaway behind a real gateway gets a real 403; another agent beside it never does.
// FLYBALL_TEST_TRIPS is the number of runaways, one after the other.
func TestRealEnvoyDeniesTheRunaway(t *testing.T) {
	trips := 5
	if n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_TRIPS")); err == nil {
		trips = n
	}
	k := realKafka(t)
	stampOnArrival(t, k.Addr(), "gateway-logs")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	}))
	defer upstream.Close()
	f := withLoopOn(t, k.Addr(), "")
	envoy := realparts.StartGateway(t, "envoy-grpc", "../../../deploy/gateways", upstream.Listener.Addr().String(),
		fmt.Sprintf("127.0.0.1:%d", f.ports["check"]), fmt.Sprintf("127.0.0.1:%d", f.ports["grpc"]))
	realparts.StartRsyslog(t, envoy.Log, k.Addr(), "gateway-logs")

	// A normal agent on the same gateway: six calls a run, as in its past.
	stop := make(chan struct{})
	var steady, refused atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(40 * time.Millisecond):
			}
			code, _, err := through(envoy.URL, "fleet/a19", fmt.Sprint("steady-", n/6), "GET", fmt.Sprint("/v1/orders/", 5000+n))
			if err == nil {
				steady.Add(1)
			}
			if err != nil || code != 200 {
				refused.Add(1)
			}
		}
	}()

	var all []hops
	for i := range trips {
		run, agent := fmt.Sprint("closed-", i), fmt.Sprint("fleet/b", i) // a second run of one agent would hold its credential
		var h hops
		var at time.Time
		for h.calls = 1; at.IsZero() && h.calls < 4000; h.calls++ {
			code, kind, err := through(envoy.URL, agent, run, "GET", "/v1/orders/7")
			if err != nil {
				t.Fatal(err)
			}
			if code == 403 {
				if at = time.Now(); kind != "application/problem+json" {
					t.Errorf("the denial is %s", kind)
				}
			}
			time.Sleep(4 * time.Millisecond)
		}
		if at.IsZero() {
			t.Fatalf("%s was not denied in %d calls", run, h.calls)
		}
		h.measure(f, run, at)
		all = append(all, h)
	}
	close(stop)
	<-done
	if refused.Load() > 0 || steady.Load() == 0 {
		t.Errorf("%d of %d calls of the agent beside it were refused", refused.Load(), steady.Load())
	}
	report(all)
	f.until("all calls that passed are stored", 60*time.Second, "0", func() (string, error) {
		n, err := f.sql("SELECT countIf(status = 200) FROM flyball.calls WHERE observer_kind != 'gate' AND (run_key LIKE 'steady-%')")
		return fmt.Sprint(int(steady.Load()) - mustInt(n)), err
	})

	// The check is not reachable: reversible calls pass, others do not.
	f.stop()
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 503, "DELETE": 503, "PATCH": 503} {
		if code, _, err := through(envoy.URL, "fleet/a19", "steady-0", method, "/v1/orders/1"); err != nil || code != want {
			t.Errorf("%s without Flyball: %d %v, want %d", method, code, err, want)
		}
	}
}

func mustInt(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// stampOnArrival makes the broker stamp records: rsyslog's stamps are whole seconds.
func stampOnArrival(t *testing.T, broker, name string) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	value := "LogAppendTime"
	if _, err := kadm.NewClient(c).AlterTopicConfigs(context.Background(),
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &value}}, name); err != nil {
		t.Fatal(err)
	}
}

// measure reads when the run's deciding call was logged and when the decision was made.
func (h *hops) measure(f *flyball, run string, denied time.Time) {
	f.t.Helper()
	var call, logged, decided time.Time
	id := ""
	f.until("the run is stored", 30*time.Second, "1", func() (string, error) {
		var err error
		id, err = f.sql("SELECT run_id FROM flyball.calls WHERE observer_kind != 'gate' AND run_key = '" + run + "' LIMIT 1")
		return fmt.Sprint(min(len(id), 1)), err
	})
	h.find(f, wire.CommandsTopic, func(r *kgo.Record) bool {
		c, err := wire.DecodeCommand(r.Value)
		if err != nil || c.Decision == nil || c.Decision.RunID.String() != id {
			return false
		}
		call, decided = time.Unix(0, c.Decision.At), r.Timestamp
		return true
	})
	stamp := call.UTC().Format("2006-01-02T15:04:05.000Z")
	h.find(f, "gateway-logs", func(r *kgo.Record) bool {
		if s := string(r.Value); strings.Contains(s, run+`"`) && strings.Contains(s, stamp) {
			logged = r.Timestamp
			return true
		}
		return false
	})
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	h.logged, h.decided, h.denied, h.total = ms(logged.Sub(call)), ms(decided.Sub(logged)), ms(denied.Sub(decided)), ms(denied.Sub(call))
	n, err := f.sql(fmt.Sprintf("SELECT countIf(start_time > fromUnixTimestamp64Milli(%d)) FROM flyball.calls WHERE run_key = '%s' AND "+
		"observer_kind != 'gate' AND status = 200", call.UnixMilli(), run))
	if err == nil {
		h.slipped = mustInt(n)
	}
}

func (h *hops) find(f *flyball, name string, match func(*kgo.Record) bool) {
	f.t.Helper()
	c, err := kgo.NewClient(append(f.login(), kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		found := false
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { found = found || match(r) })
		if found {
			return
		}
	}
	f.t.Fatalf("nothing of it in %s", name)
}

func report(all []hops) {
	for _, m := range []struct {
		name string
		of   func(hops) float64
	}{
		{"call at Envoy → record in Kafka (flush, rsyslog)", func(h hops) float64 { return h.logged }},
		{"record in Kafka → trip in flyball.commands", func(h hops) float64 { return h.decided }},
		{"trip in flyball.commands → 403 at the client", func(h hops) float64 { return h.denied }},
		{"call at Envoy → 403 at the client", func(h hops) float64 { return h.total }},
		{"calls until the first 403", func(h hops) float64 { return float64(h.calls) }},
		{"calls that passed after the deciding one", func(h hops) float64 { return float64(h.slipped) }},
	} {
		var v []float64
		for _, h := range all {
			v = append(v, m.of(h))
		}
		slices.Sort(v)
		at := func(q float64) float64 { return v[min(int(q*float64(len(v))), len(v)-1)] }
		fmt.Printf("closed loop, %d trips: %-50s p50 %.1f p99 %.1f\n", len(v), m.name, at(.5), at(.99))
	}
}
