package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"flyball/cmd/internal/config"
	"flyball/detect/breaker"
	"flyball/detect/control"
	"flyball/detect/learn"
	"flyball/detect/policy"
	"flyball/schema/clickhouse"
	"flyball/schema/identity"
)

// PolicyRules are what the configuration says of decisions.
func PolicyRules(c config.Config) policy.Rules {
	r := policy.DefaultRules()
	r.Armed, r.ArmedAgents, r.TTL = c.Detect.Mode == "armed", c.Detect.Armed, time.Duration(c.Detect.TripTTL)
	return r
}

// learning are the options of a learner; Logger and Registerer are the caller's.
func learning(c config.Config, kafka []kgo.Opt, db *clickhouse.Conn) learn.Options {
	o := learn.DefaultOptions()
	o.Tenant, o.Kafka, o.DB, o.Now = c.Tenant, kafka, db, time.Now
	o.Every, o.Quarantine, o.Window, o.MinRuns = time.Duration(c.Learn.Every), time.Duration(c.Learn.Quarantine), time.Duration(c.Learn.Window), c.Learn.MinRuns
	return o
}

// Learner learns once, for a command.
func Learner(c config.Config, kafka []kgo.Opt, db *clickhouse.Conn, log *slog.Logger) *learn.Learner {
	o := learning(c, kafka, db)
	o.Logger = log
	return learn.New(o)
}

// enforce starts the enforcement point with its three listeners.
func enforce(c config.Config, g *group, kafka []kgo.Opt, key identity.Key, stage func(string), log *slog.Logger, reg *prometheus.Registry) error {
	resolver, table, err := Rules(c, key)
	if err != nil {
		return err
	}
	g.start(part{name: "registry of control", run: reloads(c, resolver, log)})
	g.start(part{name: "routes of control", run: learnedRoutes(c, kafka, key, table, log)})
	o := control.Options{Kafka: kafka, Name: c.Control.Point, Tenant: c.Tenant, Partitions: int32(c.Kafka.Partitions),
		Budget:   breaker.Budget{PerHour: c.Control.TripBudget.PerHour, Percent: c.Control.TripBudget.AgentsPercent},
		Resolver: resolver, Routes: table, Now: time.Now, Stage: stage, Logger: log.With("component", "control"), Registerer: reg}
	if c.Check.TokenFile != "" {
		token, err := secretFile("check.token_file", c.Check.TokenFile)
		if err != nil {
			return err
		}
		o.CheckToken = control.Secret(token)
	}
	if len(c.Control.Tokens) > 0 {
		o.Tokens = map[control.Secret]control.Role{}
		for i, t := range c.Control.Tokens {
			value, err := secretFile(fmt.Sprintf("control.tokens[%d].value_file", i), string(t.Value))
			if err != nil {
				return err
			}
			o.Tokens[control.Secret(value)] = control.Role(t.Role)
		}
	}
	ctl, err := control.New(o)
	if err != nil {
		return err
	}
	conf, err := gatewayTLS(c.Check.TLS)
	if err != nil {
		return err
	}
	api, err := listen("control.listen", c.Control.Listen)
	if err != nil {
		return err
	}
	check, err := listen("check.listen", c.Check.Listen)
	if err != nil {
		return err
	}
	rpc, err := listen("check.grpc", c.Check.GRPC)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", ctl.APIHandler())
	mux.Handle("/", health(g, reg))
	var opts []grpc.ServerOption
	if conf != nil {
		check = tls.NewListener(check, conf)
		opts = append(opts, grpc.Creds(credentials.NewTLS(conf)))
	}
	srv := grpc.NewServer(opts...)
	ctl.Register(srv)
	g.start(part{name: "control", run: ctl.Run, ready: ctl.Ready})
	g.start(part{name: "control.listen", run: serve(api, mux)})
	g.start(part{name: "check.listen", run: serve(check, ctl.CheckHandler())})
	g.start(part{name: "check.grpc", run: serveGRPC(rpc, srv)})
	return nil
}

func serveGRPC(l net.Listener, s *grpc.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			force := time.AfterFunc(3*time.Second, s.Stop)
			s.GracefulStop()
			force.Stop()
		})
		defer stop()
		return s.Serve(l)
	}
}

// gatewayTLS asks gateways for a certificate of the configured authority.
func gatewayTLS(t config.TLS) (*tls.Config, error) {
	if t == (config.TLS{}) {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("check.tls.cert, check.tls.key: %w", err)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("check.tls.ca: %w", err)
		}
		conf.ClientCAs, conf.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !conf.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("check.tls.ca: no certificate in %s", t.CA)
		}
	}
	return conf, nil
}
