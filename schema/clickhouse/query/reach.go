package query

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// Reach is what a run reached: services and, of each, resources. Both are in the order of danger, and as many as were asked for.
type Reach struct {
	// Report is the touched set of the run, without resources.
	Report   *Touched
	Services []ReachedService
	Pairs    []ReachedResource
	// MoreServices is the number of services that are not in Services, and More what was called of them.
	MoreServices uint64
	More         Reached

	limit  int    // of Pairs
	own    source // calls of the run
	linked string // the condition for calls on its behalf; empty: there are none
}

// MaxReachedServices is the number of services of a Reach.
const MaxReachedServices = 30

// Reached counts calls by what became of them. A call that names several resources counts once for each.
type Reached struct {
	Done           map[string]uint64 // carried out, or not known to have failed, by reversibility
	Failed, Denied uint64
}

// Sum returns the number of calls.
func (r *Reached) Sum() uint64 {
	sum := r.Failed + r.Denied
	for _, n := range r.Done {
		sum += n
	}
	return sum
}

// Minus returns what is left without some of the calls.
func (r *Reached) Minus(o *Reached) Reached {
	left := Reached{Done: map[string]uint64{}, Failed: r.Failed - min(o.Failed, r.Failed), Denied: r.Denied - min(o.Denied, r.Denied)}
	for word, n := range r.Done {
		left.Done[word] = n - min(o.Done[word], n)
	}
	return left
}

// Add adds calls.
func (r *Reached) Add(o *Reached) {
	if r.Done == nil {
		r.Done = map[string]uint64{}
	}
	for word, n := range o.Done {
		r.Done[word] += n
	}
	r.Failed, r.Denied = r.Failed+o.Failed, r.Denied+o.Denied
}

// Place is a service, or the route of calls of which the log names none.
type Place struct {
	Name    string
	IsRoute bool
}

// ReachedService is a service that a run called.
type ReachedService struct {
	Place
	Calls     uint64 // each once
	Behalf    uint64 // of these, made by other services on behalf of the run
	Resources uint64 // different ones
	Reached
}

// ReachedResource is a resource that calls of one service named.
type ReachedResource struct {
	Place
	Resource      string // ?:? for calls that name none
	Effect        string // the most dangerous one
	Reversibility string
	Routes        []string // at most 3
	Reached
}

// placeColumns are the columns of a call that tell its service.
const placeColumns = ", api, mcp_server, gen_ai_provider, observer, host, operation"

// serviceOfCall is the service that was called: the API, MCP server or model provider that the log names, a service that logged the call
// itself, else the host. A gateway, the caller and the check log calls to others: they are none. Empty: the log names no service.
const serviceOfCall = `multiIf(api != '', toString(api), mcp_server != '', toString(mcp_server),
gen_ai_provider != '', toString(gen_ai_provider),
observer_kind IN ('server', 'tool_server') AND observer NOT IN ('', 'flyball'), toString(observer), toString(host))`

