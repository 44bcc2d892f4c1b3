package query

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// Hit is a run in which a term occurs.
type Hit struct {
	RunID   string `json:"run_id"`
	RunKey  string `json:"run_key,omitempty"`
	AgentID string `json:"agent_id,omitempty"`
	Field   string `json:"field"` // field that contains the term: run_key, request_id, trace_id, …
	Calls   uint64 `json:"calls,omitempty"`
	FirstAt Time   `json:"first_at"`
	LastAt  Time   `json:"last_at"`
}

// Find returns the runs in which a term occurs: as run id or key, request id, trace,
// address, host, credential id, agent, principal, task or resource. At most limit runs are
// returned for a field. Calls counts the calls of the run in which the term occurs; for a field
// of the run itself, all its calls.
func Find(ctx context.Context, db DB, term string, limit int) ([]Hit, error) {
	page, err := FindPage(ctx, db, term, limit, "")
	return page.Rows, err
}

// findPlaces are, by field, the last run of a page. Fields without more runs are not in it.
type findPlaces map[string]timedPlace

// FindPage returns a page of what Find returns: at most limit runs for each field, those after the cursor of the page before. The next
// page has only fields with more runs. A cursor of another term is an error.
func FindPage(ctx context.Context, db DB, term string, limit int, after string) (page Page[Hit], err error) {
	question := pagedQuestion{list: "find", what: []string{"term", term}}
	var places findPlaces
	if after != "" {
		if err := question.parse(ctx, after, &places); err != nil {
			return page, err
		}
	}
	page.Rows = []Hit{}
	if partition, offset, ok := parseRecord(term); ok {
		page.Rows, err = runsOfRecord(ctx, db, partition, offset)
		return page, err
	}
	indexed, err := lookUp(ctx, db, term)
	if err != nil {
		return page, err
	}
	more := findPlaces{}
	for _, f := range termFields {
		at, begun := places[f.name]
		if !f.fits(term) || !indexed.mayHave(f) || after != "" && !begun {
			continue
		}
		var from *place
		if begun {
			from = &place{time.Unix(0, at.At).UTC(), at.ID}
		}
		hits, next, err := f.runs(ctx, db, f, term, limit, indexed.newest[f.name], from)
		if err != nil {
			return Page[Hit]{}, err
		}
		page.Rows = append(page.Rows, hits...)
		if next != nil {
			more[f.name] = timedPlace{next.at.UnixNano(), next.id}
		}
	}
	if len(more) > 0 {
		page.Next = question.cursor(ctx, more)
	}
	return page, nil
}

// indexedTerm is what the indexes have of a term.
type indexedTerm struct {
	newest map[string]time.Time // by field: the end of the newest day on which it has the term
	more   bool                 // there are rows that no index names
}

// mayHave reports whether rows have the term in a field.
func (x *indexedTerm) mayHave(f termField) bool {
	_, found := x.newest[f.name]
	return found || x.more || f.index == byFilter || f.index == byTouch
}

// lookUp looks a term up in postings and call_ids.
func lookUp(ctx context.Context, db DB, term string) (*indexedTerm, error) {
	x := &indexedTerm{newest: map[string]time.Time{}}
	trace := schema.HashCallID(term)
	if id, err := hex.DecodeString(term); err == nil {
		trace = schema.HashCallID(id)
	}
	sql := fmt.Sprintf(`SELECT toString(kind), toDateTime(max(day) + 1, 'UTC') FROM postings WHERE value = {term:String} GROUP BY kind
UNION ALL SELECT toString(kind), toDateTime(max(day) + 1, 'UTC') FROM call_ids WHERE kind = 'trace_id' AND id = %d GROUP BY kind
UNION ALL SELECT toString(kind), toDateTime(max(day) + 1, 'UTC') FROM call_ids WHERE kind = 'request_id' AND id = %d GROUP BY kind
UNION ALL SELECT '', max(last_at) FROM stored_spans WHERE rows > 0 AND NOT posted HAVING count() > 0`, trace, schema.HashCallID(term))
	return x, each(ctx, db, "indexes", sql, []any{named("term", term)}, func(r driver.Rows) error {
		var kind string
		var at time.Time
		err := r.Scan(&kind, &at)
		if x.newest[kind] = at; kind == "" {
			x.more = true
		}
		return err
	})
}

