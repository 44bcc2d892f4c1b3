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
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/alerts/incident"
	"flyball/cmd/internal/canary"
	"flyball/cmd/internal/config"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// CanaryOptions returns the options of a canary of the configured deployment. The key is the deployment's.
func CanaryOptions(c config.Config, k kafka.Config, key identity.Key, log *slog.Logger) (canary.Options, error) {
	return canaryOptions(c, k, key, nil, log)
}

// canaryOptions is CanaryOptions for a process that reads the token of gateways again when it changes.
func canaryOptions(c config.Config, k kafka.Config, key identity.Key, files *secretFiles, log *slog.Logger) (canary.Options, error) {
	o := canary.Options{Kafka: k, Topic: c.CanaryTopic(), Bound: time.Duration(c.Canary.Bound), Logger: log}
	if o.Topic == "" {
		return o, fmt.Errorf("canary.topic: none of kafka.inputs has a format that the canary writes (auto, envoy_json); add such an input")
	}
	if c.Check.TLS.CA != "" {
		return o, fmt.Errorf("check.tls.ca is set: the check requires a client's certificate, which the canary does not have; " +
			"it needs a check that authenticates by check.token_file")
	}
	var err error
	if o.Signer, err = newResolver(c, key); err != nil {
		return o, err
	}
	token, err := watched(files, "check.token_file", tokenFile(c), func() (schema.Secret, error) { return checkToken(c) })
	if err != nil {
		return o, err
	}
	o.CheckToken = func() schema.Secret { return *token.Load() }
	transport := &http.Transport{MaxIdleConnsPerHost: 2}
	scheme := "http"
	if c.Check.TLS.Cert != "" {
		scheme = "https"
		if transport.TLSClientConfig, err = pinned(c.Check.TLS.Cert); err != nil {
			return o, err
		}
	}
	o.CheckURL = scheme + "://" + reachableAddress(c.Check.Listen)
	o.HTTP = &http.Client{Transport: transport, Timeout: 5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return o, nil
}

func tokenFile(c config.Config) []string {
	if c.Check.TokenFile == "" {
		return nil
	}
	return []string{c.Check.TokenFile}
}

// reachableAddress returns the address at which a listener of this machine is reached.
func reachableAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// pinned returns the TLS configuration of a client that accepts one certificate, which is that of this deployment's check: its name is
// that under which gateways reach it. When the file changes, the certificate before is accepted until the check shows the new one.
func pinned(file string) (*tls.Config, error) {
	read := func() (*x509.Certificate, error) {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("check.tls.cert: %w", err)
		}
		leaf, err := certificateOf(pem)
		if err != nil {
			return nil, fmt.Errorf("check.tls.cert: %s: %w", file, err)
		}
		return leaf, nil
	}
	var shown atomic.Pointer[x509.Certificate]
	leaf, err := read()
	if err != nil {
		return nil, err
	}
	shown.Store(leaf)
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // the check below replaces it
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return fmt.Errorf("the check does not show the certificate %s", file)
			}
			if s.PeerCertificates[0].Equal(shown.Load()) {
				return nil
			}
			leaf, err := read()
			if err != nil {
				return err
			}
			if !s.PeerCertificates[0].Equal(leaf) {
				return fmt.Errorf("the check does not show the certificate %s", file)
			}
			shown.Store(leaf)
			return nil
		}}, nil
}

// canaryPart makes a round of the canary at an interval.
type canaryPart struct {
	options canary.Options
	every   time.Duration
	ready   func() error // of the process
	alarm   func(*incident.Page)
	tenant  string
	log     *slog.Logger
	m       canaryMetrics

	mu     sync.Mutex
	lost   error     // of the last round
	opened time.Time // of the alarm; zero: none is open
}

type canaryMetrics struct {
	rounds *prometheus.CounterVec
	hops   *prometheus.HistogramVec
	lost   prometheus.Gauge
	back   prometheus.Gauge
}

func newCanaryMetrics(reg prometheus.Registerer) canaryMetrics {
	m := canaryMetrics{
		rounds: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_canary_rounds_total",
			Help: "Rounds of the canary by result: back, or lost at a hop."}, []string{"result"}),
		hops: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "flyball_canary_hop_seconds",
			Help:    "From the log lines of a round to a hop: logged, tripped, denied, paged; asked: time of the check's answer.",
			Buckets: prometheus.ExponentialBuckets(.002, 2, 15)}, []string{"hop"}),
		lost: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_canary_lost",
			Help: "1 after a round that has not come back within canary.bound, else 0. Alarm on 1."}),
		back: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_canary_last_back_seconds",
			Help: "Time of the last round that came back, Unix seconds; before the first one, of the start."}),
	}
	for _, result := range append([]string{"back"}, canary.Hops...) {
		m.rounds.WithLabelValues(result)
	}
	m.back.SetToCurrentTime()
	reg.MustRegister(m.rounds, m.hops, m.lost, m.back)
	return m
}

