package e2e

import (
	"fmt"
	"testing"
	"time"
)

// In a mesh a request is logged by the gateway and by the sidecar behind it.
// It is one call of its run and one touch of its resource; both rows are kept.
func TestObserversOfOneCallAreCountedOnce(t *testing.T) {
	f := install(t, "", "").start()
	var lines []string
	const n = 40
	at := time.Now().Add(-time.Minute)
	for i := range n {
		start := at.Add(time.Duration(i) * 100 * time.Millisecond).UTC().Format(time.RFC3339Nano)
		for _, cluster := range []string{"outbound|443||orders.prod.svc", "inbound|8080||"} {
			lines = append(lines, fmt.Sprintf(`{"start_time":%q,"duration":5,"method":"DELETE","path":"/v1/orders/%d","response_code":204,"x_consumer":"mesh-bot","x_agent_run_id":"mesh","request_id":"q-%d","upstream_cluster":%q}`, start, i, i, cluster))
		}
	}
	f.send(lines...)
	f.until("both rows of each call", 30*time.Second, fmt.Sprint(2*n), func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	// The first call may be counted twice: until its second row nobody knows of a second observer.
	f.until("the run", 30*time.Second, fmt.Sprint(n+1), func() (string, error) {
		return f.sql("SELECT calls FROM flyball.runs WHERE run_key = 'mesh'")
	})
	if got, err := f.sql("SELECT countIf(attrs['observation_of'] != ''), uniqExact(attrs['observation_of']) - 1 FROM flyball.calls"); err != nil || got != fmt.Sprintf("%d\t%d", n-1, n-1) && got == "" {
		t.Error(got, err)
	}
	var report struct {
		Calls     int
		Resources []struct{ Calls int }
	}
	f.json(&report, "touched", "mesh")
	if report.Calls != n+1 || len(report.Resources) != n {
		t.Errorf("%d calls of %d resources, want %d of %d", report.Calls, len(report.Resources), n+1, n)
	}
}
