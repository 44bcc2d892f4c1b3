package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Near is a stored subject that may have been meant by a name that is not stored.
type Near struct {
	Kind   string `json:"kind"` // run, agent, credential, principal, resource
	Value  string `json:"value"`
	How    string `json:"how"` // pattern, other_kind, other_type, case, part, spelling
	LastAt Time   `json:"last_at"`
}

// Reasons why a stored subject is near a name, the best first.
const (
	nearPattern   = "pattern"    // the name is a pattern that matches it
	nearOtherKind = "other_kind" // the same name, of another kind of subject
	nearOtherType = "other_type" // a resource with the same id
	nearCase      = "case"       // differs in upper and lower case
	nearPart      = "part"       // the name is a part of it, or the other way round
	nearSpelling  = "spelling"   // few letters differ
)

var nearOrder = []string{nearPattern, nearOtherKind, nearOtherType, nearCase, nearPart, nearSpelling}

// maxNear is the maximum number of near subjects.
const maxNear = 10

// nearRuns is how long before the newest call a run may have ended that is near.
const nearRuns = 24 * time.Hour

// nearTimeout is the longest time for a search for near subjects.
const nearTimeout = 5 * time.Second

// isPattern reports whether a name may be meant as a pattern.
func isPattern(name string) bool { return strings.Contains(name, "*") }

// cut returns the type and the id of a resource; typed is false for a name without a type.
func cut(resource string) (kind, id string, typed bool) {
	kind, id, typed = strings.Cut(resource, ":")
	if !typed {
		return "", resource, false
	}
	return kind, id, true
}

// NearTo returns stored subjects that may have been meant by a name, the best first. Without a
// kind, those of every kind are near.
func NearTo(ctx context.Context, db DB, s Subject) ([]Near, error) {
	ctx, cancel := context.WithTimeout(ctx, nearTimeout)
	defer cancel()
	var out []Near
	take := func(r driver.Rows) error {
		var v Near
		err := r.Scan(&v.Kind, &v.Value, &v.How, &v.LastAt.Time)
		if v.Kind != s.Kind || v.Value != s.Value {
			out = append(out, v)
		}
		return err
	}
	params := []any{named("kind", s.Kind), named("name", s.Value), named("like", likePattern(s.Value)),
		named("far", fmt.Sprint(farthest(s.Value)))}
	newest, err := newestStored(ctx, db)
	if err != nil {
		return nil, err
	}
	params = append(params, named("recent", fmt.Sprint(newest.Add(-nearRuns).UnixNano())))
	names, resources := nearNames, nearResources
	if s.Kind != "resource" && s.Kind != "" {
		resources = sameIDResources
	}
	if isPattern(s.Value) {
		names, resources = matchingNames, matchingResources
	}
	if s.Kind == "resource" || s.Kind == "" || !isPattern(s.Value) {
		if err := each(ctx, db, "near resources", resources, params, take); err != nil {
			return nil, err
		}
	}
	if s.Kind != "resource" || !isPattern(s.Value) {
		if err := each(ctx, db, "near names", names, params, take); err != nil {
			return nil, err
		}
	}
	sortNear(out)
	out = out[:min(len(out), maxNear)]
	err = lastCalls(ctx, db, out)
	sortNear(out) // by the times of last calls instead of their days
	return out, err
}

// sortNear sorts near subjects, the best first.
func sortNear(list []Near) {
	slices.SortStableFunc(list, func(a, b Near) int {
		if x := slices.Index(nearOrder, a.How) - slices.Index(nearOrder, b.How); x != 0 {
			return x
		}
		if x := b.LastAt.Compare(a.LastAt.Time); x != 0 {
			return x
		}
		return strings.Compare(a.Kind+a.Value, b.Kind+b.Value)
	})
}

