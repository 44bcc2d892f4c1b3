package plugin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
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
