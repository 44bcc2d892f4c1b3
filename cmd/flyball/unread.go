package main

import (
	"context"
	"errors"
	"net/http"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
)

// readBacklog looks at what is in Kafka and not in the database.
func readBacklog(ctx context.Context, c config.Config, db database) (*app.Backlog, error) {
	progress, ok := db.(app.ProgressDB)
	if !ok {
		return nil, errors.New("the database does not say up to where calls are stored")
	}
	return app.ReadBacklog(ctx, c, progress)
}

// remoteBacklog asks the process that answers on another machine, whose Kafka this command does not
// know, what is in Kafka and not in the database.
func remoteBacklog(r *request) (*app.Backlog, error) {
	out, err := fromControl[app.Backlog]("/v1/unread")(r)
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.code == http.StatusNotFound:
		return nil, errors.New("the process that answers is of an older version and does not serve GET /v1/unread; update it")
	case err != nil:
		return nil, err
	case out.Error != "":
		return nil, errors.New(out.Error)
	case out.AsOf.IsZero():
		return nil, errors.New("the answer to GET /v1/unread says nothing")
	}
	return &out, nil
}
