package plugin

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"

	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// ID is the id of the plugin. The names of its folder and its binary, and its plugin.json,
// contain it.
const ID = "flyball-flyball-datasource"

// Datasource executes the queries and actions of one configured data source.
type Datasource struct {
	// wrong is what is wrong with the settings. It is shown by the health check and by every query: an instance that cannot be
	// made is for Grafana only "an error in the plugin".
	wrong    error
	settings *settings
	db       *clickhouse.Conn
	tenant   string   // that every question and action is restricted to; empty: none
	control  *control // nil: actions are off
	uid      string   // that names the data source in Grafana
	streams  atomic.Int32
	// statements has room for the statements of people that run at the same time.
	statements chan struct{}
}

// New makes an instance from a data source's settings. It does not connect yet. Settings that cannot work are no error: the
// instance says what is wrong with them.
func New(_ context.Context, in backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	s, err := readSettings(in)
	if err != nil {
		return &Datasource{wrong: fmt.Errorf("settings of data source %s: %w", in.Name, err)}, nil
	}
	o := clickhouse.Options{Addrs: []string{s.Addr}, Database: s.Database, User: s.User, Password: s.password}
	if s.TLS {
		o.TLS = s.tlsConfig()
	}
	d := &Datasource{settings: s, tenant: s.Tenant, uid: in.UID, statements: make(chan struct{}, maxStatements)}
	if d.db, err = clickhouse.Open(o); err != nil {
		return &Datasource{wrong: fmt.Errorf("settings of data source %s: %w", in.Name, err)}, nil
	}
	if s.ControlURL != "" {
		d.control = newControl(s)
	}
	return d, nil
}

// Dispose closes the connections when the settings change.
func (d *Datasource) Dispose() {
	if d.db != nil {
		_ = d.db.Close()
	}
	if d.control != nil {
		d.control.http.CloseIdleConnections()
	}
}

// refuseQuery returns a refusal if the settings are wrong, or if the user may not see anything. Some queries are without a user, and
// readers of public dashboards have no role: what these may see is what a Viewer may.
func (d *Datasource) refuseQuery(user *backend.User) *backend.DataResponse {
	var r backend.DataResponse
	switch {
	case d.wrong != nil:
		r = backend.ErrDataResponse(backend.StatusBadRequest, d.wrong.Error())
	case user != nil && d.settings.queryAccess(user) < accessSee:
		r = backend.ErrDataResponse(backend.StatusForbidden, fmt.Sprintf("roles: a user of Grafana's role %q sees nothing of this data source",
			user.Role))
	default:
		return nil
	}
	return &r
}

// questions returns the database as questions of this data source see it.
func (d *Datasource) questions() query.DB { return query.OfTenant(d.db, d.tenant) }
