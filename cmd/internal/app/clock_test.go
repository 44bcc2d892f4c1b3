package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/doctor"
)

// With TLS on the control API the clock of the process was not looked at.
func TestClockThatIsAnHourOffIsNotNamed(t *testing.T) {
	for off, want := range map[time.Duration]string{time.Hour: "ahead of this machine's", -time.Hour: "behind this machine's", 0: ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			_ = json.NewEncoder(w).Encode(ProcessStatus{})
		}))
		defer server.Close()
		c := config.Default()
		c.Metrics.Listen, c.Control.TLS.Cert = strings.TrimPrefix(server.URL, "http://"), "set"
		found := ""
		for _, f := range doctor.Examine(&doctor.Facts{Now: time.Now(), Process: processFacts(t.Context(), c)}) {
			if f.Reason == "clock_differs" {
				found = f.Found
			}
		}
		if (found != "") != (want != "") || !strings.Contains(found, want) || want != "" && !strings.Contains(found,
			"the clock of the process is 1h0m0s") &&
			!strings.Contains(found, "59m59s") {
			t.Errorf("%s: %q", off, found)
		}
	}
}
