package app

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"flyball/alerts/live"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/check"
	"flyball/detect/enforce/point"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/route"
)

// startControl starts the enforcement point with its three listeners: for gateways over HTTP
// and over gRPC, and for operators.
func (p *process) startControl() error {
	c := p.config
	ctl, err := p.makeEnforcement()
	if err != nil {
		return err
	}
	var l controlListeners
	if err := l.open(c, p.files, ctl.checker); err != nil {
		return err
	}
	grpcServer := grpc.NewServer(l.grpcOptions...)
	ctl.checker.Register(grpcServer)
	p.parts.start(part{name: "control", run: ctl.run, ready: ctl.point.Ready, warning: ctl.point.Stale})
	p.parts.start(part{name: "control.listen", run: serve(l.operators, p.operatorsHandler(ctl.api))})
	p.parts.start(part{name: "check.listen", run: serve(l.gateways, ctl.checker.Handler())})
	p.parts.start(part{name: "check.grpc", run: serveGRPC(l.gatewaysGRPC, grpcServer)})
	orders := ordersPublisher{kafka: p.kafka, tenant: c.Tenant, log: p.log.With("component", "control"),
		folded: func() route.Orders {
			v := ctl.point.Acquire()
			defer v.Release()
			return v.Routes.Orders(c.Tenant)
		}, published: p.versions.LastRouteOrders}
	p.parts.start(part{name: "orders about routes", run: orders.run})
	audit := newAuditCheck(p.database, ctl.point, p.metrics, p.log.With("component", "control"))
	p.parts.start(part{name: "audit", run: audit.run, warning: audit.problem})
	return p.startCanary()
}

// controlListeners are the listeners of an enforcement point.
type controlListeners struct {
	operators, gateways, gatewaysGRPC net.Listener
	grpcOptions                       []grpc.ServerOption
}

// open opens the listeners, with TLS where it is configured.
func (l *controlListeners) open(c config.Config, files *secretFiles, checker *check.Checker) error {
	gatewayTLS, err := serverTLS(files, "check.tls", c.Check.TLS)
	if err != nil {
		return err
	}
	apiTLS, err := serverTLS(files, "control.tls", c.Control.TLS)
	if err != nil {
		return err
	}
	if l.operators, err = listen("control.listen", c.Control.Listen); err != nil {
		return err
	}
	if l.gateways, err = listen("check.listen", c.Check.Listen); err != nil {
		return err
	}
	if l.gatewaysGRPC, err = listen("check.grpc", c.Check.GRPC); err != nil {
		return err
	}
	if apiTLS != nil {
		l.operators = tls.NewListener(l.operators, apiTLS)
	}
	// Permanent workers avoid a new stack for each call, which costs more than the check itself.
	l.grpcOptions = []grpc.ServerOption{grpc.NumStreamWorkers(uint32(2 * runtime.GOMAXPROCS(0)))}
	if gatewayTLS == nil {
		l.gateways = checker.Listener(l.gateways)
		return nil
	}
	l.gateways = tls.NewListener(l.gateways, gatewayTLS) // not checker.Listener: TLS already requires the client's certificate
	grpcTLS, err := serverTLS(files, "check.tls", c.Check.TLS, "h2")
	if err != nil {
		return err
	}
	l.grpcOptions = append(l.grpcOptions, grpc.Creds(credentials.NewTLS(grpcTLS)))
	return nil
}

// operatorsHandler serves the operators' API, health and metrics. Each response names the deployment.
func (p *process) operatorsHandler(operators http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", operators)
	mux.Handle("/openapi.json", operators)
	mux.Handle("/", health(p.parts, p.metrics))
	return identify(mux, p.keys.Deployment(), p.config.Tenant)
}