// termField is a field in which Find looks for a term.
type termField struct {
	name string
	// condition selects the rows of calls, or of run_states and runs alike.
	condition string
	index     fieldIndex
	fits      func(term string) bool // reports whether the field may have the term as its value
	// runs returns the newest runs with the term in the field, after a place, and the place after which there are more; nil: none.
	runs func(ctx context.Context, db DB, f termField, term string, limit int, newest time.Time, after *place) ([]Hit, *place, error)
}

// termFields are the fields in which Find looks: those of a run itself, then those of single calls.
var termFields = func() (out []termField) {
	for _, f := range runFields {
		f.runs = runsByField
		out = append(out, f)
	}
	for _, f := range callFields {
		f.runs = runsOfCalls
		out = append(out, f)
	}
	return out
}()

// fieldIndex is how the rows with a term are found.
type fieldIndex int

const (
	byFilter  fieldIndex = iota // a Bloom filter of the table
	byPosting                   // postings
	byCallID                    // call_ids
	byTouch                     // touches
)

// runFields are the fields of a run itself.
var runFields = []termField{
	{name: "run_key", condition: "run_key = {term:String}", fits: anyTerm},
	{name: "run_id", condition: "run_id = {term:UUID}", fits: func(term string) bool {
		_, err := schema.ParseRunID(term)
		return err == nil
	}},
	{name: "agent_id", condition: "agent_id = {term:String}", index: byPosting, fits: anyTerm},
	{name: "credential_id", condition: "credential_id = {term:String}", index: byPosting, fits: anyTerm},
	{name: "principal_id", condition: "principal_id = {term:String}", index: byPosting, fits: anyTerm},
	{name: "task_id", condition: "task_id = {term:String}", fits: anyTerm},
	{name: "conversation_id", condition: "conversation_id = {term:String}", fits: anyTerm},
}

// callFields are the fields of single calls.
var callFields = []termField{
	{name: "request_id", condition: "request_id = {term:String}", index: byCallID, fits: anyTerm},
	{name: "trace_id", condition: "trace_id = {term:String}", index: byCallID, fits: func(term string) bool {
		id, err := hex.DecodeString(term)
		return err == nil && len(id) == 16
	}},
	{name: "client_ip", condition: "client_ip = {term:String}", index: byPosting, fits: func(term string) bool {
		_, err := netip.ParseAddr(term)
		return err == nil
	}},
	{name: "host", condition: "host = {term:String}", index: byPosting, fits: anyTerm},
	{name: "tool_name", condition: "tool_name = {term:String}", index: byPosting, fits: anyTerm},
	{name: "agent_asserted", condition: "agent_asserted = {term:String}", index: byPosting, fits: anyTerm},
	{name: "resource", condition: "has(resources, {term:String})", index: byTouch, fits: anyTerm},
}

func anyTerm(string) bool { return true }

// runsByField returns the newest runs of which a field of their own is the term.
func runsByField(ctx context.Context, db DB, f termField, term string, limit int, newest time.Time, after *place) ([]Hit, *place, error) {
	s := selection{run: f.condition, found: f.index == byFilter, limit: limit, until: newest, page: true, after: after}
	s.states.add(f.condition, named("term", term))
	if f.index == byPosting {
		s.states.add(actorsPosted("posted_actor", f.name, "term", Window{}))
	}
	runs, more, err := s.read(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	out := make([]Hit, len(runs))
	for i := range runs {
		r := &runs[i]
		out[i] = Hit{RunID: r.RunID, RunKey: r.RunKey, AgentID: r.AgentID, Field: f.name, Calls: r.Calls, FirstAt: r.StartedAt, LastAt: r.LastAt}
	}
	return out, more, nil
}

// runsOfCalls returns the newest runs with calls of which a field is the term, with their keys and agents. Only calls that
// count are counted; a run with other rows only has one call at least.
func runsOfCalls(ctx context.Context, db DB, f termField, term string, limit int, newest time.Time, after *place) ([]Hit, *place, error) {
	refs, err := runsWithTerm(ctx, db, f, term, limit+1, newest, after)
	if err != nil {
		return nil, nil, err
	}
	var more *place
	if len(refs) > limit {
		refs = refs[:limit]
		more = &place{refs[limit-1].at, refs[limit-1].id}
	}
	var out []Hit
	for list := range listed(refs) {
		hits, err := hitsOf(ctx, db, f, term, list)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, hits...)
	}
	slices.SortFunc(out, func(a, b Hit) int {
		return cmp.Or(b.LastAt.Compare(a.LastAt.Time), strings.Compare(a.RunID, b.RunID))
	})
	return out, more, nil
}

