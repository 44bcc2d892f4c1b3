package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

// refusingServer starts a ClickHouse server that rejects every statement.
func refusingServer(t *testing.T) *Datasource {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-ClickHouse-Exception-Code", "60")
		http.Error(w, "Code: 60. DB::Exception: Table flyball.calls does not exist", http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	return datasourceAt(t, strings.TrimPrefix(s.URL, "http://"))
}

func datasourceAt(t *testing.T, addr string) *Datasource {
	t.Helper()
	settings, _ := json.Marshal(map[string]string{"addr": addr})
	d, err := New(t.Context(), backend.DataSourceInstanceSettings{Name: "test", JSONData: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.(*Datasource).Dispose)
	return d.(*Datasource)
}

// The queries of a dashboard are independent: an invalid query, or one that the database
// rejects, is an error only of its panel.
func TestBadQueryIsAnErrorOfItsOwnPanel(t *testing.T) {
	d := refusingServer(t)
	asked := map[string]string{
		"no JSON":     `{`,
		"no type":     `{"queryType":"secrets"}`,
		"level":       `{"queryType":"runs","minLevel":"worst"}`,
		"limit":       `{"queryType":"runs","limit":5001}`,
		"negative":    `{"queryType":"runs","limit":-1}`,
		"sort":        `{"queryType":"runs","sort":"best"}`,
		"state":       `{"queryType":"findings","state":"waiting"}`,
		"of":          `{"queryType":"count","of":"secrets"}`,
		"by":          `{"queryType":"count","of":"trips","by":"level"}`,
		"key":         `{"queryType":"runs","filters":[{"key":"password","operator":"=","value":"x"}]}`,
		"operator":    `{"queryType":"runs","filters":[{"key":"agent","operator":">","value":"x"}]}`,
		"contradicts": `{"queryType":"runs","agent":"a","filters":[{"key":"agent","operator":"=","value":"b"}]}`,
	}
	wanted := map[string]string{"no JSON": "query:", "no type": "is none of runs, findings", "level": `minLevel: "worst" is none of`,
		"limit": "limit: 5001", "negative": "limit: -1", "sort": `sort: "best" is none of worst, latest`,
		"state": `state: "waiting" is none of open, closed`,
		"of":    `of: "secrets" is none of bypasses, calls`, "by": `by: "level" does not divide trips`,
		"key": `the key "password" is none of`, "operator": `agent > "x" cannot be answered: the operator > is none of =, !=, =|, !=|, =~, !~`,
		"contradicts": `agent = "b" contradicts`}
	req := &backend.QueryDataRequest{}
	for name, q := range asked {
		req.Queries = append(req.Queries, backend.DataQuery{RefID: name, JSON: []byte(q)})
	}
	resp, err := d.QueryData(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range wanted {
		if r := resp.Responses[name]; r.Error == nil || !strings.Contains(r.Error.Error(), want) || r.Status != backend.StatusBadRequest {
			t.Errorf("%s: %v, status %d, want %q", name, r.Error, r.Status, want)
		}
	}
}

// A database that is away, or that refuses, is no mistake of the query: the status is 502, and the text is one plain sentence without an
// address of the driver or a statement.
func TestDatabaseAwayIsBlamedOnTheQuery(t *testing.T) {
	for name, d := range map[string]*Datasource{"away": datasourceAt(t, "127.0.0.1:1"), "without tables": refusingServer(t)} {
		for _, typ := range Types {
			of := cmp.Or(map[string]string{"variable": "agents", "distribution": "calls"}[typ], "trips")
			raw := fmt.Sprintf(`{"queryType":%q,"run":"task-7","resource":"order:7","of":%q,"sql":"SELECT 1"}`, typ, of)
			resp, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(raw),
				TimeRange: backend.TimeRange{From: time.Unix(0, 0), To: time.Unix(3600, 0)}}}})
			r := resp.Responses["A"]
			if err != nil || r.Error == nil || r.Status != backend.StatusBadGateway || r.ErrorSource != backend.ErrorSourceDownstream {
				t.Errorf("%s, %s: %v, %v, status %d, source %s", name, typ, err, r.Error, r.Status, r.ErrorSource)
				continue
			}
			for _, bad := range []string{"default@", "SELECT", "server hello", "\n"} {
				if strings.Contains(r.Error.Error(), bad) {
					t.Errorf("%s, %s: %q has %q", name, typ, r.Error, bad)
				}
			}
		}
	}
}