// ReachOf reads what a run reached, with at most limit pairs of a service and a resource: what can be undone least first, of it what was
// carried out before what failed or was denied, of it what was called most.
func ReachOf(ctx context.Context, db DB, run *Run, limit int) (*Reach, error) {
	r := &Reach{limit: limit}
	reader := newTouchedReader(db, Subject{Kind: "run", Value: run.RunID}, run, Window{})
	reader.page.part.limit, reader.reach = limit, r
	var err error
	if r.Report, err = reader.read(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// read reads services and resources.
func (r *Reach) read(ctx context.Context, db DB) error {
	if err := r.readServices(ctx, db); err != nil {
		return err
	}
	drawn := "true"
	if len(r.Services) > MaxReachedServices {
		r.Services = r.Services[:MaxReachedServices]
		list := make([]string, len(r.Services))
		for i, s := range r.Services {
			list[i] = fmt.Sprintf("(%s, %v)", quoted(s.Name), s.IsRoute)
		}
		drawn = "(place, is_route) IN (" + strings.Join(list, ", ") + ")"
		if err := r.readMore(ctx, db, "NOT "+drawn); err != nil {
			return err
		}
	}
	return r.readPairs(ctx, db, drawn)
}

// rows returns a statement about all calls of the run and those on its behalf, by the name reached.
func (r *Reach) rows(sql string) string {
	columns := "outcome, toString(effect) AS did, toString(reversibility) AS undo, if(empty(resources), ['?:?'], resources) AS named, " +
		"if(method = '', toString(operation), concat(method, ' ', route)) AS called, " + serviceOfCall + " AS service, " +
		"toBool(service = '') AS is_route, if(is_route, called, service) AS place, " + partOfReach + " AS part, " +
		"2 * indexOf(" + byDanger + ", undo) + (part > " + fmt.Sprint(len(schema.ReversibilityWords)) + ") AS danger"
	head, from := "WITH ", "SELECT "+columns+", false AS behalf FROM "+r.own.from
	if r.linked != "" {
		head += "linked AS (SELECT * FROM calls " + r.linked + "), "
		from += " UNION ALL SELECT " + columns + ", true AS behalf FROM linked WHERE counted OR record_id IN (" + unnamedDownstream + ")"
	}
	return head + "reached AS (" + from + ") " + sql
}

// partOfReach is the place of a call among the numbers of countsOf.
var partOfReach = fmt.Sprintf("multiIf(outcome = 'denied', %d, outcome NOT IN ('ok', 'unknown'), %d, indexOf(['%s'], undo))",
	len(schema.ReversibilityWords)+2, len(schema.ReversibilityWords)+1, strings.Join(schema.ReversibilityWords, "', '"))

// countsOf returns a list of numbers in SQL: what was carried out by reversibility, what failed and what was denied. times is how often a
// row counts.
func countsOf(times string) string {
	list := make([]string, len(schema.ReversibilityWords)+2)
	for i := range list {
		list[i] = fmt.Sprintf("toUInt64(sumIf(%s, part = %d))", times, i+1)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func reachedOf(counts []uint64) Reached {
	n := len(schema.ReversibilityWords)
	out := Reached{Done: map[string]uint64{}, Failed: counts[n], Denied: counts[n+1]}
	for i, word := range schema.ReversibilityWords {
		if counts[i] > 0 {
			out.Done[word] = counts[i]
		}
	}
	return out
}

func (r *Reach) readServices(ctx context.Context, db DB) error {
	sql := fmt.Sprintf(`SELECT place, is_route, count() AS n, countIf(behalf), uniqExactArray(named), %s, toInt64(min(danger)) AS worst
FROM reached GROUP BY place, is_route ORDER BY worst, n DESC, place, is_route LIMIT %d`, countsOf("length(named)"), MaxReachedServices+1)
	return each(ctx, db, "services of the run", r.rows(sql), r.own.params, func(rows driver.Rows) error {
		var v ReachedService
		var counts []uint64
		var worst int64
		if err := rows.Scan(&v.Name, &v.IsRoute, &v.Calls, &v.Behalf, &v.Resources, &counts, &worst); err != nil {
			return err
		}
		v.Reached = reachedOf(counts)
		r.Services = append(r.Services, v)
		return nil
	})
}

func (r *Reach) readMore(ctx context.Context, db DB, others string) error {
	sql := "SELECT uniqExact((place, is_route)), " + countsOf("1") + " FROM reached WHERE " + others
	return each(ctx, db, "further services of the run", r.rows(sql), r.own.params, func(rows driver.Rows) error {
		var counts []uint64
		err := rows.Scan(&r.MoreServices, &counts)
		if err == nil {
			r.More = reachedOf(counts)
		}
		return err
	})
}

func (r *Reach) readPairs(ctx context.Context, db DB, drawn string) error {
	sql := fmt.Sprintf(`SELECT place, is_route, resource, argMin(did, danger), argMin(undo, danger), arraySort(groupUniqArray(3)(called)), %s,
toInt64(min(danger)) AS worst, count() AS n FROM (SELECT *, arrayJoin(named) AS resource FROM reached WHERE %s)
GROUP BY place, is_route, resource ORDER BY worst, n DESC, resource, place, is_route LIMIT %d`, countsOf("1"), drawn, r.limit)
	return each(ctx, db, "resources by service", r.rows(sql), r.own.params, func(rows driver.Rows) error {
		var v ReachedResource
		var counts []uint64
		var worst int64
		var n uint64
		if err := rows.Scan(&v.Name, &v.IsRoute, &v.Resource, &v.Effect, &v.Reversibility, &v.Routes, &counts, &worst, &n); err != nil {
			return err
		}
		v.Reached = reachedOf(counts)
		r.Pairs = append(r.Pairs, v)
		return nil
	})
}
