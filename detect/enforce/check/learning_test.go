package check

import (
	"testing"

	"flyball/detect/enforce/enforcetest"
)

// An agent without its own history needs approval for irreversible calls.
func TestAgentThatLearnsMayDoWhatCannotBeUndone(t *testing.T) {
	c := newChecker(t, func(o *enforcetest.Options) {
		o.Armed = func(string, string) bool { return true }
		o.Learning = func(agent string) bool { return agent == "new" || agent == "~old" }
	})
	c.replay()
	for _, tc := range []struct {
		headers map[string]string
		why     string
	}{
		{map[string]string{"X-Consumer": "new", "X-Original-Method": "DELETE", "X-Original-URI": "/v1/orders/1"}, "no_manifest"},
		{map[string]string{"X-Consumer": "new", "X-Original-Method": "GET", "X-Original-URI": "/v1/orders/1"}, ""},
		{map[string]string{"X-Consumer": "old", "X-Original-Method": "DELETE", "X-Original-URI": "/v1/orders/1"}, ""},
		{map[string]string{"X-Agent-Id": "old", "X-Original-Method": "DELETE", "X-Original-URI": "/v1/orders/1"}, "no_manifest"},
	} {
		w := ask(c, tc.headers)
		if (w.Code == 200) != (tc.why == "") {
			t.Errorf("%v: %d %s", tc.headers, w.Code, w.Body)
		}
	}
}
