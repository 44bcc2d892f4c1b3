package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
	"flyball/cmd/internal/tiers"
)

// service is the service behind a gateway. It stores the requests that it received.
type service struct {
	*httptest.Server
	mu   sync.Mutex
	seen []http.Header
}

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		h := r.Header.Clone()
		h.Set("Got", r.Method+" "+r.URL.Path)
		s.seen = append(s.seen, h)
		s.mu.Unlock()
		fmt.Fprint(w, "served")
	}))
	t.Cleanup(s.Close)
	return s
}

// got returns the last request for a path, or nil if there was none.
func (s *service) got(methodPath string) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.seen) - 1; i >= 0; i-- {
		if s.seen[i].Get("Got") == methodPath {
			return s.seen[i]
		}
	}
	return nil
}

type reply struct {
	status int
	kind   string
	header http.Header
	body   map[string]any
	took   time.Duration
}

func viaGateway(t *testing.T, base, run, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Login", "support/bot") // by which the gateway of the tests identifies the caller
	req.Header.Set("X-Agent-Run-Id", run)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	start := time.Now()
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	r := reply{status: resp.StatusCode, kind: resp.Header.Get("Content-Type"), header: resp.Header, took: time.Since(start)}
	_ = json.Unmarshal(raw, &r.body)
	return r
}

// The files of deploy/gateways run on their gateways: calls that are allowed, held, granted,
// denied and spoofed, and with Flyball slow and stopped.
func TestRealGateways(t *testing.T) {
	names := []string{"caddy", "envoy-grpc", "envoy-http", "nginx"}
	if os.Getenv("FLYBALL_TEST_TRAEFIK") != "" {
		tiers.Ran("traefik")
		names = append(names, "traefik")
	} else {
		tiers.Skipped("traefik", errors.New("FLYBALL_TEST_TRAEFIK is not set (its build takes eight minutes)"))
	}
	table := map[string][]string{}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { table[name] = throughGateway(t, name) })
	}
	sort.Strings(names)
	fmt.Println("gateway: allowed | held | granted | again | denied | slow read, write | gone read, write | in the log")
	for _, name := range names {
		fmt.Printf("%s: %s\n", name, strings.Join(table[name], " | "))
	}
}