// makeEnforcement makes the enforcement point from the configuration.
func (p *process) makeEnforcement() (*enforcement, error) {
	c := p.config
	resolver, err := newResolver(c, p.key, p.keys.former()...)
	if err != nil {
		return nil, err
	}
	p.registry.update(resolver)
	po := point.Options{Kafka: p.kafka, Name: c.Control.Point, Tenant: c.Tenant, Partitions: int32(c.Kafka.Partitions),
		Budget: breaker.Budget{PerHour: c.Control.TripBudget.PerHour, Percent: c.Control.TripBudget.AgentsPercent},
		Mode:   c.Detect.Mode, ArmedPatterns: c.Detect.Armed,
		Now: time.Now, Stage: p.stage, Logger: p.log.With("component", "control"), Registerer: p.metrics}
	co := check.Options{Resolver: resolver, Routes: p.learned.routes, Scopes: p.learned.scopes.Load, TrustedHops: c.Check.TrustedHops,
		Armed: p.registry.armed, Tags: p.registry.tags, KeptPath: RedactPath, KeptText: redact.Text,
		ThrottlePerSecond:       c.Control.ThrottlePerSecond,
		ApprovalWithoutManifest: c.Control.WithoutManifest == config.WithoutManifestAsk}
	if c.Control.WithoutManifest == config.WithoutManifestAskWhileLearning {
		co.Learning = p.learned.isLearning
	}
	unread := &sharedBacklog{now: time.Now, read: func(ctx context.Context) (*Backlog, error) {
		return readBacklog(ctx, p.kafka, c, p.database)
	}}
	open := live.New(live.Options{Kafka: p.kafka, NewFold: NewFold(c, p.registry.forAlerts(), schema.Secret(p.key), ""),
		Logger: p.log.With("component", "alert")})
	ao := api.Options{Incidents: openIncidents{open},
		Registered: p.registry.registered, LinkKey: schema.Secret(p.key), FormerLinkKeys: formerLinkKeys(p.keys),
		LearnedRoutes: func() route.Learned { return p.learned.names().learned },
		Findings:      listFindings(p.database),
		Process:       func(ctx context.Context) any { return p.status(ctx) },
		Unread:        func(ctx context.Context) any { return unread.get(ctx) },
		FindFinding:   findFinding(p.database)}
	if c.Check.TokenFile != "" {
		now, err := watched(p.files, "check.token_file", []string{c.Check.TokenFile}, func() (schema.Secret, error) { return checkToken(c) })
		if err != nil {
			return nil, err
		}
		co.Token, co.TokenNow = *now.Load(), func() schema.Secret { return *now.Load() }
	}
	tokens, err := watched(p.files, "control.tokens", tokenFiles(c), func() ([]api.Token, error) { return operatorTokens(c) })
	if err != nil {
		return nil, err
	}
	ao.Tokens, ao.TokensNow = *tokens.Load(), func() *[]api.Token { return tokens.Load() }
	if ao.OIDC, err = p.startOIDC(); err != nil {
		return nil, err
	}
	p.parts.start(part{name: "incidents", run: open.Run, warning: onceLoaded(p.began, open.Ready)})
	return newEnforcement(po, co, ao)
}

// formerLinkKeys returns the former keys with the time when each was replaced.
func formerLinkKeys(k Keys) (out []api.FormerKey) {
	for _, f := range k.Former {
		out = append(out, api.FormerKey{Key: schema.Secret(f.Key), Until: f.Until})
	}
	return out
}

// tokenFiles returns the files of the operators' tokens.
func tokenFiles(c config.Config) (out []string) {
	for _, t := range c.Control.Tokens {
		out = append(out, string(t.Value))
	}
	return out
}

func operatorTokens(c config.Config) ([]api.Token, error) {
	var out []api.Token
	for i, t := range c.Control.Tokens {
		_, hash, err := tokenHash(c, i)
		if err != nil {
			return nil, err
		}
		out = append(out, api.Token{Expires: t.Expires.Value.Time, Name: t.Name, Role: api.Role(t.Role), Tenants: t.Tenants, Hash: hash,
			Delegate: t.Delegate})
	}
	return out, nil
}

// RedactPath returns the path of a request in the form in which paths of logs are stored:
// without secrets and without a fragment (#).
func RedactPath(path string) string {
	path, _, _ = strings.Cut(path, "#")
	return redact.Path(strings.ToValidUTF8(path, "\ufffd"))
}

// findFinding returns the function that looks up the finding of a verdict in the database.
func findFinding(db *clickhouse.Conn) func(ctx context.Context, tenant, term string) ([]string, *schema.Verdict, error) {
	return func(ctx context.Context, tenant, term string) ([]string, *schema.Verdict, error) {
		f, err := query.ResolveFinding(ctx, db, tenant, term)
		var several *query.AmbiguousFinding
		switch {
		case errors.As(err, &several):
			var ids []string
			for _, c := range several.Candidates {
				ids = append(ids, c.ID)
			}
			return ids, nil, nil
		case errors.Is(err, query.ErrNotFound):
			return nil, nil, nil
		case err != nil:
			return nil, nil, err
		}
		var label schema.VerdictLabel
		if f.JudgedAt == nil || label.UnmarshalText([]byte(f.Verdict)) != nil {
			return []string{f.ID}, nil, nil
		}
		return []string{f.ID}, &schema.Verdict{Tenant: tenant, FindingID: f.ID, Label: label, By: f.Judge, Why: f.Because,
			At: f.JudgedAt.UnixNano()}, nil
	}
}

// listFindings returns the function that reads the findings for /v1/findings from the
// database.
func listFindings(db *clickhouse.Conn) func(ctx context.Context, tenants []string, limit int) (any, error) {
	return func(ctx context.Context, tenants []string, limit int) (any, error) {
		if len(tenants) == 0 {
			return query.Findings(ctx, db, limit)
		}
		return query.FindingsOfTenants(ctx, db, tenants, limit)
	}
}
