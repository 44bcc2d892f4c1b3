package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Hygiene is a problem with identities that an operator should correct. It makes baselines
// inexact, or causes that a breaker also denies other callers.
type Hygiene struct {
	Kind     string   `json:"kind"`
	Subject  string   `json:"subject"`
	Calls    uint64   `json:"calls"`
	LastAt   Time     `json:"last_at"`
	Evidence []string `json:"evidence"` // agents, names or credentials, at most ten
	Advice   string   `json:"say"`      // meaning and recommended action
}

// The kinds of hygiene findings.
const (
	sharedCredential       = "shared_credential"       // one credential, several established agents
	severalBehind          = "several_agents_behind"   // one credential, several names that callers claim
	identityConflict       = "identity_conflict"       // the caller's name differs from the established name
	busyHuman              = "human_like_an_agent"     // a human principal with the call rate of a machine
	longLived              = "long_lived_token"        // a token that is valid for more than a day
	NoOwner                = "no_owner"                // an established agent without owner in the registry
	undeclaredIrreversible = "undeclared_irreversible" // an irreversible route without a declaration
	NoManifest             = "no_manifest"             // an irreversible route that no manifest names
)

// pacePerMinute is a number of calls per minute that a human cannot make by hand.
const pacePerMinute = 120

// tokenLife is the maximum normal lifetime of a token, in seconds: a day.
const tokenLife = 24 * 3600

// HygieneFindings returns the problems with the identities of calls between since and until.
func HygieneFindings(ctx context.Context, db DB, since, until time.Time) ([]Hygiene, error) {
	var w where
	w.between("start_time", "start_time", since, until)
	conditions := strings.TrimPrefix(w.String(), "WHERE ")
	if conditions != "" {
		conditions += " AND "
	}
	out := []Hygiene{}
	for _, q := range []struct{ kind, sql, say string }{
		{sharedCredential, `SELECT credential_id, countIf(counted) AS n, max(start_time), groupUniqArray(10)(agent_id) AS names FROM calls
WHERE ` + conditions +
			`credential_id != '' AND agent_trust IN ('verified', 'infrastructure') AND agent_source != 'credential'
GROUP BY credential_id HAVING uniqExact(agent_id) > 1 ORDER BY n DESC LIMIT 100`,
			"agents share one credential: a trip of the credential stops all of them; give each its own"},
		{severalBehind, `SELECT credential_id, countIf(counted) AS n, max(start_time), groupUniqArray(10)(said) AS names
FROM (SELECT credential_id, start_time, counted, if(agent_asserted != '', agent_asserted, agent_id) AS said FROM calls WHERE ` +
			conditions +
			`credential_id != '' AND (agent_asserted != '' OR agent_trust = 'asserted')) GROUP BY credential_id HAVING uniqExact(said) > 1
ORDER BY n DESC LIMIT 100`,
			"callers with one credential give themselves several names; they are one agent until each has a credential"},
		{identityConflict, `SELECT agent_id, countIf(counted) AS n, max(start_time), groupUniqArray(10)(agent_asserted) AS names FROM calls
WHERE ` + conditions +
			`agent_asserted != '' AND agent_asserted != agent_id GROUP BY agent_id ORDER BY n DESC LIMIT 100`,
			"calls itself something else than what its credential establishes: " +
				"another agent's credential in use, or a name that was never set right"},
		{busyHuman, `SELECT principal_id, sum(per) AS n, max(last), groupUniqArray(10)(agent_id) AS names FROM (SELECT principal_id, agent_id,
toStartOfMinute(start_time) AS minute, countIf(counted) AS per, max(start_time) AS last FROM calls WHERE ` + conditions +
			fmt.Sprintf(`principal_kind = 'human' AND principal_id != '' GROUP BY principal_id, agent_id, minute HAVING per > %d)
GROUP BY principal_id ORDER BY n DESC LIMIT 100`, pacePerMinute),
			fmt.Sprintf("a human's token makes more than %d calls in a minute: a program borrows it", pacePerMinute)},
		{longLived, `SELECT if(credential_id = '', agent_id, credential_id) AS who, countIf(counted) AS n, max(start_time),
groupUniqArray(10)(agent_id) AS names FROM calls WHERE ` + conditions +
			fmt.Sprintf(`toUInt64OrZero(attrs['auth_lifetime_s']) > %d GROUP BY who ORDER BY n DESC LIMIT 100`, tokenLife),
			"a token that lives longer than a day: what leaks stays open that long"},
		{undeclaredIrreversible, `SELECT concat(if(tool_name = '', concat(method, ' ', route), tool_name)) AS what, countIf(counted) AS n,
max(start_time), groupUniqArray(10)(agent_id) AS names FROM calls WHERE ` + conditions +
			`reversibility = 'irreversible' AND reversibility_source NOT IN ('operator', 'openapi') AND counted GROUP BY what
ORDER BY n DESC LIMIT 100`,
			"cannot be undone, by its words or its method alone: declare it under routes, or in the OpenAPI document"},
	} {
		err := each(ctx, db, q.kind, q.sql, w.params, func(r driver.Rows) error {
			h := Hygiene{Kind: q.kind, Advice: q.say}
			err := r.Scan(&h.Subject, &h.Calls, &h.LastAt.Time, &h.Evidence)
			out = append(out, h)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
