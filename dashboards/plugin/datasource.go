package plugin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// ID is the id of the plugin. The names of its folder and its binary, and its plugin.json,
// contain it.
const ID = "flyball-flyball-datasource"

// settings are the values that an administrator enters. The password is a secure setting.
type settings struct {
	Addr     string `json:"addr"` // host:port of ClickHouse's HTTP interface
	Database string `json:"database"`
	User     string `json:"user"`
}

// Datasource executes the queries of one configured data source.
type Datasource struct{ db *clickhouse.Conn }

// New makes an instance from a data source's settings. It does not connect yet.
func New(_ context.Context, s backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	conf := settings{Addr: "127.0.0.1:8123", Database: "flyball", User: "default"}
	if len(s.JSONData) > 0 {
		if err := json.Unmarshal(s.JSONData, &conf); err != nil {
			return nil, fmt.Errorf("settings of data source %s: %w", s.Name, err)
		}
	}
	db, err := clickhouse.Open(clickhouse.Options{Addrs: []string{conf.Addr}, Database: conf.Database, User: conf.User,
		Password: schema.Secret(s.DecryptedSecureJSONData["password"])})
	if err != nil {
		return nil, fmt.Errorf("settings of data source %s: %w", s.Name, err)
	}
	return &Datasource{db: db}, nil
}

// Dispose closes the connections when the settings change.
func (d *Datasource) Dispose() { _ = d.db.Close() }

// QueryData executes the queries of panels. A failed query does not affect the others.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	out := backend.NewQueryDataResponse()
	for _, q := range req.Queries {
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
	f, err := answer(ctx, d.db, asked, q.TimeRange.From, q.TimeRange.To, q.Interval)
	if err != nil {
		return backend.ErrDataResponse(backend.StatusBadRequest, err.Error())
	}
	return backend.DataResponse{Frames: data.Frames{f}}
}

// CheckHealth reports whether Flyball's views can be read, and the number of calls in them.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	calls, err := query.CountCalls(ctx, d.db)
	if err != nil {
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: "Flyball's views do not answer: " + err.Error()}, nil
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: fmt.Sprintf("Flyball answers: %d calls are stored in %s",
		calls, d.db.Database())}, nil
}