// A member with words that is a variable, and a run that nobody has chosen, are no errors: nothing is asked.
func TestVariableWithoutAValueIsAnError(t *testing.T) {
	d := refusingServer(t)
	for _, raw := range []string{`{"queryType":"runs","minLevel":"${level}"}`, `{"queryType":"runs","agent":"$a","sort":"[[sort]]"}`,
		`{"queryType":"trace","run":""}`, `{"queryType":"touched_graph"}`, `{"queryType":"resource"}`} {
		resp, _ := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(raw)}}})
		r := resp.Responses["A"]
		if r.Error != nil || len(r.Frames) != 1 || r.Frames[0].Rows() != 0 || len(r.Frames[0].Meta.Notices) != 1 {
			t.Errorf("%s: %v, %v", raw, r.Error, r.Frames)
		}
	}
	q := Query{Agent: allValues}
	if name, _ := q.unresolved(); name != "" || q.Agent != "" {
		t.Errorf("all values of a variable: %q, %q", name, q.Agent)
	}
	q = Query{Resource: "price:$5"}
	if name, _ := q.unresolved(); name != "" {
		t.Error("a text with a dollar sign is a variable")
	}
}

func TestTenantOfAnotherIsShown(t *testing.T) {
	d := refusingServer(t)
	d.tenant = "acme"
	resp, _ := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A",
		JSON: []byte(`{"queryType":"runs","tenant":"other"}`)}}})
	if r := resp.Responses["A"]; r.Status != backend.StatusBadRequest || !strings.Contains(r.Error.Error(), `tenant: "other" is not the tenant`) {
		t.Errorf("%v, status %d", r.Error, r.Status)
	}
}

var errAsked = errors.New("asked")

// lastQuery is a database that stores the text of the last query and rejects it.
type lastQuery struct{ sql string }

func (l *lastQuery) Query(_ context.Context, sql string, _ ...any) (driver.Rows, error) {
	l.sql = sql
	return nil, errAsked
}

// Each panel limits the rows that it reads, for any query.
func TestEveryPanelIsBounded(t *testing.T) {
	// The first query of these returns one row, or one for each topic or level. For sql see the tests with the engine.
	single := map[string]bool{"count": true, "resource": true, "health": true, "quality": true, "sql": true}
	for _, typ := range Types {
		if single[typ] {
			continue
		}
		db := &lastQuery{}
		of := cmp.Or(map[string]string{"distribution": "calls"}[typ], "agents")
		q := &question{Query: Query{Type: typ, Run: "task-7", Of: of, Limit: 7}, db: db, from: time.Unix(0, 0),
			to: time.Unix(3600, 0), step: time.Minute}
		if _, err := answer(t.Context(), q); !errors.Is(err, errAsked) || !strings.Contains(db.sql, "LIMIT ") {
			t.Errorf("%s: %v, %q", typ, err, db.sql)
		}
	}
}

func TestMoreRowsThanTheLimitAreSaidSo(t *testing.T) {
	rows := []query.BreakerChange{{Scope: "1"}, {Scope: "2"}, {Scope: "3"}}
	for limit, wanted := range map[int]int{2: 2, 3: 3} {
		f := breakersFrame(rows, limit)
		if f.Rows() != wanted || (len(f.Meta.Notices) == 1) != (limit == 2) {
			t.Errorf("limit %d: %d rows, notices %v", limit, f.Rows(), f.Meta.Notices)
		}
	}
	if f := runsFrame(nil, 5, false); f.Rows() != 0 || len(f.Fields) == 0 || len(f.Meta.Notices) != 1 {
		t.Error("a frame without rows has no fields, or no sentence")
	}
	f := runsFrame([]query.RankedRun{{}}, 5, false)
	for _, name := range []string{"score", "denied", "failed", "irreversible"} {
		if field, _ := f.FieldByName(name); field.At(0).(*float64) != nil {
			t.Errorf("%s that is not known is a number", name)
		}
	}
}