// runsWithTerm returns the places of the newest runs with calls of which a field is the term, those after a place.
func runsWithTerm(ctx context.Context, db DB, f termField, term string, limit int, newest time.Time, after *place) ([]runRef, error) {
	var refs []runRef
	params := []any{named("term", term)}
	having := ""
	if after != nil {
		having = " HAVING " + afterPlace
		params = append(params, after.params()...)
		newest = after.at
	}
	tail := fmt.Sprintf(" GROUP BY tenant, run_id%s ORDER BY at DESC, run_id LIMIT %d", having, limit)
	const columns = "SELECT tenant, max(actor_hash) AS actor, run_id, "
	switch f.index {
	case byTouch:
		return readRefs(ctx, db, "runs by "+f.name, columns+"max(last_at) AS at FROM touches WHERE resource = {term:String}"+tail, params)
	case byCallID:
		return readRefs(ctx, db, "runs by "+f.name, columns+"max(start_time) AS at FROM "+callsWithID(f.name, term)+tail, params)
	}
	return refs, backwards(newest, time.Time{}, func(from time.Time) (bool, error) {
		w := where{params: slices.Clone(params)}
		w.add(f.condition)
		w.between("start_time", "start_time", from, time.Time{})
		w.add(actorsPosted("actor_hash", f.name, "term", Window{Since: from}))
		var err error
		refs, err = readRefs(ctx, db, "runs by "+f.name, columns+"max(start_time) AS at FROM calls "+w.String()+tail, w.params)
		return len(refs) >= limit, err
	})
}

// callsWithID selects the calls with a trace id or request id, of which the parameter term has the text. The second part is for
// rows that no call_ids name.
func callsWithID(field, term string) string {
	hash := schema.HashCallID(term)
	if id, err := hex.DecodeString(term); field == schema.CallIDTrace.String() && err == nil {
		hash = schema.HashCallID(id)
	}
	const columns = "tenant, actor_hash, run_id, start_time"
	known := fmt.Sprintf("FROM call_ids WHERE kind = '%s' AND id = %d", field, hash)
	return fmt.Sprintf(`(SELECT %[1]s FROM calls WHERE actor_hash != 0 AND actor_hash IN (SELECT actor_hash %[2]s)
AND toDate(start_time) IN (SELECT day %[2]s) AND %[3]s = {term:String}
UNION ALL SELECT %[1]s FROM calls WHERE actor_hash = 0 AND %[3]s = {term:String})`, columns, known, field)
}

// hitsOf reads the calls of some runs of which a field is the term.
func hitsOf(ctx context.Context, db DB, f termField, term string, refs []runRef) ([]Hit, error) {
	type caller struct{ key, agent string }
	callers := map[string]caller{}
	of := idsOf(refs)
	if placed(refs) {
		of = runsOf(refs)
	}
	times := map[string]runTimes{}
	const callerAndTimes = "SELECT toString(run_id), run_key, agent_id, started_at, last_at, toString(state) FROM runs WHERE "
	if err := each(ctx, db, "runs", callerAndTimes+of, nil, func(r driver.Rows) error {
		var v Run
		err := r.Scan(&v.RunID, &v.RunKey, &v.AgentID, &v.StartedAt.Time, &v.LastAt.Time, &v.State)
		callers[v.RunID], times[v.RunID] = caller{v.RunKey, v.AgentID}, v.times()
		return err
	}); err != nil {
		return nil, err
	}
	refs = slices.Clone(refs)
	for i := range refs {
		refs[i].times = times[refs[i].id]
	}
	var out []Hit
	err := each(ctx, db, "calls by "+f.name, `SELECT toString(run_id), anyIf(run_key, run_key != ''), anyIf(agent_id, agent_id != ''),
greatest(countIf(counted), 1), min(start_time), max(start_time) FROM calls WHERE `+callsOf(refs)+" AND "+f.condition+
		" GROUP BY run_id", []any{named("term", term)}, func(r driver.Rows) error {
		h := Hit{Field: f.name}
		err := r.Scan(&h.RunID, &h.RunKey, &h.AgentID, &h.Calls, &h.FirstAt.Time, &h.LastAt.Time)
		if c := callers[h.RunID]; c.key != "" {
			h.RunKey = c.key
		}
		if c := callers[h.RunID]; c.agent != "" {
			h.AgentID = c.agent
		}
		out = append(out, h)
		return err
	})
	return out, err
}
