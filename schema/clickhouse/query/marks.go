package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
	"flyball/schema/bypass"
)

// Bypassed is a bypass of a tenant, or of one agent of it.
type Bypassed struct {
	Tenant  string
	Agent   string // empty: the whole tenant
	At      time.Time
	End     time.Time // by a person, its time, or another bypass; zero: its time is not stored, because an earlier release wrote it
	By      string
	EndedBy string // empty: nobody did
	Reason  string // with its length (bypass.Length)
	// Replaced reports that another bypass of the same scope began before its time was over.
	Replaced bool
}

const (
	// bypassLookback is how long before a window a bypass may have begun that is in force in it.
	bypassLookback = 31 * 24 * time.Hour
	// maxBypassEntries is the maximum number of entries of the audit trail that are read.
	maxBypassEntries = 5000
)

// Bypasses returns the bypasses of a window that the audit trail has, the latest first.
func Bypasses(ctx context.Context, db DB, some SomeAgents, win Window) ([]Bypassed, error) {
	var w where
	w.add("kind IN ('" + schema.CommandBypass.String() + "', '" + schema.CommandBypassEnd.String() + "') AND outcome = 'applied'")
	since := win.Since
	if !since.IsZero() {
		since = since.Add(-bypassLookback)
	}
	w.between("at", "at", since, win.Until)
	open := map[[2]string]*Bypassed{}
	var all []*Bypassed
	err := each(ctx, db, "bypasses", fmt.Sprintf(`SELECT tenant, kind, subject, at, by, reason FROM (SELECT * FROM audit %s ORDER BY seq DESC, hash LIMIT %d)
ORDER BY seq, hash`, w.String(), maxBypassEntries), w.params, func(r driver.Rows) error {
		var v Bypassed
		var kind, subject string
		if err := r.Scan(&v.Tenant, &kind, &subject, &v.At, &v.By, &v.Reason); err != nil {
			return err
		}
		v.Agent, _ = strings.CutPrefix(subject, schema.ScopeAgent.String()+":")
		if v.Agent == subject {
			v.Agent = ""
		}
		of := [2]string{v.Tenant, v.Agent}
		if kind == schema.CommandBypass.String() {
			if before := open[of]; before != nil && before.End.After(v.At) {
				before.End, before.Replaced = v.At, true
			}
			if _, length, known := bypass.Length(v.Reason); known {
				v.End = v.At.Add(length)
			}
			open[of] = &v
			all = append(all, &v)
			return nil
		}
		if before := open[of]; before != nil { // the end of one that was not in force is not applied
			before.End, before.EndedBy = v.At, v.By
		}
		delete(open, of)
		return nil
	})
	out := []Bypassed{}
	for _, v := range slices.Backward(all) {
		if (v.Agent == "" || some.Fit(v.Agent)) && (v.End.IsZero() || !v.End.Before(win.Since)) && (!v.End.IsZero() || !v.At.Before(win.Since)) {
			out = append(out, *v)
		}
	}
	return out, err
}

// Deployed is the first call of a version of an agent.
type Deployed struct {
	Tenant, Agent, Version string
	At                     time.Time
	Before                 string // version with the latest first call before it; empty: none is stored
}

const (
	// versionLookback is how long before a window a version is looked for that is then not new in it.
	versionLookback = 30 * 24 * time.Hour
	maxVersions     = 10_000
)

// Deploys returns the versions of agents with their first call in a window, the latest first. A version that had no call for
// versionLookback before the window is new again. more reports that there are more than are read.
func Deploys(ctx context.Context, db DB, some SomeAgents, win Window, limit int) (out []Deployed, more bool, err error) {
	var w where
	w.ofAgents(&some)
	w.add("agent_version != ''")
	if some.Agent != "" {
		w.add(strings.Replace(actorsPosted("actor_hash", "agent_id", "agent", Window{}), "SELECT toUInt32(0) UNION ALL ", "", 1))
	}
	since := win.Since
	if !since.IsZero() {
		since = since.Add(-versionLookback)
	}
	w.between("started_at", "last_at", since, win.Until)
	if tenant := boundTenant(db); tenant != "" {
		w.add("tenant = {tenant:String}", named("tenant", tenant))
	}
	var seen []Deployed
	err = each(ctx, db, "versions of agents", fmt.Sprintf(`SELECT tenant, agent_id, agent_version, min(started_at) AS first FROM runs_v5 %s
GROUP BY tenant, agent_id, agent_version ORDER BY first DESC, tenant, agent_id, agent_version LIMIT %d`, w.String(), maxVersions), w.params, func(r driver.Rows) error {
		var v Deployed
		err := r.Scan(&v.Tenant, &v.Agent, &v.Version, &v.At)
		seen = append(seen, v)
		return err
	})
	before := map[[2]string]string{}
	for i := range slices.Backward(seen) {
		v := &seen[i]
		of := [2]string{v.Tenant, v.Agent}
		v.Before, before[of] = before[of], v.Version
	}
	for i := range seen {
		if len(out) < limit && !seen[i].At.Before(win.Since) {
			out = append(out, seen[i])
		}
	}
	return out, len(seen) == maxVersions, err
}
