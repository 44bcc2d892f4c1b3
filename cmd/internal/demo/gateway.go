package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// gateway is an HTTP proxy in front of an API: it authenticates, checks each request with Flyball, and writes an access
// log to Kafka.
type gateway struct {
	*httptest.Server
	api    *httptest.Server
	proxy  *httputil.ReverseProxy
	check  string
	client *http.Client
	log    *kgo.Client
	now    func() time.Time

	mu        sync.Mutex
	keys      map[string]string // credential → consumer
	forAgent  map[string]string
	logged    map[string]uint64 // lines by run
	Logged    atomic.Int64
	Refused   atomic.Int64
	unchecked atomic.Int64
	failed    atomic.Pointer[error]
}

// Headers by which a client sets how the demo's API answers, as it did the recorded call.
const (
	answerStatus = "x-demo-status"
	answerBytes  = "x-demo-bytes"
)

func newGateway(check string, log *kgo.Client, now func() time.Time) *gateway {
	g := &gateway{check: check, log: log, now: now,
		keys: map[string]string{}, forAgent: map[string]string{}, logged: map[string]uint64{},
		// A busy machine may stall the whole process for a second.
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	g.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.Header.Get(answerStatus))
		n, _ := strconv.Atoi(r.Header.Get(answerBytes))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(max(status, 200))
		_, _ = io.WriteString(w, strings.Repeat(" ", n))
	}))
	to, _ := url.Parse(g.api.URL)
	g.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	g.Server = httptest.NewServer(g)
	return g
}

func (g *gateway) Close() {
	g.Server.Close()
	g.api.Close()
}

// credential returns the credential of an agent, and makes it at the first call.
func (g *gateway) credential(agent string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k := g.forAgent[agent]; k != "" {
		return k
	}
	var b [12]byte
	_, _ = rand.Read(b[:])
	k := hex.EncodeToString(b[:])
	g.forAgent[agent], g.keys[k] = k, agent
	return k
}

type counting struct {
	http.ResponseWriter
	status, sent int
}

func (c *counting) WriteHeader(s int) { c.status = s; c.ResponseWriter.WriteHeader(s) }
func (c *counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.sent += n
	return n, err
}

// ServeHTTP authenticates, checks, forwards or denies, and logs.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := g.now()
	g.mu.Lock()
	consumer := g.keys[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	g.mu.Unlock()
	if consumer == "" {
		http.Error(w, "unknown credential", http.StatusUnauthorized)
		return
	}
	r.Header.Set("X-Consumer", consumer) // overwrites a value from the client
	out, details := &counting{ResponseWriter: w}, "via_upstream"
	receipt, denied, err := g.checkRequest(r)
	if err != nil {
		g.unchecked.Add(1) // a gateway's failure mode; the demo counts it
		g.proxy.ServeHTTP(out, r)
	} else if denied != nil {
		g.Refused.Add(1)
		details = "ext_authz_denied"
		for _, h := range []string{"Content-Type", "X-Flyball-Decision", "X-Flyball-Run"} {
			out.Header().Set(h, denied.Header.Get(h))
		}
		out.WriteHeader(denied.StatusCode)
		_, _ = io.Copy(out, denied.Body)
		denied.Body.Close()
	} else {
		g.proxy.ServeHTTP(out, r)
	}
	g.write(r, out, consumer, details, receipt, began)
}

// checkRequest calls the check. It returns the receipt, and the response if it is a denial.
func (g *gateway) checkRequest(r *http.Request) (receipt string, denied *http.Response, err error) {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.check, nil)
	if err != nil {
		return "", nil, err
	}
	for _, h := range []string{"X-Consumer", "X-Agent-Id", "X-Agent-Run-Id", "X-Task-Id"} {
		if v := r.Header.Get(h); v != "" {
			q.Header.Set(h, v)
		}
	}
	q.Header.Set("X-Original-Host", "api.internal")
	q.Header.Set("X-Original-Method", r.Method)
	q.Header.Set("X-Original-Uri", r.URL.RequestURI())
	resp, err := g.client.Do(q)
	if err != nil {
		return "", nil, err
	}
	receipt = resp.Header.Get("X-Flyball-Receipt")
	switch resp.StatusCode {
	case http.StatusOK:
		resp.Body.Close()
		return receipt, nil, nil
	case http.StatusForbidden:
		return receipt, resp, nil
	}
	resp.Body.Close()
	return "", nil, fmt.Errorf("check: HTTP %d", resp.StatusCode)
}

// write sends a line of the access log to the input topic.
func (g *gateway) write(r *http.Request, out *counting, consumer, details, receipt string, began time.Time) {
	runID := r.Header.Get("X-Agent-Run-Id")
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	var id [16]byte
	_, _ = rand.Read(id[:])
	line, err := json.Marshal(map[string]any{
		"start_time": began.UTC().Format("2006-01-02T15:04:05.000Z"), "method": r.Method, "path": r.URL.RequestURI(),
		"protocol": r.Proto, "authority": "api.internal",
		"response_code": out.status, "response_flags": "-", "response_code_details": details,
		"bytes_received": max(r.ContentLength, 0), "bytes_sent": out.sent,
		"duration": g.now().Sub(began).Milliseconds(), "downstream_remote_address": host,
		"user_agent": r.UserAgent(), "request_id": hex.EncodeToString(id[:]),
		"x_consumer": consumer, "x_agent_id": r.Header.Get("X-Agent-Id"), "x_agent_run_id": runID, "x_task_id": r.Header.Get("X-Task-Id"),
		"flyball_receipt": receipt,
	})
	if err != nil {
		g.failed.Store(&err)
		return
	}
	g.mu.Lock()
	g.logged[runID]++
	g.mu.Unlock()
	g.Logged.Add(1)
	g.log.Produce(context.Background(), &kgo.Record{Topic: inputTopic, Key: []byte(consumer), Value: line}, func(_ *kgo.Record, err error) {
		if err != nil {
			g.failed.Store(&err)
		}
	})
}
