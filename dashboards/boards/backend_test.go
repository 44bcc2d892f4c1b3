package boards

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
)

// The back end answers a query that it does not know, or with a word that it does not know, with
// status 400. A database that refuses every statement shows that nothing else is wrong.
func TestBackEndRefusesAQueryOfADashboard(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-ClickHouse-Exception-Code", "60")
		http.Error(w, "Code: 60. DB::Exception: Table flyball.calls does not exist", http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	settings, _ := json.Marshal(map[string]string{"addr": strings.TrimPrefix(s.URL, "http://")})
	d, err := plugin.New(t.Context(), backend.DataSourceInstanceSettings{Name: "test", JSONData: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.(*plugin.Datasource).Dispose)
	values := strings.NewReplacer("${agent}", "a", "${run}", "r", "${resource}", "order:7")
	for _, b := range All() {
		for _, q := range b.Queries() {
			raw, err := json.Marshal(q)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := d.(*plugin.Datasource).QueryData(t.Context(), &backend.QueryDataRequest{
				Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(values.Replace(string(raw)))}}})
			if err != nil {
				t.Fatal(err)
			}
			if r := resp.Responses["A"]; r.Status == backend.StatusBadRequest {
				t.Errorf("%s: %s: %v", b.UID, raw, r.Error)
			}
		}
	}
}