// The caveats of a report are shown with it, so that an incomplete report is recognisable.
func TestCaveatsOfAReportAreNotices(t *testing.T) {
	f := touchedFrame(&query.Touched{Caveats: []string{"late_data: 3 calls"}, Resources: []query.TouchedResource{{Resource: "order:7",
		Method: "GET", Route: "/orders/{id}"}}}, 10)
	if len(f.Meta.Notices) != 1 || f.Meta.Notices[0].Text != "late_data: 3 calls" || f.Meta.Notices[0].Severity != data.NoticeSeverityWarning {
		t.Errorf("%+v", f.Meta.Notices)
	}
	if route, _ := f.FieldByName("route"); route.At(0) != "GET /orders/{id}" {
		t.Errorf("route %v", route.At(0))
	}
}

// The span of the run covers all of its calls, also those that the trace leaves out, and every attribute that says what a call did is at
// its span.
func TestTraceHidesWhatACallDid(t *testing.T) {
	at := time.UnixMilli(1_000_000)
	score := 7.5
	trace := &query.RunTrace{Calls: 300, First: at, Last: at.Add(5 * time.Minute), Spans: []query.Span{
		{ID: "a", Start: at, DurationNs: 5e9, Outcome: "ok"},
		{ID: "b", Start: at.Add(time.Second), Outcome: "denied", Status: 403, Path: "/orders/7\x1b[2K", Resources: []string{"order:7"},
			Reversibility: "irreversible", Score: &score}},
		Events: []query.RunEvent{{At: at, Kind: "finding", Name: "loop", Level: "trip", Text: "deletes <b>\u202e"}}}
	f := traceFrame(&query.Run{RunID: "r-1", AgentID: "team/bot"}, trace)
	get := func(field string, row int) any {
		v, _ := f.FieldByName(field)
		switch n := v.At(row).(type) {
		case *float64:
			return *n
		case json.RawMessage:
			return string(n)
		default:
			return n
		}
	}
	if f.Rows() != 3 || get("spanID", 0) != "run" || get("startTime", 0) != 1e6 || get("duration", 0) != 300_000.0 ||
		get("parentSpanID", 0) != "" {
		t.Errorf("the run's span: %v %v %v", get("spanID", 0), get("startTime", 0), get("duration", 0))
	}
	if get("parentSpanID", 1) != "run" || get("statusCode", 1) != 0.0 || get("statusCode", 2) != 2.0 || get("statusMessage",
		2) != "denied 403" {
		t.Errorf("spans of calls: %v %v %v", get("parentSpanID", 1), get("statusCode", 2), get("statusMessage", 2))
	}
	tags, logs := get("tags", 2).(string), get("logs", 0).(string)
	for _, want := range []string{"/orders/7\\\\x1b[2K", `"order:7"`, `"irreversible"`, `7.5`} {
		if !strings.Contains(tags, want) {
			t.Errorf("%s is not in %s", want, tags)
		}
	}
	if !strings.Contains(logs, `"loop"`) || strings.Contains(logs, "\u202e") || get("logs", 1) != "[]" {
		t.Errorf("events: %s", logs)
	}
	if len(f.Meta.Notices) != 1 || !strings.HasPrefix(f.Meta.Notices[0].Text, "298 of 300 calls are left out") {
		t.Errorf("notices: %v", f.Meta.Notices)
	}
	if f := traceFrame(&query.Run{}, &query.RunTrace{}); f.Rows() != 0 {
		t.Error("a run without calls has a span")
	}
}

// No line is drawn over a time without calls.
func TestGapIsInterpolated(t *testing.T) {
	at := time.Unix(6000, 0)
	s := &query.CallSeries{By: "outcome", Step: time.Minute}
	f := callsFrame(s, []string{"ok", "denied"}, []query.SeriesPoint{{At: at, Values: []uint64{1, 0}},
		{At: at.Add(time.Minute), Values: []uint64{2, 1}}, {At: at.Add(time.Hour), Values: []uint64{3, 0}}})
	if f.Rows() != 5 {
		t.Fatalf("%d rows, want 3 with calls and 2 without", f.Rows())
	}
	for row, want := range []bool{false, false, true, true, false} {
		if got := f.Fields[1].At(row).(*float64) == nil; got != want {
			t.Errorf("row %d is without a value: %t", row, got)
		}
	}
	if f.Fields[1].Labels["outcome"] != "ok" || f.Fields[2].Labels["outcome"] != "denied" ||
		f.TimeSeriesSchema().Type != data.TimeSeriesTypeWide {
		t.Errorf("labels %v, %v", f.Fields[1].Labels, f.Fields[2].Labels)
	}
}