// startCanary starts the canary, if it is configured.
func (p *process) startCanary() error {
	c := p.config
	if c.Canary.Interval == 0 {
		return nil
	}
	log := p.log.With("component", "canary")
	o, err := canaryOptions(c, p.kafka, p.key, p.files, log)
	if err != nil {
		return err
	}
	part := newCanaryPart(o, time.Duration(c.Canary.Interval), p.metrics)
	part.ready, part.alarm, part.tenant, part.log = p.parts.ready, p.alarms.raise, c.Tenant, log
	p.parts.start(part.part())
	return nil
}

func newCanaryPart(o canary.Options, every time.Duration, reg prometheus.Registerer) *canaryPart {
	return &canaryPart{options: o, every: every, m: newCanaryMetrics(reg)}
}

func (p *canaryPart) part() part { return part{name: "canary", run: p.run, warning: p.problem} }

// problem returns why the last round has not come back.
func (p *canaryPart) problem() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// run makes rounds until ctx ends. The first one begins when the process is ready, or after the bound.
func (p *canaryPart) run(ctx context.Context) error {
	late := time.Now().Add(p.options.Bound)
	for p.ready() != nil && time.Now().Before(late) && ctx.Err() == nil {
		pause(ctx, time.Second)
	}
	var c *canary.Canary
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for ctx.Err() == nil {
		began := time.Now()
		var err error
		if c == nil {
			c, err = canary.Open(ctx, p.options)
		}
		if err != nil {
			p.settle(ctx, canary.Round{Round: "-", Lost: canary.HopAsked,
				Hops: []canary.Hop{{Hop: canary.HopAsked, Why: "it could not begin: " + err.Error()}}})
		} else {
			r := c.Round(ctx)
			p.settle(ctx, r)
			if r.Lost != "" { // a connection that has failed is made anew
				c.Close()
				c = nil
			}
		}
		pause(ctx, p.every-time.Since(began))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// settle counts a round, and opens or resolves the alarm.
func (p *canaryPart) settle(ctx context.Context, r canary.Round) {
	if ctx.Err() != nil {
		return // the process stops: the round was interrupted
	}
	err := r.Err()
	for _, h := range r.Hops {
		if h.Ms != nil {
			p.m.hops.WithLabelValues(h.Hop).Observe(*h.Ms / 1000)
		}
	}
	result := "back"
	if err != nil {
		result = r.Lost
	} else {
		p.m.back.SetToCurrentTime()
	}
	p.m.rounds.WithLabelValues(result).Inc()
	p.m.lost.Set(map[bool]float64{true: 1}[err != nil])
	p.mu.Lock()
	before := p.lost
	p.lost = err
	p.mu.Unlock()
	now := time.Now().UTC()
	switch {
	case err != nil && before == nil:
		p.opened = now
		p.log.Error("THE CANARY HAS NOT COME BACK: trips or pages may not work", "round", r.Round, "hop", r.Lost, "error", err)
		p.alarm(canaryAlarm(p.tenant, err, now, now))
	case err != nil:
		p.log.Error("the canary has not come back again", "round", r.Round, "hop", r.Lost, "error", err)
	case before != nil:
		p.log.Info("the canary has come back", "round", r.Round)
		p.alarm(canaryAlarm(p.tenant, nil, p.opened, now))
	}
}

// canaryAlarm is the page about a round that has not come back; with a nil error, the page that ends it.
func canaryAlarm(tenant string, err error, opened, now time.Time) *incident.Page {
	a := &incident.Page{V: incident.PageVersion, Incident: "canary_" + opened.Format("20060102T150405"), Tenant: tenant,
		Family: schema.FamilyCanary, Level: schema.LevelTrip, ResolveRule: "resolves when a round of the canary comes back",
		OpenedAt: opened, At: now, Commands: []string{"flyball canary --once", "flyball doctor", "flyball status"}}
	if err != nil {
		a.Kind, a.Because, a.ID = incident.Opened, "lost", schema.PageID(a.Incident, "opened")
		a.Summary = "A test of the path from a log line to a page failed: " + err.Error() + ". Trips or pages may not work"
		return a
	}
	a.Kind, a.Because, a.Was, a.ID = incident.Resolved, "back", schema.LevelTrip, schema.PageID(a.Incident, "resolved")
	a.Summary = "The test of the path from a log line to a page succeeds again"
	return a
}
