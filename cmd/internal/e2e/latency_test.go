package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"flyball/cmd/internal/realparts"
)

// load sends records at a fixed rate (open loop) until it is stopped: a slow Flyball does not
// reduce the rate.
type load struct {
	stop chan struct{}
	done sync.WaitGroup
	sent atomic.Int64
}

func (f *flyball) load(perSecond int, line func(n int) (key, value string)) *load {
	l := &load{stop: make(chan struct{})}
	c, err := kgo.NewClient(kgo.SeedBrokers(f.brokers()), kgo.DefaultProduceTopic("gateway-logs"), kgo.ProducerLinger(2*time.Millisecond),
		kgo.MaxBufferedRecords(200_000))
	if err != nil {
		f.t.Fatal(err)
	}
	l.done.Go(func() {
		defer c.Close()
		began, n := time.Now(), 0
		for {
			select {
			case <-l.stop:
				_ = c.Flush(context.Background())
				return
			case <-time.After(2 * time.Millisecond):
			}
			for due := int(time.Since(began).Seconds() * float64(perSecond)); n < due; n++ {
				k, v := line(n)
				c.Produce(context.Background(), &kgo.Record{Key: []byte(k), Value: []byte(v)}, func(_ *kgo.Record, err error) {
					if err == nil {
						l.sent.Add(1)
					}
				})
			}
		}
	})
	return l
}

func (l *load) end() int {
	close(l.stop)
	l.done.Wait()
	return int(l.sent.Load())
}

