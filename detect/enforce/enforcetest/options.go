package enforcetest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/point"
	"flyball/detect/model/scope"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/kafka"
	"flyball/schema/route"
)

// Options are the options of point, check and api that tests change.
type Options struct {
	Kafka  kafka.Config
	Name   string
	Budget breaker.Budget
	Mode   string

	Resolver *identity.Resolver
	Routes   Classifier
	Armed    func(agent, family string) bool
	Scopes   func() *scope.Guard
	Learning func(agent string) bool

	CheckToken  schema.Secret
	TrustedHops int
	Tokens      []Token
	LinkKey     schema.Secret
	Findings    func(ctx context.Context, tenants []string, limit int) (any, error)
	Process     func(ctx context.Context) any
	Unread      func(ctx context.Context) any
	FindFinding func(ctx context.Context, tenant, term string) ([]string, *schema.Verdict, error)

	Now      func() time.Time
	Logger   *slog.Logger
	Registry *prometheus.Registry
}

// Classifier has the methods of check.Classifier.
type Classifier interface {
	Readings(c *schema.Call, in *route.Input) (others []route.Other, readable bool)
	Spellings(c *schema.Call) []string
	Digest(text string) uint64
	MoneyHeaders() []string
}

// Token has the fields of api.Token.
type Token struct {
	Name, Role string
	Tenants    []string
	Hash       [32]byte
	Expires    time.Time
	Delegate   bool
}

// InMemory returns the options of a point without a log, with a clock that the test sets.
func InMemory(t testing.TB, clock *Clock) Options {
	return Options{Name: "p", Resolver: Resolver(t), Routes: Table(t), Now: clock.Now, Logger: NoLog(), Registry: prometheus.NewRegistry()}
}

// OnKafka returns the options of a point with a log, at which everything is armed.
func OnKafka(t testing.TB, k *kfake.Cluster, name string) Options {
	return Options{Kafka: Config(k), Name: name, Resolver: Resolver(t, agents()...), Routes: Table(t, orders()...), Now: time.Now,
		Logger: NoLog(), Budget: breaker.DefaultBudget(), Armed: func(string, string) bool { return true }, Registry: prometheus.NewRegistry()}
}

// Point returns the options of the point.
func (o *Options) Point() point.Options {
	return point.Options{Kafka: o.Kafka, Name: o.Name, Tenant: "t", Partitions: 4, Budget: o.Budget, Mode: o.Mode, Now: o.Now,
		Logger: o.Logger, Registerer: o.Registry}
}

// Metric returns the value of a counter or gauge with these values of its labels, in the order of
// the names of the labels.
func (o *Options) Metric(t testing.TB, name string, values ...string) float64 {
	t.Helper()
	families, err := o.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	next:
		for _, m := range f.GetMetric() {
			for i, l := range m.GetLabel() {
				if i >= len(values) || l.GetValue() != values[i] {
					continue next
				}
			}
			if c := m.GetCounter(); c != nil {
				return c.GetValue()
			}
			return m.GetGauge().GetValue()
		}
	}
	return 0
}
