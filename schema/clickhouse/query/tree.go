package query

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// TreeLine is a span of a run in the tree of its spans: an agent's step, a call of a
// model, the use of a tool, or a call.
type TreeLine struct {
	Depth  int    `json:"depth"`
	Kind   string `json:"kind"` // agent, model, tool, call
	What   string `json:"what"`
	Status string `json:"status,omitempty"`
	At     Time   `json:"at"`
	RunID  string `json:"run_id"`
	SpanID string `json:"span_id"`
	By     string `json:"by"` // producer that logged it
}

// kindOf returns the TreeLine.Kind of a call.
func kindOf(c map[string]any) string {
	switch op := fmt.Sprint(c["op_kind"]); op {
	case "agent_invoke":
		return "agent"
	case "llm":
		return "model"
	case "tool", "mcp":
		return "tool"
	}
	return "call"
}

func text(c map[string]any, key string) string {
	if v, ok := c[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// buildTree orders calls by their spans: a call is below the call whose span is its parent.
// Calls without a span, or with a parent that is not among the calls, are at the top level, in
// the order of time. Calls in a cycle of parents (a client can send one; tracers do not
// produce it) are listed once.
func buildTree(calls []map[string]any) []TreeLine {
	bySpan := map[string]int{}
	for i, c := range calls {
		if s := text(c, "span_id"); s != "" && kindOf(c) != "call" || s != "" && bySpan[text(c, "trace_id")+s] == 0 {
			bySpan[text(c, "trace_id")+s] = i + 1
		}
	}
	below := map[int][]int{}
	var top []int
	for i, c := range calls {
		if p := bySpan[text(c, "trace_id")+text(c, "parent_span_id")]; text(c, "parent_span_id") != "" && p != 0 && p != i+1 {
			below[p-1] = append(below[p-1], i)
		} else {
			top = append(top, i)
		}
	}
	var out []TreeLine
	told := map[int]bool{}
	var walk func(i, depth int)
	walk = func(i, depth int) {
		if told[i] {
			return
		}
		told[i] = true
		out = append(out, line(calls[i], depth))
		for _, k := range below[i] {
			walk(k, depth+1)
		}
	}
	for _, i := range top {
		walk(i, 0)
	}
	for i := range calls { // the remaining calls are in cycles
		walk(i, 0)
	}
	return out
}

func line(c map[string]any, depth int) TreeLine {
	l := TreeLine{Depth: min(depth, 32), Kind: kindOf(c), RunID: text(c, "run_id"), SpanID: text(c, "span_id"), By: producer(c),
		Status: strings.TrimSpace(text(c, "status") + " " + text(c, "outcome"))}
	l.At, _ = c["start_time"].(Time)
	switch l.Kind {
	case "agent":
		l.What = strings.TrimSpace("agent " + cmp.Or(text(c, "agent_name"), text(c, "agent_id")))
	case "model":
		l.What = strings.TrimSpace("model " + cmp.Or(text(c, "model_used"), text(c, "model_requested")))
	case "tool":
		l.What = strings.TrimSpace("tool " + cmp.Or(text(c, "tool_name"), text(c, "mcp_method")))
	default:
		l.What = strings.TrimSpace(text(c, "method") + " " + cmp.Or(text(c, "path"), text(c, "operation")))
	}
	return l
}

func producer(c map[string]any) string {
	return strings.TrimSpace(cmp.Or(text(c, "observer"), text(c, "observer_kind")) + " (" + text(c, "format") + ")")
}

// unplannedProducers returns a sentence for each producer whose calls are not linked to spans
// of the agent: none of them is below a span of an agent, a model or a tool.
func unplannedProducers(tree []TreeLine) []string {
	planned, calls := map[string]bool{}, map[string]int{}
	var above []bool // for each depth: whether a step of the agent is above it
	for _, l := range tree {
		above = append(above[:min(l.Depth, len(above))], l.Kind != "call" || l.Depth > 0 && l.Depth <= len(above) && above[l.Depth-1])
		if l.Kind != "call" || above[len(above)-1] {
			planned[l.By] = true
		}
		calls[l.By]++
	}
	var out []string
	for by, n := range calls {
		if !planned[by] {
			out = append(out, fmt.Sprintf("%s: %d calls, and no span of the agent's own above them: what it planned is not logged", by, n))
		}
	}
	slices.Sort(out)
	return out
}
