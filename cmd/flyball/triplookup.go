package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// lookupTimeout is how long a trip waits for the database.
const lookupTimeout = 5 * time.Second

// maxCandidates is how many runs of one key an error lists.
const maxCandidates = 10

// tripOrLookUp opens a breaker. A target that no point knows is looked up in the
// database, unless the command is forced.
func tripOrLookUp(ctx context.Context, o *options, c *controlClient, body *api.TripRequest) (api.TripResult, error) {
	done, err := post[api.TripResult](ctx, c, "/v1/breakers/trip", body)
	unknown, is := isNotFound(err)
	if !is || body.Force {
		return done, err
	}
	stored, lookupErr := lookUpTarget(ctx, o, body)
	switch {
	case lookupErr != nil:
		return done, fmt.Errorf("%s\n%w", unknown.detail, lookupErr)
	case stored:
		return post[api.TripResult](ctx, c, "/v1/breakers/trip", body)
	}
	return done, err
}

// lookUpTarget looks up the target of a trip in the database, and completes the command
// with what is stored. It reports whether the target was found; several runs that fit
// are an error. If the database does not answer, nothing is found.
func lookUpTarget(ctx context.Context, o *options, body *api.TripRequest) (bool, error) {
	_, db, err := o.database()
	if err != nil {
		return false, nil
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	kind, value := body.Scope.Kind, body.Scope.Value
	switch kind {
	case schema.ScopeRun, schema.ScopeRunRoute:
		return lookUpRun(ctx, db, body)
	case schema.ScopeAgent, schema.ScopeVersion, schema.ScopeCredential, schema.ScopePrincipal:
		field := kind.String() + "_id"
		if at := strings.LastIndexByte(value, '@'); kind == schema.ScopeVersion && at > 0 {
			field, value = "agent_id", value[:at]
		}
		known, err := query.IsStoredName(ctx, db, field, value)
		body.Force = err == nil && known
		return body.Force, nil
	}
	return false, nil
}

func lookUpRun(ctx context.Context, db database, body *api.TripRequest) (bool, error) {
	term, route, _ := strings.Cut(body.Scope.Value, " ")
	run, err := query.ResolveRun(ctx, db, term)
	var several *query.Ambiguous
	if errors.As(err, &several) {
		var list strings.Builder
		for i := range several.Candidates[:min(len(several.Candidates), maxCandidates)] {
			r := &several.Candidates[i]
			fmt.Fprintf(&list, "\n  %s  %s  last call %s", r.RunID, report.Text(r.AgentID), r.LastAt.UTC().Format(time.RFC3339))
		}
		return false, usage(fmt.Errorf("the database has %d runs of that key:%s", len(several.Candidates), list.String()))
	}
	if err != nil {
		return false, nil
	}
	body.Scope.Value = strings.TrimSpace(run.RunID + " " + route)
	body.Force, body.Agent, body.Credential = true, run.AgentID, run.CredentialID
	_ = body.AgentTrust.UnmarshalText([]byte(run.AgentTrust)) // what is unknown counts as none
	return true, nil
}
