package query

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TouchedResource counts the calls of one route that named one resource.
type TouchedResource struct {
	Resource      string   `json:"resource"`
	Type          string   `json:"type"`
	Method        string   `json:"method,omitempty"`
	Route         string   `json:"route,omitempty"`
	Effect        string   `json:"effect"`
	Reversibility string   `json:"reversibility"`
	Calls         uint64   `json:"calls"`
	OK            uint64   `json:"ok"`
	Failed        uint64   `json:"failed"`
	Denied        uint64   `json:"denied"`
	BytesOut      uint64   `json:"bytes_out"`
	FirstAt       Time     `json:"first_at"`
	LastAt        Time     `json:"last_at"`
	Agents        []string `json:"agents"`    // at most 20
	Runs          []string `json:"runs"`      // at most 20 of RunCount
	RunCount      uint64   `json:"run_count"` // number of different runs
	Via           []string `json:"via"`

	actors []uint32 // of Runs: where their rows are; 0: not known
	behalf bool     // made by another service on behalf of the run
}

// touchedGroups are the columns of a TouchedResource, as scanTouched reads them.
const touchedGroups = `arrayJoin(if(empty(resources), ['?:?'], resources)) AS resource, method, route, toString(effect) AS did,
toString(reversibility) AS undo,
count() AS n, countIf(outcome IN ('ok', 'unknown')) AS good, countIf(outcome = 'denied') AS refused, sum(bytes_out) AS bytes,
min(start_time) AS first_at, max(start_time) AS last_at, groupUniqArrayIf(20)(agent_id, agent_id != '') AS agents,
arrayMap(x -> concat(toString(x.1), ' ', toString(x.2)), groupUniqArray(20)((run_id, actor_hash))) AS runs, uniqExact(run_id) AS run_count`

// readOwnResources reads the resources of the calls that the subject made itself. For a resource there is a row for each run, so that each
// row names who touched it.
func (r *touchedReader) readOwnResources(ctx context.Context, db DB, rows source) error {
	t := r.report
	group, run, having := " GROUP BY resource, method, route, did, undo", "''", ""
	if t.Subject.Kind == "resource" {
		group, run, having = group+", run_id", "toString(run_id)", "resource = {value:String}"
	}
	tail, params := r.page.part.statement(run, having, false)
	return each(ctx, db, "touched resources", "SELECT "+touchedGroups+" FROM "+rows.from+group+tail,
		append(slices.Clone(rows.params), params...), func(row driver.Rows) error {
			v, err := scanTouched(row)
			if err == nil && r.take != nil {
				return r.take(&v)
			}
			t.Resources = append(t.Resources, v)
			return err
		})
}

// splitRuns returns runs in the order of their ids, with their actors. A run that has rows also in a table of schema version 4 is listed
// twice, once without its actor.
func splitRuns(texts []string) (ids []string, actors []uint32, err error) {
	sort.Strings(texts)
	ids = make([]string, 0, len(texts))
	for _, text := range texts {
		id, hash, placed := strings.Cut(text, " ")
		var actor uint64
		if placed {
			if actor, err = strconv.ParseUint(hash, 10, 32); err != nil {
				return nil, nil, fmt.Errorf("run and actor %q: %w", text, err)
			}
		}
		if last := len(ids) - 1; last >= 0 && ids[last] == id {
			actors[last] = max(actors[last], uint32(actor))
			continue
		}
		ids, actors = append(ids, id), append(actors, uint32(actor))
	}
	return ids, actors, nil
}

func scanTouched(r driver.Rows, more ...any) (TouchedResource, error) {
	var v TouchedResource
	var runs []string
	v.Via = []string{}
	err := r.Scan(append([]any{&v.Resource, &v.Method, &v.Route, &v.Effect, &v.Reversibility, &v.Calls, &v.OK, &v.Denied, &v.BytesOut,
		&v.FirstAt.Time, &v.LastAt.Time, &v.Agents, &runs, &v.RunCount}, more...)...)
	if err == nil {
		v.Runs, v.actors, err = splitRuns(runs)
	}
	v.Failed = v.Calls - v.OK - v.Denied
	v.Type, _, _ = strings.Cut(v.Resource, ":")
	sort.Strings(v.Agents)
	return v, err
}
