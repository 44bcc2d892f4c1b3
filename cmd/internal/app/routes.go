package app

import (
	"fmt"
	"os"
	"strings"

	"flyball/cmd/internal/config"
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
	return identity.NewResolver(identity.Options{Tenant: c.Tenant, Key: key, Former: former, Registry: identityEntries(c.Agents)})
}

// newRoutes returns a table with the operator's routes and without learned routes.
func newRoutes(operator []route.Rule, key identity.Key) (*route.Current, error) {
	table, err := route.NewTable(route.Options{Version: "config", Operator: operator, DigestKey: key})
	if err != nil {
		return nil, err
	}
	return route.NewCurrent(table), nil
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
