package main

import (
	"encoding/json"
	"strings"
	"testing"

	"flyball/schema/clickhouse/query"
)

// The period of a command may end now: it is another one when the next page is asked for, and the question the same. A period of another
// length is another question.
func TestNextPageOfAPeriodThatEndsNowIsRefused(t *testing.T) {
	f := newFixture(t, "")
	route := func(name string) []any {
		return []any{"GET", name, "", "", "log", "read", "method", "irreversible", "method", uint64(1), uint64(9), uint64(0), uint64(0),
			at("2026-11-20 10:00:00"), false}
	}
	f.db = fakeDB{{in: "AS undeclared", rows: [][]any{route("/a"), route("/b")}}}
	page := func(args ...string) query.Page[query.RouteRow] {
		t.Helper()
		code, stdout, stderr := f.run(append(args, "--limit", "1", "-o", "json")...)
		var v query.Page[query.RouteRow]
		if err := json.Unmarshal([]byte(stdout), &v); err != nil || code != 0 || v.Next == "" {
			t.Fatalf("%q: status %d, %v, %s%s", args, code, err, stdout, stderr)
		}
		return v
	}
	next := page("routes", "--after", "").Next
	third := page("routes", "--after", next).Next
	page("routes", "--since", "24h", "--after", third) // the default
	fixed := page("routes", "--since", "2026-11-20T00:00:00Z", "--after", "").Next
	page("routes", "--since", "2026-11-20T01:00:00+01:00", "--after", fixed)
	for _, args := range [][]string{{"routes", "--since", "6h", "--after", next}, {"routes", "--until", "1h", "--after", next},
		{"routes", "--since", "2026-11-20T00:00:00Z", "--after", next}, {"findings", "--since", "24h", "--after", next}} {
		code, _, stderr := f.run(args...)
		if code == 0 || !strings.Contains(stderr, "ask for the first page again") {
			t.Errorf("%q: status %d, %s", args[:len(args)-1], code, stderr)
		}
	}
}
