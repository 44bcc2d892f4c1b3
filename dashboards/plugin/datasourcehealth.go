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

// healthTimeout is how long a health check may take.
const healthTimeout = 15 * time.Second

// CheckHealth reports whether Flyball's views can be read, how many calls are stored, as the command line counts them, and whether
// actions can reach the control API with rights that suffice. Its message says what is wrong and what to do.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	unhealthy := func(text string) (*backend.CheckHealthResult, error) {
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: text}, nil
	}
	if d.wrong != nil {
		return unhealthy(d.wrong.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	calls, err := query.CountCalls(ctx, d.questions())
	if err != nil {
		return unhealthy(d.explainDatabase(err))
	}
	where := d.db.Database()
	if d.settings.Tenant != "" {
		where += " for tenant " + d.settings.Tenant
	}
	text := fmt.Sprintf("Flyball answers: %d calls are stored in %s", calls, where)
	if d.control == nil {
		return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: text + "; actions are off: controlUrl is empty"}, nil
	}
	who, err := d.control.checkRights(ctx, d.settings)
	if err != nil {
		return unhealthy(text + ". Actions do not work: " + err.Error())
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: text + "; actions are sent as " + who}, nil
}

// databaseAdvice holds what to do about the reasons of failed requests to ClickHouse, in the words of the settings.
var databaseAdvice = map[clickhouse.Reason]string{
	clickhouse.NoServer:         "nothing listens there: start flyball up or ClickHouse, or correct addr",
	clickhouse.UnknownHost:      "the name cannot be resolved: correct addr",
	clickhouse.NoAnswer:         "nothing answers in time: the server is overloaded, or addr names another service",
	clickhouse.TLSNotSpoken:     "the port does not use TLS: clear tls, or name the HTTPS port in addr",
	clickhouse.TLSRequired:      "the port uses TLS: set tls, or name the HTTP port in addr",
	clickhouse.UnknownAuthority: "its certificate is signed by an unknown authority: put the certificate of that authority into caCert",
	clickhouse.WrongCertificate: "its certificate is not valid: use the name in the certificate in addr, or renew the certificate",
	clickhouse.NotHTTP:          "the port does not answer in HTTP: name ClickHouse's HTTP port (8123, TLS 8443) in addr",
	clickhouse.Closed:           "the connection was closed: the server is stopping, or addr names another service",
	clickhouse.WrongLogin:       "the login was refused: correct user and password",
	clickhouse.NoRights:         "the user lacks a right: grant it SELECT on Flyball's database",
	clickhouse.NoDatabase:       "the database does not exist: run flyball migrate, start the role store, or correct database",
	clickhouse.NoTable:          "there are no tables of Flyball: run flyball migrate, start the role store, or correct database",
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
