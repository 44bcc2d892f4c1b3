package clickhouse

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A row that is stored after the rows of a table of version 4 were counted is not dropped with the table, also in a cluster: nobody can
// store rows any more when it is decided that the table is empty.
func TestRowStoredAfterTheCountIsDroppedWithItsTable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0\n") }))
	defer server.Close()
	conn, err := Open(Options{Addrs: []string{server.Listener.Addr().String()}, Database: "flyball"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for cluster, want := range map[string]int{"": 1, "c": 2} {
		o := MigrateOptions{Target: Target{Database: "flyball", Cluster: cluster}, Retention: &Retention{}, Now: time.Now()}
		live := &liveSchema{made: o.Now.Add(-2 * legacyQuiet), columns: map[string]map[string]string{}}
		r := rendering{Target: o.Target, keeps: map[string]bool{}}
		for name := range legacyTables {
			live.columns[name], r.keeps[name] = map[string]string{}, true
		}
		drops, err := live.withoutLegacy(t.Context(), conn, o, &r)
		if err != nil || len(drops) != len(legacyTables) {
			t.Fatalf("%d drops, %v", len(drops), err)
		}
		for _, d := range drops {
			last := d.Statements[len(d.Statements)-1]
			if len(d.Statements) != want || !strings.Contains(last, " IF EMPTY ") || cluster != "" && !strings.Contains(last, localSuffix) {
				t.Errorf("cluster %q: %q", cluster, d.Statements)
			}
		}
	}
}
