package plugin

import (
	"context"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// A data source that is bound to a tenant asks no question of another one, whatever a panel says.
func TestBoundDataSourceReadsAnotherTenant(t *testing.T) {
	d := made(t, `{"tenant":"acme","addr":"127.0.0.1:1"}`)
	ask := func(query string) backend.DataResponse {
		resp, err := d.QueryData(context.Background(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(query)}}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Responses["A"]
	}
	for _, query := range []string{`{"queryType":"runs","tenant":"other"}`, `{"queryType":"runs","TENANT":"other"}`, `{"queryType":"sql"}`} {
		if r := ask(query); r.Status != backend.StatusForbidden || r.Error == nil {
			t.Errorf("%s: %+v", query, r)
		}
	}
	q := Query{Type: "runs"}
	if refused := d.bind(&q); refused != nil || q.Tenant != "acme" {
		t.Errorf("%+v %+v", refused, q)
	}
}