// Grafana's alerting refuses a frame in which two numbers have the same labels.
func TestCountsHaveTheSameLabels(t *testing.T) {
	q := &question{Query: Query{Of: "findings", By: "agent", Limit: 10}}
	f := countFrame(q, "", map[string]uint64{"a": 1, "b": 2, "evil\u202e": 3, `evil\u202e`: 4})
	seen := map[string]bool{}
	for _, field := range f.Fields {
		if k := field.Labels.String(); seen[k] {
			t.Errorf("two have the labels %s", k)
		} else {
			seen[k] = true
		}
	}
	if len(f.Fields) != 3 || *f.Fields[0].At(0).(*float64) != 7 {
		t.Errorf("%d fields, first %v", len(f.Fields), f.Fields[0].At(0))
	}
	if name := f.Fields[2].Config.DisplayNameFromDS; name != "a" {
		t.Errorf("the number of a is shown as %q", name)
	}
	if f := countFrame(q, "", nil); len(f.Fields) != 1 || *f.Fields[0].At(0).(*float64) != 0 {
		t.Error("nothing is no number")
	}
}

// What a run could not do is apart from what it did, in the table and in the graph.
func TestDeniedDeleteLooksDone(t *testing.T) {
	report := &query.Touched{Subject: query.Subject{Kind: "run", Value: "r"}, Calls: 5, Resources: []query.TouchedResource{
		{Resource: "order:7", Method: "DELETE", Route: "/orders/{id}", Reversibility: "irreversible", Effect: "delete", Calls: 4,
			OK: 1, Denied: 3},
		{Resource: "order:8", Method: "DELETE", Route: "/orders/{id}", Reversibility: "irreversible", Effect: "delete", Calls: 1,
			Failed: 1}}}
	f := touchedFrame(report, 10)
	for name, want := range map[string]float64{"ok": 1, "denied": 3, "failed": 0} {
		field, _ := f.FieldByName(name)
		if got := *field.At(0).(*float64); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	at := query.Place{Name: "orders"}
	reach := &query.Reach{Report: report, Services: []query.ReachedService{{Place: at, Calls: 5, Resources: 2,
		Reached: query.Reached{Done: map[string]uint64{"irreversible": 1}, Failed: 1, Denied: 3}}},
		Pairs: []query.ReachedResource{{Place: at, Resource: "order:7", Effect: "delete", Reversibility: "irreversible",
			Reached: query.Reached{Done: map[string]uint64{"irreversible": 1}, Denied: 3}},
			{Place: at, Resource: "order:8", Effect: "delete", Reversibility: "irreversible", Reached: query.Reached{Failed: 1}}}}
	graph := graphFrames(reach)
	denied, _ := graph[0].FieldByName("arc__denied")
	done, _ := graph[0].FieldByName("arc__irreversible")
	id, _ := graph[0].FieldByName("id")
	if graph[0].Rows() != 4 || id.At(2) != "resource order:7" || *denied.At(2).(*float64) != .75 || *done.At(2).(*float64) != .25 ||
		*done.At(3).(*float64) != 0 || graph[1].Rows() != 3 {
		t.Errorf("nodes %v, edges %v", graph[0].Rows(), graph[1].Rows())
	}
	reach.Pairs = reach.Pairs[:1]
	cut := graphFrames(reach)
	title, _ := cut[0].FieldByName("title")
	failed, _ := cut[0].FieldByName("arc__failed")
	if cut[0].Rows() != 4 || title.At(3) != "1 more resource" || *failed.At(3).(*float64) != 1 || len(cut[0].Meta.Notices) != 1 {
		t.Errorf("a graph that leaves out resources does not say which: %v", cut[0])
	}
}

// The graph is drawn beside tables: a colour must have one meaning.
func TestGraphHasOtherColoursThanTheDashboards(t *testing.T) {
	text, err := os.ReadFile("../boards/palette.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arcs {
		name := regexp.MustCompile(`"` + a.name + `": (\w+)`).FindSubmatch(text)
		if name == nil || !regexp.MustCompile(`(?m)^\t`+string(name[1])+` += "`+a.color+`"`).Match(text) {
			t.Errorf("%s is %s in the graph, and another colour on the dashboards", a.name, a.color)
		}
	}
}

func TestFindingHidesThatTheCallerIsAStranger(t *testing.T) {
	f := findingsFrame([]query.Finding{{Acquaintance: "new_population"}, {}}, nil, 5)
	caller, _ := f.FieldByName("caller")
	if caller == nil ||
		caller.At(0) != "a stranger: nobody has learned this population yet" || caller.At(1) != "" {
		t.Errorf("%v", caller)
	}
}

// A rate of 0 is the rarest possible. Where nothing was learned, and for findings of a rule, there is none; no number has an exponent.
func TestFindingWithoutARateIsTheRarest(t *testing.T) {
	f := findingsFrame([]query.Finding{{ExpectedOf: "nothing_learned"}, {}, {ExpectedOf: "populations", ExpectedRuns: 750,
		ExpectedRate: 1.42e-232}, {ExpectedOf: "own", ExpectedRuns: 2500, ExpectedRate: .004}}, nil, 5)
	clean, _ := f.FieldByName("clean runs")
	for i, want := range []string{"nothing learned", "", "< 1 in 750", "1 in 250"} {
		if clean.At(i) != want {
			t.Errorf("row %d: %q, want %q", i, clean.At(i), want)
		}
	}
}

func TestMacroIsNotReplaced(t *testing.T) {
	q := &question{Query: Query{SQL: "SELECT $__timeFilter(start_time), $__timeFrom, $__timeTo(), toStartOfInterval(t, $__interval)"},
		from: time.UnixMilli(1000), to: time.UnixMilli(2000), step: 90 * time.Second}
	const want = "SELECT (start_time >= fromUnixTimestamp64Milli(1000, 'UTC') AND start_time <= fromUnixTimestamp64Milli(2000, 'UTC')), " +
		"fromUnixTimestamp64Milli(1000, 'UTC'), fromUnixTimestamp64Milli(2000, 'UTC'), toStartOfInterval(t, INTERVAL 90 SECOND)"
	if got := expand(q); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// A statement reads every tenant: a data source of one tenant does not execute any.
func TestStatementReadsAnotherTenant(t *testing.T) {
	d := refusingServer(t)
	d.tenant = "acme"
	for _, raw := range []string{`{"queryType":"sql","sql":"SELECT * FROM calls"}`, `{"queryType":"health"}`,
		`{"queryType":"count","of":"dead_letters"}`} {
		resp, _ := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(raw)}}})
		if r := resp.Responses["A"]; r.Status != backend.StatusBadRequest || len(r.Frames) > 0 {
			t.Errorf("%s: %v, status %d", raw, r.Error, r.Status)
		}
	}
}

