package app

import (
	"context"
	"errors"
	"net/http"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/check"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/sightings"
)

// enforcement is an enforcement point: the fold of the command log, the check for gateways and
// the operators' API.
type enforcement struct {
	point   *point.Point
	checker *check.Checker
	api     http.Handler
}

// newEnforcement makes the three parts and connects them. The options contain everything
// except the connections between the parts.
func newEnforcement(po point.Options, co check.Options, ao api.Options) (*enforcement, error) {
	p, err := point.New(po)
	if err != nil {
		return nil, err
	}
	runs, names := sightings.NewRuns(), sightings.NewNames()
	co.State, co.Log, co.Runs, co.Names = p, p.Log(), runs, names
	co.Kafka, co.Name, co.Partitions, co.Now, co.Logger, co.Registerer = po.Kafka, po.Name, po.Partitions, po.Now, po.Logger, po.Registerer
	checker, err := check.New(co)
	if err != nil {
		return nil, err
	}
	p.Subscribe(checker)
	ao.State, ao.Log, ao.Runs, ao.Names = p, p.Log(), runs, names
	ao.Point, ao.Tenant, ao.Budget, ao.Armed, ao.Tags = po.Name, po.Tenant, po.Budget, co.Armed, co.Tags
	ao.Now, ao.Logger, ao.Registerer = po.Now, po.Logger, po.Registerer
	operators, err := api.New(ao)
	if err != nil {
		return nil, err
	}
	return &enforcement{point: p, checker: checker, api: operators}, nil
}

// run folds the log and records checked requests until ctx ends or one of the two fails.
func (e *enforcement) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	recorded := make(chan error, 1)
	go func() {
		defer cancel()
		recorded <- e.checker.Run(ctx)
	}()
	err := e.point.Run(ctx)
	cancel()
	return errors.Join(err, <-recorded)
}
