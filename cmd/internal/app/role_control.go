package app

import (
	"context"
	"crypto/tls"
	"net/http"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// startControl starts the enforcement point with its three listeners: gateways over HTTP and gRPC, and operators.
func (p *process) startControl() error {
	c := p.config
	o, err := p.pointOptions()
	if err != nil {
		return err
	}
	ctl, err := api.New(o)
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
	gatewaysGRPC, err := listen("check.grpc", c.Check.GRPC)
	if err != nil {
		return err
	}
	// Workers that stay spare every call a new stack, which costs more than the answer.
	options := []grpc.ServerOption{grpc.NumStreamWorkers(uint32(2 * runtime.GOMAXPROCS(0)))}
	if gatewayTLS != nil {
		gateways = tls.NewListener(gateways, gatewayTLS) // not ctl.Listener: TLS itself demands the client's certificate
		options = append(options, grpc.Creds(credentials.NewTLS(gatewayTLS)))
	} else {
		gateways = ctl.Listener(gateways)
	}
	if apiTLS != nil {
		operators = tls.NewListener(operators, apiTLS)
	}
	grpcServer := grpc.NewServer(options...)
	ctl.Register(grpcServer)
	p.parts.start(part{name: "control", run: ctl.Run, ready: ctl.Ready})
	p.parts.start(part{name: "control.listen", run: serve(operators, p.operatorsHandler(ctl.APIHandler()))})
	p.parts.start(part{name: "check.listen", run: serve(gateways, ctl.CheckHandler())})
	p.parts.start(part{name: "check.grpc", run: serveGRPC(gatewaysGRPC, grpcServer)})
	return nil
}

// operatorsHandler serves the operators' API, and health and metrics beside it.
func (p *process) operatorsHandler(operators http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", operators)
	mux.Handle("/openapi.json", operators)
	mux.Handle("/", health(p.parts, p.metrics))
	return mux
}

// pointOptions are the options of the enforcement point.
func (p *process) pointOptions() (api.Options, error) {
	c := p.config
	resolver, err := newResolver(c, p.key)
	if err != nil {
		return api.Options{}, err
	}
	p.registry.resolvers = append(p.registry.resolvers, resolver)
	o := api.Options{
		Kafka: p.kafka.Options, Now: time.Now, Stage: p.stage, Logger: p.log.With("component", "control"), Registerer: p.metrics,
		Name: c.Control.Point, Tenant: c.Tenant, Partitions: int32(c.Kafka.Partitions), TrustedHops: c.Check.TrustedHops,
		Resolver: resolver, Routes: p.learned.routes, Scopes: p.learned.scopes.Load,
		Armed: p.registry.armed, Tags: p.registry.tags, Registered: p.registry.registered,
		Mode: c.Detect.Mode, ArmedBy: c.Detect.Armed, ThrottleTo: c.Control.ThrottlePerSecond,
		Budget:     breaker.Budget{PerHour: c.Control.TripBudget.PerHour, Percent: c.Control.TripBudget.AgentsPercent},
		AskWithout: c.Control.WithoutManifest == config.WithoutManifestAsk, KeptPath: RedactPath, LinkKey: schema.Secret(p.key),
		Findings: listFindings(p.database),
		HasFinding: func(ctx context.Context, tenant, id string) (bool, error) {
			return query.HasFinding(ctx, p.database, tenant, id)
		},
	}
	if c.Control.WithoutManifest == config.WithoutManifestAskWhileLearning {
		o.Learning = p.learned.isLearning
	}
	if o.CheckToken, err = checkToken(c); err != nil {
		return o, err
	}
	o.Tokens, err = operatorTokens(c)
	return o, err
}

func operatorTokens(c config.Config) ([]api.Token, error) {
	var out []api.Token
	for i, t := range c.Control.Tokens {
		_, hash, err := tokenHash(c, i)
		if err != nil {
			return nil, err
		}
		out = append(out, api.Token{Expires: t.Expires.Value.Time, Name: t.Name, Role: api.Role(t.Role), Tenants: t.Tenants, Hash: hash})
	}
	return out, nil
}

// RedactPath returns the path of a request as it is stored: without secrets, and without what follows a #, like the
// paths in logs.
func RedactPath(path string) string {
	path, _, _ = strings.Cut(path, "#")
	return redact.Path(strings.ToValidUTF8(path, "\ufffd"))
}

// listFindings answers /v1/findings from the database.
func listFindings(db *clickhouse.Conn) func(ctx context.Context, tenants []string, limit int) (any, error) {
	return func(ctx context.Context, tenants []string, limit int) (any, error) {
		if len(tenants) == 0 {
			return query.Findings(ctx, db, limit)
		}
		return query.FindingsOfTenants(ctx, db, tenants, limit)
	}
}
