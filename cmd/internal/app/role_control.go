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
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/check"
	"flyball/detect/enforce/point"
	"flyball/detect/learn"
	"flyball/detect/policy"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// PolicyRules are what the configuration says of decisions.
func PolicyRules(c config.Config) policy.Rules {
	r := policy.DefaultRules()
	r.Arming, r.TTL = policy.ParseArming(c.Detect.Mode == "armed", c.Detect.Armed), time.Duration(c.Detect.TripTTL)
	r.Exceptions = c.Detect.PolicyExceptions()
	if c.Detect.LearnedScope != "enforce" {
		r.Arming.ExplicitOnly = []string{schema.FamilyScope}
	}
	for i, g := range c.Detect.Policy {
		rule := policy.Rule{Name: g.Name, Agent: g.Agent, Tag: g.Tag, Family: g.Family, Criticality: g.Criticality, TTL: time.Duration(g.TTL)}
		if rule.Name == "" {
			rule.Name = fmt.Sprintf("detect.policy[%d]", i)
		}
		// Validate has read these words before.
		_ = rule.Action.UnmarshalText([]byte(g.Action))
		if g.Level != "" {
			_ = rule.Level.UnmarshalText([]byte(g.Level))
		}
		if g.Reversibility != "" {
			_ = rule.Reversibility.UnmarshalText([]byte(g.Reversibility))
		}
		r.Graded = append(r.Graded, rule)
	}
	return r
}

// learning are the options of a learner; Logger and Registerer are the caller's.
func learning(c config.Config, kafka []kgo.Opt, db *clickhouse.Conn) learn.Options {
	o := learn.DefaultOptions()
	o.Tenant, o.Kafka, o.DB, o.Now = c.Tenant, kafka, db, time.Now
	o.Rows, o.Code = db, code()
	o.Every, o.Quarantine, o.Window, o.MinRuns = time.Duration(c.Learn.Every), time.Duration(c.Learn.Quarantine), time.Duration(c.Learn.Window), c.Learn.MinRuns
	return o
}

// NewLearner learns once, for a command.
func NewLearner(c config.Config, kafka []kgo.Opt, db *clickhouse.Conn, log *slog.Logger) *learn.Learner {
	o := learning(c, kafka, db)
	o.Logger = log
	return learn.New(o)
}

// RedactPath is what is kept of the path of a request: no secrets, and nothing after
// a #, as of the paths in logs.
func RedactPath(path string) string {
	path, _, _ = strings.Cut(path, "#")
	return redact.Path(strings.ToValidUTF8(path, "\ufffd"))
}

