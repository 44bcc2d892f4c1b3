package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// databaseTimeout is how long the check of the database may take.
const databaseTimeout = 10 * time.Second

// CheckHealth reports whether Flyball's views can be read, how many calls are stored, as the command line counts them, and whether
// actions can reach the control API with rights that suffice. Its message says what is wrong and what to do.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	if d.wrong != nil {
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: d.wrong.Error()}, nil
	}
	database, databaseWorks := d.checkDatabase(ctx)
	actions, actionsWork := d.checkActions(ctx)
	out := &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: database + ". " + actions}
	if !databaseWorks || !actionsWork {
		out.Status = backend.HealthStatusError
	}
	return out, nil
}

// checkDatabase says how many calls are stored, or why that is not known.
func (d *Datasource) checkDatabase(ctx context.Context) (text string, works bool) {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	calls, err := query.CountCalls(ctx, d.questions())
	if err != nil {
		return d.explainDatabase(err), false
	}
	where := d.db.Database()
	if d.tenant != "" {
		where += " for tenant " + d.tenant
	}
	text = fmt.Sprintf("Flyball answers: %d calls are stored in %s", calls, where)
	stored, err := query.SchemaVersion(ctx, d.db)
	if err != nil {
		return d.explainDatabase(err), false
	}
	difference, works := compareSchemas(stored)
	return text + difference, works
}

// compareSchemas says what to do if the tables are those of another version of Flyball than the plugin. One that is behind asks what
// newer tables still answer.
func compareSchemas(stored uint32) (difference string, works bool) {
	switch {
	case stored < clickhouse.Version:
		return fmt.Sprintf(", and its tables are of an older Flyball (schema version %d, this plugin asks for %d): run flyball migrate of the "+
			"plugin's version, or install the plugin of that Flyball", stored, clickhouse.Version), false
	case stored > clickhouse.Version:
		return fmt.Sprintf(", and its tables are of a newer Flyball (schema version %d, this plugin knows %d): install the plugin of that "+
			"Flyball", stored, clickhouse.Version), true
	}
	return "", true
}

// checkActions says by whom actions are sent, or why they are not.
func (d *Datasource) checkActions(ctx context.Context) (text string, works bool) {
	if d.control == nil {
		return "Actions are off: controlUrl is empty", true
	}
	who, err := d.control.checkRights(ctx, d.settings)
	if err != nil {
		return "Actions do not work: " + err.Error(), false
	}
	return "Actions are sent as " + who, true
}

// databaseAdvice holds what to do about the reasons of failed requests to ClickHouse, in the words of the settings.
var databaseAdvice = map[clickhouse.Reason]string{
	clickhouse.NoServer:           "nothing listens there: start flyball up or ClickHouse, or correct addr",
	clickhouse.UnknownHost:        "the name cannot be resolved: correct addr",
	clickhouse.NoAnswer:           "nothing answers in time: the server is overloaded, or addr names another service",
	clickhouse.TLSNotSpoken:       "the port does not use TLS: clear tls, or name the HTTPS port in addr",
	clickhouse.TLSRequired:        "the port uses TLS: set tls, or name the HTTP port in addr",
	clickhouse.UnknownAuthority:   "its certificate is signed by an unknown authority: put the certificate of that authority into caCert",
	clickhouse.ExpiredCertificate: "its certificate has expired, or is not valid yet: renew it, or correct the clock of Grafana's machine",
	clickhouse.WrongCertificate:   "its certificate is for another name: use the name in the certificate in addr, or renew the certificate",
	clickhouse.NotHTTP:            "the port does not answer in HTTP: name ClickHouse's HTTP port (8123, TLS 8443) in addr",
	clickhouse.Closed:             "the connection was closed: the server is stopping, or addr names another service",
	clickhouse.WrongLogin:         "the login was refused: correct user and password",
	clickhouse.NoRights:           "the user lacks a right: grant it SELECT on Flyball's database",
	clickhouse.NoDatabase:         "the database does not exist: run flyball migrate, start the role store, or correct database",
	clickhouse.NoTable:            "there are no tables of Flyball: run flyball migrate, start the role store, or correct database",
}

// explainDatabase says why the database does not answer, and what to do.
func (d *Datasource) explainDatabase(err error) string {
	where := fmt.Sprintf("ClickHouse at %s (database %s, user %s)", d.settings.Addr, d.settings.Database, d.settings.User)
	var e *clickhouse.Error
	if errors.As(err, &e) && databaseAdvice[e.Reason] != "" {
		return "Flyball's views do not answer: " + where + ": " + databaseAdvice[e.Reason]
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "Flyball's views do not answer: " + where + ": " + databaseAdvice[clickhouse.NoAnswer]
	}
	return "Flyball's views do not answer: " + err.Error()
}
