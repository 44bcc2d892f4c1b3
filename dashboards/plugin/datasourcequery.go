package plugin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// QueryData executes the queries of panels. A failed query does not affect the others.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	out := backend.NewQueryDataResponse()
	for _, q := range req.Queries {
		if refused := d.refuseQuery(req.PluginContext.User); refused != nil {
			out.Responses[q.RefID] = *refused
			continue
		}
		out.Responses[q.RefID] = d.answer(ctx, &q)
	}
	return out, nil
}

func (d *Datasource) answer(ctx context.Context, q *backend.DataQuery) backend.DataResponse {
	var asked Query
	if err := json.Unmarshal(q.JSON, &asked); err != nil {
		return backend.ErrDataResponse(backend.StatusBadRequest, "query: "+err.Error())
	}
	if asked.Type == "" {
		asked.Type = q.QueryType
	}
	if refused := d.bind(&asked); refused != nil {
		return *refused
	}
	f, err := answer(ctx, d.db, asked, q.TimeRange.From, q.TimeRange.To, q.Interval)
	if err != nil {
		return backend.ErrDataResponse(backend.StatusBadRequest, err.Error())
	}
	return backend.DataResponse{Frames: data.Frames{f}}
}

// bind limits a query to the tenant of a data source that is bound to one.
func (d *Datasource) bind(asked *Query) *backend.DataResponse {
	bound := d.tenant
	if bound == "" {
		return nil
	}
	if asked.Type == "sql" {
		r := backend.ErrDataResponse(backend.StatusForbidden, "queryType: sql reads every tenant, and this data source is bound to tenant "+bound)
		return &r
	}
	if asked.Tenant != "" && asked.Tenant != bound {
		r := backend.ErrDataResponse(backend.StatusForbidden, fmt.Sprintf("tenant: %q; this data source is bound to tenant %s",
			asked.Tenant, bound))
		return &r
	}
	asked.Tenant = bound
	return nil
}
