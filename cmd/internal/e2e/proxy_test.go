package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
)

// faultyProxy stands between Flyball and ClickHouse. It passes requests on, unless it was told to behave otherwise.
type faultyProxy struct {
	port    int
	state   atomic.Pointer[proxyState]
	inserts atomic.Int64 // that reached the proxy
}

// proxyState is how the proxy treats requests.
type proxyState struct {
	away  bool          // connections end without an answer
	slow  time.Duration // inserts wait for so long before they are passed on
	full  bool          // inserts are answered as by a server whose disk is full
	hangs bool          // no request is answered
}

// newFaultyProxy starts a proxy to the HTTP interface of a ClickHouse on a port of this machine.
func newFaultyProxy(t *testing.T, clickhouse int) *faultyProxy {
	t.Helper()
	p := &faultyProxy{port: realparts.FreePort(t)}
	p.be(proxyState{})
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", clickhouse)})
	pass.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := &http.Server{Addr: fmt.Sprintf("127.0.0.1:%d", p.port), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.serve(w, r, pass)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.ListenAndServe() }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	return p
}

// be sets how the proxy treats requests from now on.
func (p *faultyProxy) be(s proxyState) { p.state.Store(&s) }

func (p *faultyProxy) serve(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	s := p.state.Load()
	insert := strings.HasPrefix(r.URL.Query().Get("query"), "INSERT")
	if insert {
		p.inserts.Add(1)
	}
	wait := time.Duration(0)
	switch {
	case s.away:
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
		return
	case s.hangs:
		wait = time.Hour
	case s.full && insert:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-ClickHouse-Exception-Code", "243")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)")
		return
	case insert:
		wait = s.slow
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
	}
	pass.ServeHTTP(w, r)
}
