package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"

	"flyball/cmd/internal/httpbody"
)

// shutdownTimeout is the maximum time that a stopping server waits for running requests.
const shutdownTimeout = 3 * time.Second

// listen opens a listener. If the address is in use, the start fails with an error that names
// the configuration key.
func listen(key, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; stop what listens there or choose another address", key, err)
	}
	return l, nil
}

// Limits for clients that send slowly: the headers of a request, and its body, of which at most a few
// hundred KB are accepted. Connections that wait for the next request stay: a gateway keeps some open, and
// would take the end of one for an outage.
const headerTimeout = 5 * time.Second

var bodyLimit = httpbody.Limit{Within: 10 * time.Second}

// serve returns the run function of a part that serves HTTP on a listener.
func serve(l net.Listener, h http.Handler) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		srv := &http.Server{Handler: bodyLimit.Handler(h), ReadHeaderTimeout: headerTimeout}
		ended := make(chan error, 1)
		go func() { ended <- srv.Serve(l) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = srv.Shutdown(grace)
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// serveGRPC returns the run function of a part that serves gRPC on a listener.
func serveGRPC(l net.Listener, s *grpc.Server) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			force := time.AfterFunc(shutdownTimeout, s.Stop)
			s.GracefulStop()
			force.Stop()
		})
		defer stop()
		return s.Serve(l)
	}
}

// health serves /healthz (the process is alive), /readyz (the state of every part, with the
// reason if it is not ready) and /metrics.
func health(g *group, reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		states := g.states()
		if firstNotReady(states) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(states)
	})
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return mux
}