// lastCalls sets the times of the last calls of callers, of which the day is known.
func lastCalls(ctx context.Context, db DB, near []Near) error {
	for i := range near {
		n := &near[i]
		if n.Kind == "run" || n.Kind == "resource" {
			continue
		}
		sql := fmt.Sprintf("SELECT count() > 0, max(last_at) FROM run_states WHERE %s AND %s_id = {name:String}",
			actorsPosted("posted_actor", n.Kind+"_id", "name", Window{}), n.Kind)
		if err := each(ctx, db, "the last call", sql, []any{named("name", n.Value)}, func(r driver.Rows) error {
			var some uint8
			var at time.Time
			err := r.Scan(&some, &at)
			if some > 0 {
				n.LastAt = Time{at}
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// farthest is the largest number of letters in which a near name may differ.
func farthest(name string) int { return min(3, max(1, len(name)/5)) }

// likePattern returns a pattern of LIKE for a name in which * stands for any text.
func likePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`, "*", "%").Replace(name)
}

// storedNames selects the names of callers, the keys and ids of the runs since the time of the parameter recent, and the names of
// runs that no posting names, each with the time of a last call: for a caller the end of the day of it.
const storedNames = `SELECT replaceOne(toString(kind), '_id', '') AS kind, value, toDateTime64(toDateTime(day, 'UTC') + INTERVAL 1 DAY, 9, 'UTC') AS last_at
FROM (SELECT kind, value, max(day) AS day FROM postings WHERE kind IN ('agent_id', 'credential_id', 'principal_id') GROUP BY kind, value)
UNION ALL SELECT pair.1, pair.2, last_at FROM (SELECT arrayJoin([('run', run_key), ('run', toString(run_id))]) AS pair, last_at FROM run_states
 WHERE last_at >= fromUnixTimestamp64Nano({recent:Int64}, 'UTC'))
UNION ALL SELECT pair.1, pair.2, last_at FROM (SELECT arrayJoin(arrayFilter(n -> n.2 != '', [('agent', agent_id), ('credential', credential_id),
('principal', principal_id)])) AS pair, last_at FROM run_states WHERE posted_actor = 0)`

const nearNames = `SELECT kind, value, multiIf(lower(value) = lower({name:String}) AND {kind:String} NOT IN ('', kind), 'other_kind',
 lower(value) = lower({name:String}), 'case',
 position(lower(value), lower({name:String})) > 0 OR position(lower({name:String}), lower(value)) > 0, 'part', 'spelling') AS how, max(last_at) AS at
FROM (` + storedNames + `)
WHERE lower(value) = lower({name:String})
 OR {kind:String} IN ('', kind) AND length({name:String}) >= 4 AND position(lower(value), lower({name:String})) > 0
 OR {kind:String} IN ('', kind) AND length(value) >= 4 AND position(lower({name:String}), lower(value)) > 0
 OR {kind:String} IN ('', kind) AND abs(length(value) - length({name:String})) <= {far:UInt8}
  AND editDistance(lower(value), lower({name:String})) <= {far:UInt8}
GROUP BY kind, value, how ORDER BY indexOf(['other_kind', 'case', 'part', 'spelling'], how), at DESC, kind, value LIMIT 20`

const matchingNames = `SELECT kind, value, 'pattern', max(last_at) AS at FROM (` + storedNames + `)
WHERE {kind:String} IN ('', kind) AND value LIKE {like:String} GROUP BY kind, value ORDER BY at DESC, kind, value LIMIT 20`

const nearResources = howNear + `
WHERE substring(lower(resource), position(resource, ':') + 1) = substring(lower({name:String}), position({name:String}, ':') + 1)
 OR {kind:String} IN ('', 'resource') AND abs(length(resource) - length({name:String})) <= {far:UInt8}
  AND editDistance(lower(resource), lower({name:String})) <= {far:UInt8}
` + nearestFirst

// sameIDResources are the near resources of a name that is no resource: those with the same id. A search for the text, which costs little,
// leaves few rows whose ids are compared: every stored row is searched.
const sameIDResources = howNear + `
WHERE positionCaseInsensitive(resource, concat(':', substring({name:String}, position({name:String}, ':') + 1))) > 0
 AND substring(lower(resource), position(resource, ':') + 1) = substring(lower({name:String}), position({name:String}, ':') + 1)
` + nearestFirst

const howNear = `SELECT 'resource', resource, multiIf(substring(resource, position(resource, ':') + 1) = {name:String}, 'other_type',
 lower(resource) = lower({name:String}), 'case',
 substring(resource, position(resource, ':') + 1) = substring({name:String}, position({name:String}, ':') + 1), 'other_type', 'spelling') AS how,
max(last_at) AS at
FROM touches`

const nearestFirst = "GROUP BY resource, how ORDER BY indexOf(['other_type', 'case', 'spelling'], how), at DESC, resource LIMIT 20"

const matchingResources = `SELECT 'resource', resource, 'pattern', max(last_at) AS at FROM touches
WHERE resource LIKE {like:String} GROUP BY resource ORDER BY at DESC, resource LIMIT 20`
