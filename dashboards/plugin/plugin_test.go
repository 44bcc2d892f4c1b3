package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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
		"no run":      `{"queryType":"trace"}`,
		"touched":     `{"queryType":"touched"}`,
		"of database": `{"queryType":"runs"}`,
	}
	wanted := map[string]string{"no JSON": "query:", "no type": "is none of runs, findings", "level": "minLevel", "limit": "limit: 5001",
		"negative": "limit: -1",
		"no run":   "run: empty", "touched": "run: empty", "of database": "does not exist"}
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

var errAsked = errors.New("asked")

// lastQuery is a database that stores the text of the last query and rejects it.
type lastQuery struct{ sql string }

func (l *lastQuery) Query(_ context.Context, sql string, _ ...any) (driver.Rows, error) {
	l.sql = sql
	return nil, errAsked
}

// Each panel limits the rows that it reads, for any query.
func TestEveryPanelIsBounded(t *testing.T) {
	for _, typ := range Types {
		for limit, want := range map[int]string{0: fmt.Sprint("LIMIT ", defaultLimit+1), 7: "LIMIT 8"} {
			db := &lastQuery{}
			_, err := answer(t.Context(), db, Query{Type: typ, Run: "task-7", Limit: limit}, time.Unix(0, 0), time.Unix(3600, 0), time.Minute)
			switch typ {
			case "calls":
				want = fmt.Sprint("LIMIT ", maxPoints+1)
			case "trace", "touched": // the first query looks up the run
				want = "LIMIT 50"
			}
			if !errors.Is(err, errAsked) || !strings.Contains(db.sql, want) {
				t.Errorf("%s, limit %d: %v, %q", typ, limit, err, db.sql)
			}
		}
	}
}

func TestMoreRowsThanTheLimitAreSaidSo(t *testing.T) {
	rows := []query.Run{{RunID: "1"}, {RunID: "2"}, {RunID: "3"}}
	for limit, wanted := range map[int]int{2: 2, 3: 3} {
		f := runsFrame(rows, limit)
		if f.Rows() != wanted || (len(f.Meta.Notices) == 1) != (limit == 2) {
			t.Errorf("limit %d: %d rows, notices %v", limit, f.Rows(), f.Meta.Notices)
		}
	}
	if f := runsFrame(nil, 5); f.Rows() != 0 || len(f.Fields) == 0 {
		t.Error("a frame without rows has no fields")
	}
	score, _ := runsFrame([]query.Run{{}}, 5).FieldByName("score")
	if score.At(0).(*float64) != nil {
		t.Error("an unknown score is a number")
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

// The span of the run covers all of its calls; the call that ends last is not always the one
// that starts last.
func TestSpanOfTheRunCoversItsCalls(t *testing.T) {
	at := time.UnixMilli(1_000_000)
	f := traceFrame("r-1", []query.Span{{ID: "a", Start: at, DurationNs: 5e9, Outcome: "ok"}, {ID: "b", Start: at.Add(time.Second),
		Outcome: "denied", Status: 403}}, 10)
	get := func(field string, row int) any {
		v, _ := f.FieldByName(field)
		if n, ok := v.At(row).(*float64); ok {
			return *n
		}
		return v.At(row)
	}
	if f.Rows() != 3 || get("spanID", 0) != "run" || get("startTime", 0) != 1e6 || get("duration", 0) != 5000.0 || get("parentSpanID",
		0) != "" {
		t.Errorf("the run's span: %v %v %v", get("spanID", 0), get("startTime", 0), get("duration", 0))
	}
	if get("parentSpanID", 1) != "run" || get("statusCode", 1) != 0.0 || get("statusCode", 2) != 2.0 || get("statusMessage",
		2) != "denied 403" {
		t.Errorf("spans of calls: %v %v %v", get("parentSpanID", 1), get("statusCode", 2), get("statusMessage", 2))
	}
	if f := traceFrame("r-1", nil, 10); f.Rows() != 0 {
		t.Error("a run without calls has a span")
	}
}

func TestFindingHidesThatTheCallerIsAStranger(t *testing.T) {
	f := findingsFrame([]query.Finding{{Acquaintance: "new_population"}, {}}, 5)
	caller, _ := f.FieldByName("caller")
	if caller == nil ||
		caller.At(0) != "a stranger: nobody has learned this population yet" || caller.At(1) != "" {
		t.Errorf("%v", caller)
	}
}

// A rate of 0 is the rarest possible. Where nothing was learned, and for findings of a rule, there is none.
func TestFindingWithoutARateIsTheRarest(t *testing.T) {
	f := findingsFrame([]query.Finding{{ExpectedOf: "nothing_learned"}, {}, {ExpectedOf: "populations", ExpectedRuns: 750},
		{ExpectedOf: "own", ExpectedRuns: 2500, ExpectedRate: .004}}, 5)
	rate, _ := f.FieldByName("expected rate")
	clean, _ := f.FieldByName("clean runs")
	if rate == nil || clean == nil {
		t.Fatal("a field is missing")
	}
	for i, want := range []string{"nothing learned", "-", "< 1 in 750", "1 in 250"} {
		if got := rate.At(i).(*float64); (got == nil) != (i < 2) || clean.At(i) != want {
			t.Errorf("row %d: rate %v, %q, want %q", i, got, clean.At(i), want)
		}
	}
}
