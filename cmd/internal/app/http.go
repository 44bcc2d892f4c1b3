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
)

// shutdownTimeout bounds how long a server waits for requests that have begun.
const shutdownTimeout = 3 * time.Second

// listen opens a listener. An address that is in use is thus an error of the start, and names its key.
func listen(key, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; stop what listens there or choose another address", key, err)
	}
	return l, nil
}

// serve runs an HTTP handler on a listener, as a part.
func serve(l net.Listener, h http.Handler) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
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

// serveGRPC runs a gRPC server on a listener, as a part.
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

// health answers /healthz (the process is alive), /readyz (every part is ready, or what keeps it from being so) and
// /metrics.
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
