package plugin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

func runStatement(ctx context.Context, d *Datasource, user *backend.User) backend.DataResponse {
	resp, err := d.QueryData(ctx, &backend.QueryDataRequest{PluginContext: backend.PluginContext{User: user},
		Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(`{"queryType":"sql","sql":"SELECT 1 FROM calls"}`)}}})
	if err != nil {
		return backend.ErrDataResponse(backend.StatusInternal, err.Error())
	}
	return resp.Responses["A"]
}

// Who may run statements is decided in adr/0001. Status 502 here is a statement that was sent to a database that is away.
func TestViewerRunsAStatementThatIsNotForViewers(t *testing.T) {
	const runs, refused, bound = backend.StatusBadGateway, backend.StatusForbidden, backend.StatusBadRequest
	for _, tc := range []struct {
		settings                       string
		viewer, editor, nobody, noRole backend.Status
	}{
		{`{"addr":"127.0.0.1:1"}`, runs, runs, runs, runs},
		{`{"addr":"127.0.0.1:1","sql":"see"}`, runs, runs, runs, runs},
		{`{"addr":"127.0.0.1:1","sql":"respond"}`, refused, runs, runs, refused},
		{`{"addr":"127.0.0.1:1","sql":"bypass"}`, refused, refused, runs, refused},
		{`{"addr":"127.0.0.1:1","sql":"none"}`, refused, refused, refused, refused},
		{`{"addr":"127.0.0.1:1","sql":"respond","roles":{"Viewer":"respond"}}`, runs, runs, runs, runs},
		{`{"addr":"127.0.0.1:1","roles":{"Viewer":"none"}}`, refused, runs, runs, refused},
		{`{"addr":"127.0.0.1:1","tenant":"acme"}`, bound, bound, bound, bound},
		{`{"addr":"127.0.0.1:1","tenant":"acme","sql":"respond"}`, refused, bound, bound, refused},
		{`{"addr":"127.0.0.1:1","sql":"root"}`, bound, bound, bound, bound},
	} {
		d := made(t, tc.settings)
		for user, want := range map[*backend.User]backend.Status{{Role: "Viewer"}: tc.viewer, {Role: "Editor"}: tc.editor, nil: tc.nobody,
			{}: tc.noRole} {
			r := runStatement(t.Context(), d, user)
			if r.Status != want || r.Error == nil || want == refused && !strings.Contains(r.Error.Error(), "sql") &&
				!strings.Contains(r.Error.Error(), "roles") {
				t.Errorf("%s, %+v: status %d, %v, want %d", tc.settings, user, r.Status, r.Error, want)
			}
		}
	}
}

// A person who sends statement after statement must not keep the database from everybody else.
func TestStatementsWithoutNumberRunAtTheSameTime(t *testing.T) {
	var now, most atomic.Int64
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		http.Error(w, "away", http.StatusBadGateway)
	}))
	t.Cleanup(slow.Close)
	d := datasourceAt(t, strings.TrimPrefix(slow.URL, "http://"))
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() { runStatement(context.Background(), d, nil) })
	}
	for end := time.Now().Add(20 * time.Second); now.Load() < maxStatements && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r := runStatement(ctx, d, nil); r.Error == nil || now.Load() != maxStatements {
		t.Errorf("%v, %d at the same time", r.Error, now.Load())
	}
	close(release)
	all.Wait()
	if most.Load() > maxStatements {
		t.Errorf("%d statements at the same time, at most %d", most.Load(), maxStatements)
	}
}

// Grafana's rules take series or numbers with labels of their own, and refuse a table.
func TestStatementCannotBeAlertedOn(t *testing.T) {
	at := time.Unix(60, 0)
	long := func() [][]any {
		return [][]any{{at.Add(time.Minute), "ok", 3.0}, {at, "ok", 1.0}, {at, "denied", 2.0}, {nil, "ok", 9.0}}
	}
	for name, tc := range map[string]struct {
		columns []string
		rows    [][]any
		want    string
	}{
		"long":          {[]string{"t", "outcome", "n"}, long(), "t: 60 120 | n{outcome=ok}: 1 3 | n{outcome=denied}: 2 -"},
		"wide":          {[]string{"t", "a", "b"}, [][]any{{at, 1.0, nil}}, "t: 60 | a{column=a}: 1 | b{column=b}: -"},
		"one number":    {[]string{"n"}, [][]any{{7.0}}, "n{}: 7"},
		"numbers":       {[]string{"agent", "n"}, [][]any{{"a", 7.0}, {nil, 8.0}}, "n{agent=a}: 7 | n{}: 8"},
		"nothing":       {[]string{"n"}, nil, ""},
		"no number":     {[]string{"agent"}, [][]any{{"a"}}, "sql: the statement has no column of numbers"},
		"twice":         {[]string{"agent", "n"}, [][]any{{"a", 7.0}, {"a", 8.0}}, "sql: two rows have the labels {agent=a}"},
		"twice at once": {[]string{"t", "outcome", "n"}, append(long(), []any{at, "ok", 4.0}), "sql: two rows have the labels {outcome=ok}"},
	} {
		f, err := seriesOfGrid(gridFrame(&query.Grid{Columns: tc.columns, Rows: tc.rows}, 10))
		got := fmt.Sprint(err)
		if err == nil {
			got = seriesText(f)
		}
		if !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	many := make([][]any, maxGridSeries+1)
	for i := range many {
		many[i] = []any{fmt.Sprint(i), 1.0}
	}
	if _, err := seriesOfGrid(gridFrame(&query.Grid{Columns: []string{"agent", "n"}, Rows: many}, len(many))); err == nil {
		t.Error("any number of series is an answer")
	}
}

func seriesText(f *data.Frame) string {
	var out []string
	for _, field := range f.Fields {
		text := field.Name
		if !field.Type().Time() {
			text += "{" + field.Labels.String() + "}"
		}
		text += ":"
		for i := range field.Len() {
			switch v, ok := field.ConcreteAt(i); at := v.(type) {
			case time.Time:
				text += fmt.Sprint(" ", at.Unix())
			default:
				text += map[bool]string{true: fmt.Sprint(" ", v), false: " -"}[ok]
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, " | ")
}