// trips makes n runaways, a few at a time. It returns, for each, the time from the
// acknowledgement of the deciding call to the first denial, sorted.
func (f *flyball) trips(prefix string, n int) []time.Duration {
	const deciding = 5 // the call that trips a loop with this baseline; the test of the backtest verifies it
	// All agents are active before the first trip, because the trip budget is a share of them.
	var before []string
	for i := range n {
		before = append(before, record(time.Now(), fmt.Sprintf("fleet/%s%d", prefix, i), fmt.Sprintf("before-%s-%d", prefix, i), "/v1/orders/1",
			"GET", 200, 400))
	}
	f.send(before...)
	f.until("the agents are known", 20*time.Second, fmt.Sprint(n), func() (string, error) {
		return f.sql("SELECT count() FROM flyball.runs WHERE run_key LIKE 'before-" + prefix + "-%'")
	})
	time.Sleep(2 * time.Second)
	var mu sync.Mutex
	var out []time.Duration
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Go(func() {
			c, err := kgo.NewClient(kgo.SeedBrokers(f.brokers()), kgo.DefaultProduceTopic("gateway-logs"), kgo.ProducerLinger(0))
			if err != nil {
				f.t.Error(err)
				return
			}
			defer c.Close()
			for i := range next {
				agent, run := fmt.Sprintf("fleet/%s%d", prefix, i), fmt.Sprintf("%s-%d", prefix, i)
				var acked time.Time
				for range deciding {
					r := &kgo.Record{Key: []byte(run), Value: []byte(record(time.Now(), agent, run, "/v1/orders/7", "GET", 200, 512))}
					if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
						f.t.Error(err)
						return
					}
					acked = time.Now()
					time.Sleep(time.Millisecond)
				}
				for time.Since(acked) < 10*time.Second {
					if code, _, _ := f.check(agent, run, "GET", "/v1/orders/7"); code == http.StatusForbidden {
						mu.Lock()
						out = append(out, time.Since(acked))
						mu.Unlock()
						break
					}
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	if len(out) != n {
		f.t.Errorf("%d of %d runaways were denied", len(out), n)
	}
	slices.Sort(out)
	return out
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// histogram returns a histogram of latencies in powers of two of a millisecond.
func histogram(title string, sorted []time.Duration) {
	fmt.Printf("%s: %d trips, p50 %s, p90 %s, p99 %s, max %s\n", title, len(sorted), quantile(sorted, .5).Round(100*time.Microsecond),
		quantile(sorted, .9).Round(100*time.Microsecond),
		quantile(sorted, .99).Round(100*time.Microsecond), quantile(sorted, 1).Round(100*time.Microsecond))
	for low := time.Millisecond; low <= 2*time.Second; low *= 2 {
		n := 0
		for _, d := range sorted {
			if d >= low && d < 2*low || low == time.Millisecond && d < low {
				n++
			}
		}
		if n > 0 {
			fmt.Printf("  %5d to %5d ms  %4d %s\n", low.Milliseconds(), 2*low.Milliseconds(), n, strings.Repeat("#", (n+1)/2))
		}
	}
}

func measuring(t *testing.T) {
	if os.Getenv("FLYBALL_TEST_MEASURE") == "" {
		t.Skip("a measurement, not a test: FLYBALL_TEST_MEASURE=1")
	}
	// As flyball does on a small machine: the goroutines that measure must not wait for
	// those that generate the load.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
}

// Time from the acknowledged produce to the first denial, with 10,000 other calls a second.
func TestMeasureTripLatency(t *testing.T) {
	measuring(t)
	f := withLoop(t)
	histogram("idle", f.trips("idle", 200))
	l := f.load(10_000, func(n int) (string, string) {
		agent := fmt.Sprintf("fleet/a%d", n%20)
		return agent, record(time.Now(), agent, fmt.Sprintf("load-%d", n/120*20+n%20), fmt.Sprintf("/v1/orders/%d", n), "GET", 200, 300+n%400)
	})
	time.Sleep(2 * time.Second)
	at := time.Now()
	v := f.trips("busy", 250)
	sent := l.end()
	histogram("10,000 calls/s", v)
	t.Logf("%d calls of load in %s", sent, time.Since(at).Round(time.Second))
}

// Learning reads and counts a long past beside the process that trips: a second process, started in the middle of the load.
func TestMeasureTripLatencyBesideLearning(t *testing.T) {
	measuring(t)
	f := install(t, "", "")
	configure(t, f, fmt.Sprintf(loopConfig, f.ports["control"]))
	f.start()
	const runs, calls = 40_000, 10
	start := time.Now().Add(-9 * 24 * time.Hour)
	for from := 0; from < runs; from += 2000 {
		var past []string
		for run := from; run < from+2000; run++ {
			at := start.Add(time.Duration(run) * (8 * 24 * time.Hour / runs))
			for call := range calls {
				past = append(past, record(at.Add(time.Duration(call)*time.Second), fmt.Sprintf("fleet/a%d", run%20), fmt.Sprintf("long-%d", run),
					fmt.Sprintf("/v1/orders/%d", run*100+call), "GET", 200, 400+17*call))
			}
		}
		f.send(past...)
	}
	f.until("the long past is stored", 3*time.Minute, fmt.Sprint(runs*calls), func() (string, error) {
		return f.sql("SELECT count() FROM flyball.calls WHERE run_key LIKE 'long-%'")
	})
	f.send(record(time.Now().Add(-20*time.Hour), "fleet/a0", "last", "/v1/orders/1", "GET", 200, 400)) // closes the runs before
	f.until("the long past is closed", 2*time.Minute, "1", func() (string, error) {
		return f.sql(fmt.Sprintf("SELECT count() > %d FROM flyball.runs WHERE state = 'closed'", runs*9/10))
	})
	f.run([]int{0}, "learn", "--once")
	const perSecond = 3000
	l := f.load(perSecond, func(n int) (string, string) {
		agent := fmt.Sprintf("fleet/a%d", n%20)
		return agent, record(time.Now(), agent, fmt.Sprintf("load-%d", n/120*20+n%20), fmt.Sprintf("/v1/orders/%d", n), "GET", 200, 300+n%400)
	})
	time.Sleep(2 * time.Second)
	alone := f.trips("alone", 250)
	histogram(fmt.Sprintf("%d calls/s", perSecond), alone)
	// Learning is repeated until the last trip: one is shorter than all trips.
	stop, learned := make(chan struct{}), make(chan []string, 1)
	go func() {
		var out []string
		for {
			began := time.Now()
			text, err := exec.Command(binary, "learn", "--once", "--config", f.config).CombinedOutput()
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			out = append(out, fmt.Sprintf("%.1f s, %v: %s", time.Since(began).Seconds(), err, lines[len(lines)-1]))
			select {
			case <-stop:
				learned <- out
				return
			default:
			}
		}
	}()
	beside := f.trips("beside", 250)
	close(stop)
	histogram("beside learning", beside)
	for _, line := range <-learned {
		fmt.Println("  learned in", line)
	}
	l.end()
	fmt.Printf("p99 %s beside, %s alone: %.2f times\n", quantile(beside, .99), quantile(alone, .99),
		float64(quantile(beside, .99))/float64(quantile(alone, .99)))
}

// An agent with 20,000 calls a second must not hide another one.
func TestMeasureOneRunawayHidesAnother(t *testing.T) {
	measuring(t)
	f := withLoop(t)
	f.trips("warm", 40)
	idle := f.trips("idle", 600)
	histogram("idle", idle)
	l := f.load(20_000, func(n int) (string, string) {
		return "flood", record(time.Now(), "fleet/flood", "flood", "/v1/orders/7", "GET", 200, 512+n%3)
	})
	time.Sleep(2 * time.Second)
	busy := f.trips("beside", 600)
	sent := l.end()
	histogram("beside one agent at 20,000 calls/s", busy)
	fmt.Printf("p99 %s beside, %s idle: %.2f times; %d calls of the flood\n", quantile(busy, .99), quantile(idle, .99),
		float64(quantile(busy, .99))/float64(quantile(idle, .99)), sent)
	f.until("every call of the flood is stored", 2*time.Minute, fmt.Sprint(sent), func() (string, error) {
		return f.sql("SELECT count() FROM flyball.calls WHERE run_key = 'flood' AND observer_kind != 'gate'")
	})
}

// The check at 5,000 requests a second, open loop: latency is counted from the time at which a
// request was due. The point runs alone on one core, with the state of a large tenant;
// gateway, broker and the other processes share the other core.
func TestMeasureCheckOnOneCore(t *testing.T) {
	measuring(t)
	f := withLoop(t)
	point := install(t, f.brokers(), "", "detect: {mode: armed}", "secret_key_file: "+f.dir+"/data/secret.key")
	point.beside(f)
	configure(t, point, fmt.Sprintf("control: {listen: \"127.0.0.1:%d\", point: alone}", point.ports["control"]))
	point.role = "control"
	point.launch()
	point.ready(60 * time.Second)
	for pid, core := range map[int]string{point.cmd.Process.Pid: "0", f.cmd.Process.Pid: "1", os.Getpid(): "1"} {
		if out, err := exec.Command("taskset", "-a", "-c", "-p", core, fmt.Sprint(pid)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	// the response is measured, not the storage of the checked requests
	for _, pid := range append(children(f.cmd.Process.Pid), f.cmd.Process.Pid) {
		_ = exec.Command("taskset", "-a", "-c", "-p", "1", fmt.Sprint(pid)).Run()
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, task := range tasks {
			_ = exec.Command("chrt", "-i", "-p", "0", filepath.Base(task)).Run()
		}
	}
	post := func(method, path, body string) {
		req, _ := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", point.ports["control"], path), strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Body.Close()
		if r.StatusCode != 200 {
			out, _ := io.ReadAll(r.Body)
			t.Errorf("%s: %d %s", path, r.StatusCode, out)
		}
	}
	many := func(n int, do func(int)) time.Duration {
		var wg sync.WaitGroup
		var next atomic.Int64
		start := time.Now()
		for range 64 {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					do(int(i))
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	took := many(10_000, func(i int) {
		post("POST", "/v1/breakers/trip",
			fmt.Sprintf(`{"scope": {"kind": "run", "value": "00000000-0000-0000-0000-%012x"}, "ttl_seconds": 3600, "force": true, "reason": "test"}`,
				i))
	})
	fmt.Printf("10,000 breakers opened over the API in %s\n", took.Round(time.Millisecond))
	many(1000, func(i int) {
		post("PUT", "/v1/manifests",
			fmt.Sprintf(`{"text": "version: 1\nagent: fleet/a%d\nscope: {routes: [\"GET /**\", \"PATCH /v1/orders/{id}\"]}\nquotas: [{name: calls, calls: 100000000, per: 1h}]\n", "reason": "test"}`, i))
	})
	// The cost of gRPC, this machine and these clients: a server that only responds.
	null := exec.Command(os.Args[0])
	at := fmt.Sprintf("127.0.0.1:%d", realparts.FreePort(t))
	null.Env = append(os.Environ(), "FLYBALL_TEST_NULL_CHECK="+at)
	if err := null.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Process.Kill(); _ = null.Wait() }()
	time.Sleep(time.Second)
	_ = exec.Command("taskset", "-a", "-c", "-p", "0", fmt.Sprint(null.Process.Pid)).Run()
	for _, server := range []struct{ name, addr string }{{"a server that does nothing", at},
		{"Flyball, 10,000 breakers, 1,000 manifests with a quota each", fmt.Sprintf("127.0.0.1:%d", point.ports["grpc"])},
		{"a server that does nothing", at}, {"Flyball again", fmt.Sprintf("127.0.0.1:%d", point.ports["grpc"])}} {
		conns := make([]auth.AuthorizationClient, 8)
		for i := range conns {
			conn, err := grpc.NewClient(server.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conns[i] = auth.NewAuthorizationClient(conn)
		}
		ask := func(n int64) {
			_, err := conns[n%int64(len(conns))].Check(context.Background(),
				&auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
					Method: "GET", Path: fmt.Sprint("/v1/orders/", n), Headers: map[string]string{"x-consumer": fmt.Sprint("fleet/a", 1+n%1000),
						"x-agent-run-id": fmt.Sprint("c-", n/6), "user-agent": "python-httpx/0.28.1", "x-request-id": fmt.Sprint("q-", n)}}}}})
			if err != nil {
				t.Error(err)
			}
		}
		all := paced(5000, 15, 64, ask)
		const n = 200_000
		took := many(n, func(i int) { ask(int64(i)) })
		fmt.Printf("check over gRPC at 5,000/s on one core, %s: %d answered, p50 %s, p90 %s, p99 %s, max %s; at most %.0f/s\n", server.name,
			len(all), quantile(all, .5), quantile(all, .9), quantile(all, .99), quantile(all, 1), n/took.Seconds())
	}
	fmt.Printf("the point itself, by its own clock, answers within seconds: %s\n", point.took())
}

// nullCheck allows every check until it is killed.
type nullCheck struct {
	auth.UnimplementedAuthorizationServer
}

func (nullCheck) Check(context.Context, *auth.CheckRequest) (*auth.CheckResponse, error) {
	return &auth.CheckResponse{Status: &status.Status{}, HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{}}}, nil
}

func serveNullCheck(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer()
	auth.RegisterAuthorizationServer(s, nullCheck{})
	panic(s.Serve(l))
}

// took returns the buckets of the check's histogram of durations, measured by the process
// itself.
func (f *flyball) took() string {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", f.ports["metrics"]))
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	var out []string
	for _, l := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(l, "flyball_check_seconds_bucket{le="); ok {
			out = append(out, rest)
		}
	}
	return strings.Join(out, " ")
}

// paced makes calls at a rate for some seconds, from a number of senders. It returns the time
// from the due time of each call to its response, in order.
func paced(rate, seconds, senders int, call func(n int64)) []time.Duration {
	began := time.Now()
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			var mine []time.Duration
			for {
				n := next.Add(1)
				due := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
				if due.Sub(began) > time.Duration(seconds)*time.Second {
					break
				}
				time.Sleep(time.Until(due))
				if late := time.Since(due); late > 0 && late < 2*time.Millisecond {
					due = due.Add(late) // the overshoot of the sleep is not a delay of the check; a queue of callers is
				}
				call(n)
				mine = append(mine, time.Since(due))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

func TestMeasureCheck(t *testing.T) {
	measuring(t)
	f := withLoop(t)
	const rate, seconds, senders = 5000, 15, 64
	transport := &http.Transport{MaxIdleConnsPerHost: senders, MaxConnsPerHost: senders}
	client := &http.Client{Transport: transport}
	all := paced(rate, seconds, senders, func(n int64) {
		req, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/check", f.ports["check"]), nil)
		req.Header.Set("X-Original-Method", "GET")
		req.Header.Set("X-Original-URI", fmt.Sprint("/v1/orders/", n))
		req.Header.Set("X-Consumer", fmt.Sprint("fleet/a", n%20))
		req.Header.Set("X-Agent-Run-Id", fmt.Sprint("c-", n/6))
		r, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		r.Body.Close()
	})
	fmt.Printf("check at %d/s over HTTP: %d answered, p50 %s, p99 %s, max %s\n", rate, len(all), quantile(all, .5), quantile(all, .99),
		quantile(all, 1))
}
