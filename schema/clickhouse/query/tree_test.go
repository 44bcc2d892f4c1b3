package query

import (
	"fmt"
	"strings"
	"testing"
)

func step(kind, trace, span, parent, what string) map[string]any {
	c := map[string]any{"op_kind": kind, "trace_id": trace, "span_id": span, "parent_span_id": parent, "format": "f/1", "observer": "svc-" +
		kind}
	for k, v := range c {
		if v == "" {
			delete(c, k)
		}
	}
	c[map[string]string{"agent_invoke": "agent_name", "llm": "model_used", "tool": "tool_name", "http": "path"}[kind]] = what
	return c
}

func drawn(lines []TreeLine) string {
	var out []string
	for _, l := range lines {
		out = append(out, strings.Repeat(">", l.Depth)+l.What)
	}
	return strings.Join(out, " | ")
}

func TestTreeFollowsTheSpans(t *testing.T) {
	calls := []map[string]any{
		step("http", "t1", "d", "c", "/orders/7"), // logged before its parents
		step("agent_invoke", "t1", "a", "", "planner"),
		step("llm", "t1", "b", "a", "gpt-4o"),
		step("tool", "t1", "c", "a", "delete_order"),
		step("http", "t2", "", "zz", "/elsewhere"),
	}
	tree := buildTree(calls)
	if got := drawn(tree); got != "agent planner | >model gpt-4o | >tool delete_order | >>/orders/7 | /elsewhere" {
		t.Error(got)
	}
	calls[4]["observer"] = "gateway"
	if got := unplannedProducers(buildTree(calls)); len(got) != 1 || !strings.HasPrefix(got[0], "gateway (f/1): 1 calls") {
		t.Error(got)
	}
}

// Spans in a cycle of parents, and spans that are their own parent, are listed once.
func TestTreeOfACircleEnds(t *testing.T) {
	var calls []map[string]any
	for i := range 50 {
		calls = append(calls, step("tool", "t", fmt.Sprint(i), fmt.Sprint((i+1)%50), "x"))
	}
	calls = append(calls, step("tool", "t", "self", "self", "y"))
	if got := len(buildTree(calls)); got != 51 {
		t.Errorf("%d lines", got)
	}
}
