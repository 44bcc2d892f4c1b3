package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// The points keep silences in their own topic. When flyball.alerts is lost, the role alert has none of them, and people are notified.
func TestSilenceOfALostTopicIsListedAsApplied(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).UnixNano()
	all := []schema.Silence{{ID: "s_1", Tenant: "t", At: at}}
	later, soon := at+int64(time.Hour), at+int64(time.Second)
	for name, tc := range map[string]struct {
		applied []string
		clock   int64
		want    string
	}{
		"the role alert has it":           {[]string{"s_0", "s_1"}, later, "true"},
		"the topic was lost":              {nil, later, "false"},
		"it began a moment ago":           {nil, soon, "not known"},
		"the role alert is still loading": {nil, 0, "not known"},
	} {
		got := "not known"
		if in := silenceLines(all, tc.applied, tc.clock)[0].Applied; in != nil {
			got = map[bool]string{true: "true", false: "false"}[*in]
		}
		if got != tc.want {
			t.Errorf("%s: applied is %s, want %s", name, got, tc.want)
		}
	}
}

// A silence of a misspelt name was accepted without a word, and people were notified as before.
func TestSilenceThatMatchesNothingIsNotNamed(t *testing.T) {
	h := newAPI(t, func(*enforcetest.Options) {})
	h.server.o.Incidents = opened{time.Now()}
	for agent, want := range map[string]string{"": "it matches 1 of the 1 open incidents",
		"billing/bto": "it matches none of the 1 open incidents"} {
		got := (&silences{h.server}).metIncidents("t", &schema.Matchers{Agent: agent})
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}

// many is a number of open incidents.
type many struct {
	opened
	n int
}

func (m many) List(string) ([]IncidentLine, error) { return make([]IncidentLine, m.n), nil }

// A hundred thousand open incidents made an answer of a hundred megabytes, of which commands read 32: alert list said "unexpected end of
// JSON input".
func TestHundredThousandIncidentsAreOneAnswer(t *testing.T) {
	h := newAPI(t, func(*enforcetest.Options) {})
	h.server.o.Incidents = many{n: 100_000}
	for query, want := range map[string]int{"": maxListedIncidents, "?limit=7": 7, "?limit=0": -1, "?limit=10001": -1, "?limit=x": -1} {
		w := enforcetest.Serve(h, "GET", "/v1/incidents"+query, "", "Host", "127.0.0.1")
		var lines []IncidentLine
		err := json.Unmarshal(w.Body.Bytes(), &lines)
		if want < 0 && w.Code != http.StatusBadRequest || want >= 0 && (err != nil || len(lines) != want) {
			t.Errorf("%q: HTTP %d, %d lines, want %d (%v)", query, w.Code, len(lines), want, err)
		}
	}
}
