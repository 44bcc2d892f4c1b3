package openapi

import (
	"strings"
	"testing"

	"flyball/schema"
	"flyball/schema/route"
)

const shop = `
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example/api/v2"}]
paths:
  /orders/{orderId}/refunds:
    x-flyball-reversibility: irreversible
    post:
      operationId: refund
      x-flyball-effect: pay
      x-flyball-resources: ["orderId:order"]
      x-flyball-amount: arg:payment.amount
      x-flyball-currency: arg:payment.currency
      responses: {"201": {description: done}}
  /reports:
    post:
      x-flyball-effect: read
      responses: {"200": {description: a query by POST}}
`

func TestRoutesOfADocument(t *testing.T) {
	rules, err := Rules([]byte(shop), "")
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.NewTable(route.Options{Operator: rules, DigestKey: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	c := schema.Call{Method: "POST", Path: "/api/v2/orders/77/refunds"}
	table.Classify(&c, &route.Input{Args: []byte(`{"payment":{"amount":12.50,"currency":"eur"}}`)})
	if c.Route != "/api/v2/orders/{orderId}/refunds" || c.Effect != schema.EffectPay || c.EffectSource != schema.ProvenanceOpenAPI ||
		c.Reversibility != schema.Irreversible || c.Resources[0].String() != "order:77" {
		t.Errorf("%+v", c)
	}
	if len(c.Attrs) != 2 || c.Attrs[0] != (schema.Attr{Key: "amount", Value: "12.50"}) || c.Attrs[1].Value != "EUR" {
		t.Errorf("%+v", c.Attrs)
	}
	query := schema.Call{Method: "POST", Path: "/api/v2/reports"}
	table.Classify(&query, &route.Input{})
	if query.Effect != schema.EffectRead || query.Reversibility != schema.ReadOnly {
		t.Errorf("%+v", query)
	}
}

func TestADocumentThatCannotBeMeantIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a word that is no effect": {strings.Replace(shop, "pay\n", "spend\n", 1), "x-flyball-effect: spend is none of"},
		"another extension":        {strings.Replace(shop, "x-flyball-amount", "x-flyball-sum", 1), "x-flyball-sum: is none of"},
		"a reference out of it":    {strings.Replace(shop, "operationId: refund", "requestBody: {$ref: 'file:///etc/passwd'}", 1), "ref"},
		"version 2":                {"swagger: '2.0'\ninfo: {title: x, version: '1'}\npaths: {}\n", ""},
		"no paths":                 {"openapi: 3.0.0\ninfo: {title: x, version: '1'}\npaths: {}\n", "paths: none"},
		"no YAML":                  {"{", ""},
	} {
		if _, err := Rules([]byte(c.text), ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
