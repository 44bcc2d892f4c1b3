// Package openapi reads an operator's OpenAPI 3 document into routes. The paths of the
// document are templates; extensions hold the other properties of an operation:
//
//	x-flyball-effect: pay                  effect of the operation
//	x-flyball-reversibility: irreversible  whether the effect can be undone
//	x-flyball-resources: [order_id:order]  types of parameters and query keys
//	x-flyball-amount: arg:amount           place of the amount
//	x-flyball-currency: arg:currency       place of the currency
//	x-flyball-compensated-by: POST /refunds/{id}/cancel    operation of the document that undoes it
//
// An extension of a path applies to all its operations.
//
// It does not follow a reference to another file or over the network. A word that is not
// an effect or a reversibility is an error.
package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"flyball/schema"
	"flyball/schema/route"
)

// Rules returns the rules of a document, sorted by template and method. base is put before
// every path; when it is empty, the path of the first server's URL is used.
func Rules(document []byte, base string) ([]route.Rule, error) {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = false
	doc, err := loader.LoadFromData(document)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		return nil, fmt.Errorf("openapi: %q is not version 3", doc.OpenAPI)
	}
	if doc.Paths == nil || doc.Paths.Len() == 0 {
		return nil, errors.New("paths: none; a document without paths says nothing of routes")
	}
	if base == "" {
		base = basePath(doc.Servers)
	}
	var rules []route.Rule
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			r := route.Rule{Method: method, Template: strings.TrimSuffix(base, "/") + path, Source: schema.ProvenanceOpenAPI}
			for _, extensions := range []map[string]any{item.Extensions, op.Extensions} {
				if err := extend(&r, extensions); err != nil {
					return nil, fmt.Errorf("paths.%s.%s.%w", path, strings.ToLower(method), err)
				}
			}
			if method, path, ok := strings.Cut(r.CompensatedBy, " "); ok {
				if other := doc.Paths.Value(path); other == nil || other.Operations()[method] == nil {
					return nil, fmt.Errorf("x-flyball-compensated-by: %q is no operation of the document", r.CompensatedBy)
				}
				r.CompensatedBy = method + " " + strings.TrimSuffix(base, "/") + path
			}
			rules = append(rules, r)
		}
	}
	slices.SortFunc(rules, func(a, b route.Rule) int {
		return strings.Compare(a.Template+" "+a.Method, b.Template+" "+b.Method)
	})
	return rules, nil
}

func basePath(servers openapi3.Servers) string {
	if len(servers) == 0 {
		return ""
	}
	u, err := url.Parse(servers[0].URL)
	if err != nil || strings.ContainsAny(u.Path, "{}") {
		return ""
	}
	return u.Path
}

func extend(r *route.Rule, extensions map[string]any) error {
	for key, v := range extensions {
		text, _ := v.(string)
		switch key {
		case "x-flyball-effect":
			if err := r.Effect.UnmarshalText([]byte(text)); err != nil || text == "" {
				return fmt.Errorf("%s: %v is none of %s", key, v, strings.Join(schema.EffectWords, ", "))
			}
		case "x-flyball-reversibility":
			if err := r.Reversibility.UnmarshalText([]byte(text)); err != nil || text == "" {
				return fmt.Errorf("%s: %v is none of %s", key, v, strings.Join(schema.ReversibilityWords, ", "))
			}
		case "x-flyball-amount":
			r.Amount = text
		case "x-flyball-currency":
			r.Currency = text
		case "x-flyball-compensated-by":
			if err := route.CheckCompensation(text); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			r.CompensatedBy = text
		case "x-flyball-resources":
			list, ok := v.([]any)
			if !ok {
				return fmt.Errorf("%s: %v is no list, as [order_id:order]", key, v)
			}
			r.Resources = nil
			for _, e := range list {
				r.Resources = append(r.Resources, fmt.Sprint(e))
			}
		default:
			if strings.HasPrefix(key, "x-flyball-") {
				return fmt.Errorf("%s: is none of x-flyball-effect, -reversibility, -resources, -amount, -currency, -compensated-by", key)
			}
		}
	}
	return nil
}
