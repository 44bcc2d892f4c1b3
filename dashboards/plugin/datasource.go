package plugin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"

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
	Tenant   string `json:"tenant"` // every question is only about this tenant; empty: about all
}

// Datasource executes the queries of one configured data source.
type Datasource struct {
	db     *clickhouse.Conn
	tenant string // that every question is restricted to; empty: none
}

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
	return &Datasource{db: db, tenant: conf.Tenant}, nil
}

// Dispose closes the connections when the settings change.
func (d *Datasource) Dispose() { _ = d.db.Close() }

// CheckHealth reports whether Flyball's views can be read, and the number of calls in them.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	calls, err := query.CountCalls(ctx, d.db)
	if err != nil {
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: "Flyball's views do not answer: " + err.Error()}, nil
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: fmt.Sprintf("Flyball answers: %d calls are stored in %s",
		calls, d.db.Database())}, nil
}
