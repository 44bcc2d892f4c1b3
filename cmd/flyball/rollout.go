package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"flyball/detect/enforce/api"
	"flyball/schema"
)

// How long a change waits for the points' heartbeats, which are sent every second, and the
// interval between requests.
const (
	rolloutTimeout = 3 * time.Second
	rolloutPoll    = 100 * time.Millisecond
)

// rollout is which points have applied a change, and which have not yet.
type rollout struct{ applied, pending []string }

// awaitRollout waits for a short while until every live point has applied a generation
// of the log. points is the generation that each has applied now.
func (c *controlClient) awaitRollout(ctx context.Context, generation uint64, points []api.Applied) rollout {
	end := time.Now().Add(rolloutTimeout)
	for {
		r := rolloutAt(generation, points)
		if len(r.pending) == 0 || !time.Now().Before(end) {
			return r
		}
		select {
		case <-ctx.Done():
			return r
		case <-time.After(rolloutPoll):
		}
		now, err := c.appliedPoints(ctx)
		if err != nil {
			return r
		}
		points = now
	}
}

// rolloutAt splits points into those that have applied a generation of the log and the others.
func rolloutAt(generation uint64, points []api.Applied) rollout {
	r := rollout{applied: []string{}, pending: []string{}}
	for _, p := range points {
		if p.Generation >= generation {
			r.applied = append(r.applied, p.Point)
		} else {
			r.pending = append(r.pending, p.Point)
		}
	}
	slices.Sort(r.applied)
	slices.Sort(r.pending)
	return r
}

// appliedPoints reads the generation of the log that each live point has applied.
func (c *controlClient) appliedPoints(ctx context.Context) ([]api.Applied, error) {
	states, err := get[[]schema.PointState](ctx, c, "/v1/points")
	if err != nil {
		return nil, err
	}
	var out []api.Applied
	for _, p := range states {
		out = append(out, api.Applied{Point: p.Point, Generation: uint64(p.Applied) + 1})
	}
	return out, nil
}

// String lists the points at which a change is in force.
func (r rollout) String() string {
	out := "at " + strings.Join(r.applied, ", ")
	if len(r.applied) == 0 {
		out = "at no point yet"
	}
	if len(r.pending) > 0 {
		out += "; NOT YET at " + strings.Join(r.pending, ", ")
	}
	return out
}
