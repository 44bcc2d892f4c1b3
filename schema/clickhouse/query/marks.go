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
//
// Most versions that have calls in a short window had some on the day before it. Agents of which all have are not looked at further back.
func Deploys(ctx context.Context, db DB, some SomeAgents, win Window, limit int) (out []Deployed, more bool, err error) {
	if length := win.Until.Sub(win.Since); !win.Since.IsZero() && length > 0 && length <= versionLookback/4 {
		agents, few, err := agentsWithNewVersions(ctx, db, some, win)
		switch {
		case err != nil:
			return nil, false, err
		case few && len(agents) == 0:
			return nil, false, nil
		case few:
			some.Agents = append(slices.Clone(some.Agents), NameCondition{Any: agents})
		}
	}
	w := versionsOf(db, &some)
	since := win.Since
	if !since.IsZero() {
		since = since.Add(-versionLookback)
	}
	w.between("started_at", "last_at", since, win.Until)
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

// versionsOf returns the condition for the states of runs of the selected agents that say a version.
func versionsOf(db DB, some *SomeAgents) (w where) {
	w.ofAgents(some)
	w.add("agent_version != ''")
	if some.Agent != "" {
		w.add(strings.Replace(actorsPosted("actor_hash", "agent_id", "agent", Window{}), "SELECT toUInt32(0) UNION ALL ", "", 1))
	}
	if listed := some.listed(); len(listed) > 0 {
		var of where
		listed.into(&of, "value", "listed")
		w.add("actor_hash IN (SELECT actor_hash FROM postings WHERE kind = 'agent_id' AND "+strings.Join(of.conditions, " AND ")+")",
			of.params...)
	}
	if tenant := boundTenant(db); tenant != "" {
		w.add("tenant = {tenant:String}", named("tenant", tenant))
	}
	return w
}

// listed returns the conditions that list the names of agents.
func (s *SomeAgents) listed() (out Names) {
	for _, c := range s.Agents.positive() {
		if c.Any != nil {
			out = append(out, c)
		}
	}
	return out
}

// agentsWithNewVersions returns the agents with runs that began in a window in versions of which no run had calls on the day before it:
// all agents of which a version may be new. few is false if they are more than are worth a list.
func agentsWithNewVersions(ctx context.Context, db DB, some SomeAgents, win Window) (agents []string, few bool, err error) {
	type version struct{ tenant, agent, version string }
	read := func(what string, w where, row func(v version)) error {
		return each(ctx, db, what, fmt.Sprintf("SELECT DISTINCT tenant, agent_id, agent_version FROM runs_v5 %s LIMIT %d", w.String(),
			maxVersions+1), w.params, func(r driver.Rows) error {
			var v version
			err := r.Scan(&v.tenant, &v.agent, &v.version)
			row(v)
			return err
		})
	}
	begun := versionsOf(db, &some)
	begun.add("started_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND started_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
		named("since", fmt.Sprint(win.Since.UnixNano())), named("until", fmt.Sprint(win.Until.UnixNano())))
	begun.add("last_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')")
	left := map[version]bool{}
	if err := read("versions with runs in the window", begun, func(v version) { left[v] = true }); err != nil || len(left) > maxVersions {
		return nil, false, err
	}
	before := versionsOf(db, &some)
	const day = 24 * time.Hour
	before.add("started_at < fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND last_at >= fromUnixTimestamp64Nano({day_before:Int64}, 'UTC')",
		named("since", fmt.Sprint(win.Since.UnixNano())), named("day_before", fmt.Sprint(win.Since.Add(-day).UnixNano())))
	if err := read("versions of the day before", before, func(v version) { delete(left, v) }); err != nil {
		return nil, false, err
	}
	for v := range left {
		agents = append(agents, v.agent)
	}
	slices.Sort(agents)
	agents = slices.Compact(agents)
	return agents, len(agents) <= maxNamed, nil
}