// enforce starts the enforcement point with its three listeners.
func enforce(c config.Config, g *group, kafka kafka.Config, key identity.Key, db *clickhouse.Conn, who *registry, stage func(string), log *slog.Logger, reg *prometheus.Registry) error {
	resolver, table, err := NewClassifiers(c, key)
	if err != nil {
		return err
	}
	who.resolvers = append(who.resolvers, resolver)
	g.start(part{name: "routes of control", run: learnedRoutes(c, kafka.Options, key, table, log)})
	scopes := learnedScopes(c, kafka.Options, log)
	g.start(part{name: "scopes of control", run: scopes.follow})
	po := point.Options{Kafka: kafka, Name: c.Control.Point, Tenant: c.Tenant, Partitions: int32(c.Kafka.Partitions),
		Budget: breaker.Budget{PerHour: c.Control.TripBudget.PerHour, Percent: c.Control.TripBudget.AgentsPercent},
		Mode:   c.Detect.Mode, ArmedPatterns: c.Detect.Armed,
		Now: time.Now, Stage: stage, Logger: log.With("component", "control"), Registerer: reg}
	co := check.Options{Resolver: resolver, Routes: table, TrustedHops: c.Check.TrustedHops, Armed: who.armed, Tags: who.tags,
		Scopes: scopes.guard.Load, ApprovalWithoutManifest: c.Control.WithoutManifest == "ask",
		ThrottlePerSecond: c.Control.ThrottlePerSecond, KeptPath: RedactPath}
	ao := api.Options{Registered: who.registered, LinkKey: schema.Secret(key), Findings: findingsFor(db),
		HasFinding: func(ctx context.Context, tenant, id string) (bool, error) {
			return query.HasFinding(ctx, db, tenant, id)
		}}
	if c.Control.WithoutManifest == "ask_while_learning" {
		var run func(context.Context) error
		co.Learning, run = learningAgents(c, kafka.Options, log)
		g.start(part{name: "states of baselines", run: run})
	}
	if co.Token, err = checkToken(c); err != nil {
		return err
	}
	if ao.Tokens, err = tokens(c); err != nil {
		return err
	}
	ctl, err := newEnforcement(po, co, ao)
	if err != nil {
		return err
	}
	gatewayTLS, err := serverTLS("check.tls", c.Check.TLS)
	if err != nil {
		return err
	}
	apiTLS, err := serverTLS("control.tls", c.Control.TLS)
	if err != nil {
		return err
	}
	operators, err := listen("control.listen", c.Control.Listen)
	if err != nil {
		return err
	}
	gateways, err := listen("check.listen", c.Check.Listen)
	if err != nil {
		return err
	}
	rpc, err := listen("check.grpc", c.Check.GRPC)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", ctl.api)
	mux.Handle("/openapi.json", ctl.api)
	mux.Handle("/", health(g, reg))
	var opts []grpc.ServerOption
	if gatewayTLS != nil {
		gateways = tls.NewListener(gateways, gatewayTLS) // as it is: the check asks for the client's certificate
		opts = append(opts, grpc.Creds(credentials.NewTLS(gatewayTLS)))
	} else {
		gateways = ctl.checker.Listener(gateways)
	}
	if apiTLS != nil {
		operators = tls.NewListener(operators, apiTLS)
	}
	// Workers that live spare every call a new stack, which costs more than the answer.
	srv := grpc.NewServer(append(opts, grpc.NumStreamWorkers(uint32(2*runtime.GOMAXPROCS(0))))...)
	ctl.checker.Register(srv)
	g.start(part{name: "control", run: ctl.run, ready: ctl.point.Ready})
	g.start(part{name: "control.listen", run: serve(operators, mux)})
	g.start(part{name: "check.listen", run: serve(gateways, ctl.checker.Handler())})
	g.start(part{name: "check.grpc", run: serveGRPC(rpc, srv)})
	return nil
}

func tokens(c config.Config) ([]api.Token, error) {
	var out []api.Token
	for i, t := range c.Control.Tokens {
		_, hash, err := tokenHash(c, i)
		if err != nil {
			return nil, err
		}
		expires, _ := time.Parse(time.RFC3339, t.Expires) // Validate has read it before
		out = append(out, api.Token{Expires: expires, Name: t.Name, Role: api.Role(t.Role), Tenants: t.Tenants, Hash: hash})
	}
	return out, nil
}

// findingsFor answers /v1/findings from the database.
func findingsFor(db *clickhouse.Conn) func(context.Context, []string, int) (any, error) {
	return func(ctx context.Context, tenants []string, limit int) (any, error) {
		if len(tenants) == 0 {
			return query.Findings(ctx, db, limit)
		}
		return query.FindingsOfTenants(ctx, db, tenants, limit)
	}
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

// serverTLS is of a listener: its certificate, and clients must show one of the
// configured authority, if there is one.
func serverTLS(key string, t config.TLS) (*tls.Config, error) {
	if t == (config.TLS{}) {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("%s.cert, %s.key: %w", key, key, err)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("%s.ca: %w", key, err)
		}
		conf.ClientCAs, conf.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !conf.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca: no certificate in %s", key, t.CA)
		}
	}
	return conf, nil
}