func throughGateway(t *testing.T, name string) (row []string) {
	f := governed(t, "")
	file := t.TempDir() + "/support.yaml"
	if err := os.WriteFile(file, []byte(f.run([]int{0}, "manifest", "learn", "--agent", "support/bot")), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run([]int{0}, "manifest", "apply", "--reason", "test", file)
	svc := newService(t)
	g := realparts.StartGateway(t, name, "../../../deploy/gateways", svc.Listener.Addr().String(),
		fmt.Sprintf("127.0.0.1:%d", f.ports["check"]), fmt.Sprintf("127.0.0.1:%d", f.ports["grpc"]))
	seen := func(format string, args ...any) { row = append(row, fmt.Sprintf(format, args...)) }
	reads := name != "traefik" // whether reads pass when the check is not reachable
	runOf := func(key string) string {
		_, h, _ := f.check("support/bot", key, "GET", "/v1/orders/1")
		return h.Get("X-Flyball-Run")
	}

	// Allowed; upstream gets the real ids and not those that the client sent.
	r := viaGateway(t, g.URL, "r1", "GET", "/v1/orders/1", "", "X-Flyball-Run", "00000000-0000-0000-0000-00000000f00d", "X-Flyball-Decision",
		"mine", "X-Flyball-Why", "granted")
	up := svc.got("GET /v1/orders/1")
	if r.status != 200 || up == nil || up.Get("X-Flyball-Run") != runOf("r1") || !strings.HasPrefix(up.Get("X-Flyball-Decision"), "c_") {
		t.Errorf("allowed: %d, upstream saw %v, want run %s", r.status, up, runOf("r1"))
	}
	seen("%d", r.status)

	// Held, with a body that explains how to proceed.
	r = viaGateway(t, g.URL, "r1", "DELETE", "/v1/orders/7", "")
	if r.status != 403 || !strings.HasPrefix(r.kind, "application/problem+json") || r.body["type"] != "urn:flyball:problem:step-up" ||
		svc.got("DELETE /v1/orders/7") != nil {
		t.Errorf("held: %d %s %v", r.status, r.kind, r.body)
	}
	seen("%d %v", r.status, strings.TrimPrefix(fmt.Sprint(r.body["type"]), "urn:flyball:problem:"))
	detail, _ := r.body["flyball"].(map[string]any)
	gate, _ := detail["gate_id"].(string)
	if gate == "" {
		t.Fatalf("no question: %v", r.body)
	}
	f.run([]int{0}, "breakers", "grant", gate, "--reason", "test")
	r = viaGateway(t, g.URL, "r1", "DELETE", "/v1/orders/7", "")
	if r.status != 200 || svc.got("DELETE /v1/orders/7") == nil {
		t.Errorf("granted: %d %v", r.status, r.body)
	}
	seen("%d", r.status)
	r = viaGateway(t, g.URL, "r1", "DELETE", "/v1/orders/7", "")
	if r.status != 403 {
		t.Errorf("one yes, two calls: %d", r.status)
	}
	seen("%d", r.status)

	// An amount in the body is used, if the gateway sends the body.
	if name == "envoy-grpc" || name == "envoy-http" {
		if r := viaGateway(t, g.URL, "r-small", "POST", "/v1/refunds", `{"amount": 5, "currency": "EUR"}`, "Content-Type",
			"application/json"); r.status != 403 && r.status != 200 {
			t.Errorf("a refund: %d", r.status)
		}
	}

	// Tripped: the run and later runs of the same agent are denied; a run that began before is not.
	if r := viaGateway(t, g.URL, "good", "GET", "/v1/orders/3", ""); r.status != 200 {
		t.Errorf("another run, before the trip: %d", r.status)
	}
	f.run([]int{0}, "breakers", "trip", "run", runOf("bad"), "--until-reset", "--reason", "leaked")
	r = viaGateway(t, g.URL, "bad", "GET", "/v1/orders/2", "")
	if r.status != 403 || r.body["type"] != "urn:flyball:problem:denied" || svc.got("GET /v1/orders/2") != nil {
		t.Errorf("denied: %d %v", r.status, r.body)
	}
	seen("%d %v", r.status, strings.TrimPrefix(fmt.Sprint(r.body["type"]), "urn:flyball:problem:"))
	if r := viaGateway(t, g.URL, "good", "GET", "/v1/orders/3", ""); r.status != 200 {
		t.Errorf("a run that was under way: %d", r.status)
	}
	if r := viaGateway(t, g.URL, "renamed", "GET", "/v1/orders/3", ""); r.status != 403 {
		t.Errorf("the agent under another run id: %d", r.status)
	}

	// Flyball is slow: its process is suspended and continues later.
	if err := f.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // until every thread has stopped
	if reads {
		read, write := viaGateway(t, g.URL, "slow", "GET", "/v1/orders/4", ""), viaGateway(t, g.URL, "slow", "DELETE", "/v1/orders/4", "")
		if read.status != 200 || read.took > 3*time.Second || write.status != 503 || write.took > 3*time.Second ||
			svc.got("DELETE /v1/orders/4") != nil {
			t.Errorf("slow: read %d after %s, write %d after %s", read.status, read.took, write.status, write.took)
		}
		seen("%d, %d", read.status, write.status)
	} else {
		seen("waits")
	}
	if err := f.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}

	// Flyball is not running: reads pass, other calls are denied.
	f.stop()
	read, write := viaGateway(t, g.URL, "gone", "GET", "/v1/orders/5", ""), viaGateway(t, g.URL, "gone", "DELETE", "/v1/orders/5", "")
	wantRead, wantWrite := 200, 503
	if !reads {
		wantRead, wantWrite = 500, 500
	}
	if read.status != wantRead || write.status != wantWrite || svc.got("DELETE /v1/orders/5") != nil {
		t.Errorf("gone: read %d, write %d", read.status, write.status)
	}
	seen("%d, %d", read.status, write.status)

	// The log of these requests, as Flyball reads it.
	type line struct {
		Path, Method, RunKey, RunKeySource string
		Status                             int
		Attrs                              map[string]string
	}
	var lines map[string]line
	f.until("the log is written", 20*time.Second, "true", func() (string, error) {
		lines = map[string]line{}
		for _, text := range strings.Split(strings.TrimSpace(f.run([]int{0, 3}, "decode", g.Log)), "\n") {
			var l struct {
				Path   string `json:"path"`
				Method string `json:"method"`
				RunKey string `json:"run_key"`
				Source string `json:"run_key_source"`
				Status int    `json:"status"`
				Attrs  map[string]string
			}
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				continue
			}
			lines[fmt.Sprint(l.Method, " ", l.Path, " ", l.Status)] = line{l.Path, l.Method, l.RunKey, l.Source, l.Status, l.Attrs}
		}
		return fmt.Sprint(lines["GET /v1/orders/1 200"].Method != "" && lines[fmt.Sprint("DELETE /v1/orders/5 ", wantWrite)].Method != ""), nil
	})
	decision := func(l line) string { return l.Attrs["flyball_decision"] + l.Attrs["header.X-Flyball-Decision"] }
	allowed, denied := lines["GET /v1/orders/1 200"], lines["GET /v1/orders/2 403"]
	if !strings.HasPrefix(decision(allowed), "c_") || allowed.RunKey != "r1" {
		t.Errorf("the log of an allowed call: %+v", allowed)
	}
	if denied.Status != 403 {
		t.Errorf("the log of a denied call: %+v", denied)
	}
	seen("decision %v, on denial %v", decision(allowed) != "", decision(denied) != "")
	return row
}
