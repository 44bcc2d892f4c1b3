package api

import (
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
	for agent, want := range map[string]string{"": "it matches 1 of the 1 open incidents", "billing/bto": "it matches none of the 1 open incidents"} {
		got := (&silences{h.server}).metIncidents("t", &schema.Matchers{Agent: agent})
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