func TestNumbersOfAStatementAreTexts(t *testing.T) {
	at := time.Unix(7, 0)
	f := gridFrame(&query.Grid{Columns: []string{"n", "t", "s", "mixed\u202e"}, Rows: [][]any{{uint64(7), at, "a\x1b", int8(1)},
		{nil, nil, nil, "x"}}}, 10)
	if *f.Fields[0].At(0).(*float64) != 7 || f.Fields[0].At(1).(*float64) != nil || !f.Fields[1].At(0).(*time.Time).Equal(at) ||
		*f.Fields[2].At(0).(*string) != `a\x1b` || *f.Fields[3].At(0).(*string) != "1" || strings.Contains(f.Fields[3].Name, "\u202e") {
		t.Errorf("%v", f)
	}
}

// Each kind of failure has a status of its own, and a text that says what to do.
func TestFailuresLookTheSame(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status backend.Status
		text   string
	}{
		{invalidf("limit: -1"), backend.StatusBadRequest, "limit: -1"},
		{fmt.Errorf("read runs: %w", &query.Exceeded{Bound: query.TimeBound}), http.StatusGatewayTimeout, "choose a shorter time range"},
		{fmt.Errorf("read runs: %w", context.Canceled), 499, "cancelled"},
		{errAsked, backend.StatusInternal, "asked"},
	} {
		if r := failure(tc.err); r.Status != tc.status || !strings.Contains(r.Error.Error(), tc.text) {
			t.Errorf("%v: status %d, %v", tc.err, r.Status, r.Error)
		}
	}
}
