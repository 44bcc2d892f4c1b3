package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

const (
	// provenTTL is how long a point treats a credential as proven without a new report.
	provenTTL = 7 * 24 * time.Hour
	// provenAge is the age of a call above which it is history and is not reported.
	provenAge = 15 * time.Minute
)

// proven reports to the enforcement points that the API has accepted a credential often enough, at
// most once a day for each credential: the command's id is made of the credential and the day, so
// that a repeat after a restart changes nothing.
func (p *publisher) proven(ctx context.Context, r *stitch.Run, c *schema.Call) error {
	if p.cfg.ProvenCommands == nil || p.cfg.Now().Sub(time.Unix(0, c.Start)) > provenAge || !p.cfg.ProvenCommands() ||
		!r.Owner().ProvenToday(c) {
		return nil
	}
	day := strconv.FormatInt(c.Start/int64(24*time.Hour), 10)
	command := schema.Command{ID: "proven/" + c.Tenant + "/" + c.CredentialID + "/" + day, Kind: schema.CommandProven, Tenant: c.Tenant,
		Scope: schema.Scope{Kind: schema.ScopeCredential,
			Value: c.CredentialID}, By: "detect", Reason: "the API accepted it", TTL: int64(provenTTL)}
	value, err := wire.EncodeCommand(&command)
	if err != nil {
		return fmt.Errorf("proven credential %s: %w", c.CredentialID, err)
	}
	p.m.proven.Inc()
	p.out.send(ctx, &kgo.Record{Topic: wire.CommandsTopic, Value: value})
	return p.out.err()
}
