package query

import (
	"context"
	"fmt"
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

// hygieneAdvice is the meaning of each kind of problem that calls show, with the recommended action, in the order of a report.
var hygieneAdvice = []struct{ kind, say string }{
	{sharedCredential, "agents share one credential: a trip of the credential stops all of them; give each its own"},
	{severalBehind, "callers with one credential give themselves several names; they are one agent until each has a credential"},
	{identityConflict, "calls itself something else than what its credential establishes: another agent's credential in use, or a name " +
		"that was never set right"},
	{busyHuman, fmt.Sprintf("a human's token makes more than %d calls in a minute: a program borrows it", pacePerMinute)},
	{longLived, "a token that lives longer than a day: what leaks stays open that long"},
	{undeclaredIrreversible, "cannot be undone, by its words or its method alone: declare it under routes, or in the OpenAPI document"},
}

// MaxHygiene bounds the problems of a kind, those of most calls. HygieneFindings returns one more if there are more.
const MaxHygiene = 100

// hygieneCallers counts the calls of a window by all that decides whether they show a problem. Every call is read once; the groups
// are few.
var hygieneCallers = fmt.Sprintf(`SELECT toString(credential_id) AS credential, toString(agent_id) AS agent,
 toString(agent_asserted) AS asserted,
 agent_trust = 'asserted' AS claimed,
 agent_trust IN ('verified', 'infrastructure') AND agent_source != 'credential' AS established,
 if(principal_kind = 'human', toString(principal_id), '') AS human,
 if(human = '', toDateTime(0, 'UTC'), toStartOfMinute(start_time)) AS minute,
 toUInt64OrZero(attrs['auth_lifetime_s']) > %d AS long,
 if(reversibility = 'irreversible' AND reversibility_source NOT IN ('operator', 'openapi') AND counted,
  if(tool_name = '', concat(method, ' ', route), tool_name), '') AS undeclared,
 countIf(counted) AS n, max(start_time) AS last`, tokenLife)

// hygieneProblems makes of a group of callers the problems that it may be a part of: kind, subject, name that is evidence, and the part
// within which calls are counted.
var hygieneProblems = fmt.Sprintf(`arrayJoin(arrayFilter(x -> x.1 != '', [
 (if(established AND credential != '', '%s', ''), credential, agent, ''),
 (if((asserted != '' OR claimed) AND credential != '', '%s', ''), credential, if(asserted != '', asserted, agent), ''),
 (if(asserted NOT IN ('', agent), '%s', ''), agent, asserted, ''),
 (if(human != '', '%s', ''), human, agent, concat(agent, ' ', toString(minute))),
 (if(long, '%s', ''), if(credential = '', agent, credential), agent, ''),
 (if(undeclared != '', '%s', ''), undeclared, agent, '')]))`, sharedCredential, severalBehind, identityConflict, busyHuman, longLived,
	undeclaredIrreversible)

// HygieneFindings returns the problems with the identities of calls between since and until.
func HygieneFindings(ctx context.Context, db DB, since, until time.Time) ([]Hygiene, error) {
	var w where
	w.between("start_time", "start_time", since, until)
	byKind := map[string][]Hygiene{}
	sql := fmt.Sprintf(`SELECT kind, subject, sum(n) AS made, max(last), groupUniqArrayArray(10)(names)
FROM (
 SELECT problem.1 AS kind, problem.2 AS subject, problem.4 AS part, sum(p.n) AS n, max(p.last) AS last,
  groupUniqArray(10)(problem.3) AS names, uniqExactState(problem.3) AS different
 FROM (SELECT %s AS problem, n, last FROM (%s FROM calls %s GROUP BY ALL)) AS p
 GROUP BY kind, subject, part HAVING kind != '%s' OR n > %d
) GROUP BY kind, subject HAVING kind NOT IN ('%s', '%s') OR uniqExactMerge(different) > 1
ORDER BY made DESC, subject LIMIT %d BY kind`, hygieneProblems, hygieneCallers, w.String(), busyHuman, pacePerMinute, sharedCredential,
		severalBehind, MaxHygiene+1)
	if err := each(ctx, db, "problems with identities", sql, w.params, func(r driver.Rows) error {
		var h Hygiene
		err := r.Scan(&h.Kind, &h.Subject, &h.Calls, &h.LastAt.Time, &h.Evidence)
		byKind[h.Kind] = append(byKind[h.Kind], h)
		return err
	}); err != nil {
		return nil, err
	}
	out := []Hygiene{}
	for _, k := range hygieneAdvice {
		for _, h := range byKind[k.kind] {
			h.Advice = k.say
			out = append(out, h)
		}
	}
	return out, nil
}
