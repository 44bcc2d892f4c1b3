package main

import (
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/schema/clickhouse/query"
)

// database is a connection to ClickHouse that queries are sent over.
type database interface {
	query.DB
	Close() error
}

func openDatabase(c config.Config) (database, error) { return app.OpenDatabase(c) }

// database opens the connection to ClickHouse that the configuration names.
func (o *options) database() (config.Config, database, error) {
	c, err := o.loadClient()
	if err != nil {
		return c, nil, err
	}
	db, err := o.openDatabase(c)
	return c, db, err
}
