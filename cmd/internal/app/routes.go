package app

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"flyball/cmd/internal/config"
	"flyball/detect/baselinestore"
	"flyball/ingest/redact"
	"flyball/schema/identity"
	"flyball/schema/route"
	"flyball/schema/route/openapi"
)

// NewClassifiers returns the resolver of identities and the classifier of routes, from the
// configuration alone.
func NewClassifiers(c config.Config, key identity.Key, former ...identity.Key) (*identity.Resolver, *route.Current, error) {
	id, err := newResolver(c, key, former...)
	if err != nil {
		return nil, nil, err
	}
	operator, err := operatorRoutes(c)
	if err != nil {
		return nil, nil, err
	}
	routes, err := newRoutes(operator, key)
	return id, routes, err
}

func newResolver(c config.Config, key identity.Key, former ...identity.Key) (*identity.Resolver, error) {
	return identity.NewResolver(identity.Options{Tenant: c.Tenant, Key: key, Former: former, Registry: identityEntries(c.Agents),
		Redact: redact.Text})
}

// newRoutes returns a table with the operator's routes and without learned routes.
func newRoutes(operator []route.Rule, key identity.Key) (*route.Current, error) {
	t, err := newRouteTables(operator, key)
	if err != nil {
		return nil, err
	}
	return t.current, nil
}

// namedRoutes is what was published about the routes of paths that the operator did not declare.
type namedRoutes struct {
	learned route.Learned
	orders  route.Orders
}

// version names both: of what was learned, and the generation of the orders.
func (n namedRoutes) version() string {
	return fmt.Sprintf("%s+%d", n.learned.Version, n.orders.Generation)
}

// routeTables makes the table in use from the operator's routes, which are read again when the configuration changes, the orders about
// learned routes, and the learned ones, which the learner publishes. It is safe for concurrent use.
type routeTables struct {
	current *route.Current
	key     identity.Key

	mu       sync.Mutex
	operator []route.Rule
	named    namedRoutes
}

func newRouteTables(operator []route.Rule, key identity.Key) (*routeTables, error) {
	t := &routeTables{key: key, operator: operator, named: namedRoutes{learned: route.Learned{Version: "config"}}}
	table, err := t.make(operator, t.named)
	if err != nil {
		return nil, err
	}
	t.current = route.NewCurrent(table)
	return t, nil
}

func (t *routeTables) make(operator []route.Rule, n namedRoutes) (*route.Table, error) {
	rules := slices.Concat(operator, n.orders.Rules(), n.learned.Rules())
	return route.NewTable(route.Options{Version: n.version(), Operator: rules, DigestKey: t.key})
}

// published returns what was published about routes and is in use.
func (t *routeTables) published() namedRoutes {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.named
}

// setLearned replaces the learned routes, and returns what is in use.
func (t *routeTables) setLearned(l route.Learned) (namedRoutes, error) {
	return t.set(func(n *namedRoutes) { n.learned = l })
}

// setOrders replaces the orders about learned routes, and returns what is in use.
func (t *routeTables) setOrders(o route.Orders) (namedRoutes, error) {
	return t.set(func(n *namedRoutes) { n.orders = o })
}

func (t *routeTables) set(change func(*namedRoutes)) (namedRoutes, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.named
	change(&next)
	table, err := t.make(t.operator, next)
	if err != nil {
		return t.named, err
	}
	t.named = next
	t.current.Put(table)
	return next, nil
}

// follow uses learned routes, and the orders about them, as they are published.
func (t *routeTables) follow(versions *baselinestore.Watcher, log *slog.Logger) {
	report := func(n namedRoutes, err error) error {
		if err == nil {
			log.Info("routes in place", "version", n.version(), "learned", len(n.learned.Collapsed), "ordered", len(n.orders.Orders))
		}
		return err
	}
	versions.OnRoutes(func(l route.Learned) error { return report(t.setLearned(l)) })
	versions.OnRouteOrders(func(o route.Orders) error { return report(t.setOrders(o)) })
}

// prepare makes the table of other routes of the operator; the function that it returns puts it in use. No learned routes may be set in
// between: lock is held until the function is called, or abandon.
func (t *routeTables) prepare(operator []route.Rule) (put, abandon func(), err error) {
	t.mu.Lock()
	table, err := t.make(operator, t.named)
	if err != nil {
		t.mu.Unlock()
		return nil, nil, err
	}
	return func() {
		t.operator = operator
		t.current.Put(table)
		t.mu.Unlock()
	}, t.mu.Unlock, nil
}

// operatorRoutes returns the routes of the configuration, followed by those of OpenAPI
// documents: for a route that is in both, the configuration applies.
func operatorRoutes(c config.Config) ([]route.Rule, error) {
	var byHand, documents []route.Rule
	for i, r := range c.Routes {
		if r.OpenAPI != "" {
			text, err := os.ReadFile(r.OpenAPI)
			if err != nil {
				return nil, fmt.Errorf("routes[%d].openapi: %w", i, err)
			}
			rules, err := openapi.Rules(text, r.Base)
			if err != nil {
				return nil, fmt.Errorf("routes[%d].openapi: %s: %w", i, r.OpenAPI, err)
			}
			documents = append(documents, rules...)
			continue
		}
		byHand = append(byHand, route.Rule{Method: strings.ToUpper(r.Method), Template: r.Template, Tool: r.Tool, MCP: r.MCP,
			Effect: r.Effect.Value, Reversibility: r.Reversibility.Value,
			Resources: r.Resources, Amount: r.Amount, Currency: r.Currency, CompensatedBy: r.CompensatedBy})
	}
	return append(byHand, documents...), nil
}

// Compensations returns which routes undo which, from the configuration and its OpenAPI documents.
func Compensations(c config.Config) ([]route.Compensation, error) {
	rules, err := operatorRoutes(c)
	return route.Compensations(rules), err
}
