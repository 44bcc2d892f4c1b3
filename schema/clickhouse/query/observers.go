package query

import (
	"fmt"
	"slices"
)

// The kinds of observers, most reliable first: onAnswer for status and times, onCaller
// for the caller and the tool.
var (
	onAnswer = []string{"server", "tool_server", "gateway", "sidecar", "client", "agent_runtime", "audit"}
	onCaller = []string{"agent_runtime", "client", "server", "tool_server", "gateway", "sidecar", "audit"}
)

// fieldsOfAnswer are taken from the best observer by onAnswer, fieldsOfCaller from the
// best by onCaller.
var fieldsOfAnswer = []string{"status", "outcome", "duration_ns", "start_time", "bytes_in", "bytes_out", "error_type", "error_message"}

var fieldsOfCaller = []string{"agent_id", "agent_name", "agent_version", "tool_name", "tool_call_id", "mcp_method", "model_requested",
	"model_used", "task_id", "conversation_id", "principal_id"}

// mergeObservations merges the rows of several observers for one call into the counted row,
// with each field from the most reliable observer, and with the list of observers. A row stays
// separate if its counted row is not among the rows, has another path, or lacks a resource of
// the row.
func mergeObservations(rows []map[string]any) []map[string]any {
	counted := map[string]map[string]any{}
	for _, r := range rows {
		if observationOf(r) == "" {
			counted[text(r, "record_id")] = r
		}
	}
	seen := map[string][]map[string]any{}
	var out []map[string]any
	for _, r := range rows {
		of := observationOf(r)
		if of == "" || counted[of] == nil || !within(r, counted[of]) {
			out = append(out, r)
			continue
		}
		seen[of] = append(seen[of], r)
	}
	for of, others := range seen {
		fold(counted[of], others)
	}
	return out
}

// within reports whether a row has the same path as the counted row and no further resource.
func within(r, counted map[string]any) bool {
	if text(r, "path") != text(counted, "path") && r["path"] != nil && counted["path"] != nil {
		return false
	}
	named, _ := counted["resources"].([]string)
	more, _ := r["resources"].([]string)
	return !slices.ContainsFunc(more, func(v string) bool { return !slices.Contains(named, v) })
}

func observationOf(r map[string]any) string {
	attrs, _ := r["attrs"].(map[string]string)
	return attrs["observation_of"]
}

func fold(call map[string]any, others []map[string]any) {
	all := append([]map[string]any{call}, others...)
	observers := []string{}
	for _, r := range all {
		observers = append(observers, producer(r))
	}
	best := func(ranks, names []string) {
		order := slices.Clone(all)
		slices.SortStableFunc(order, func(a, b map[string]any) int { return rank(ranks, a) - rank(ranks, b) })
		for _, name := range names {
			for _, r := range order {
				if v, ok := r[name]; ok {
					call[name] = v
					break
				}
			}
		}
	}
	best(onAnswer, fieldsOfAnswer)
	best(onCaller, fieldsOfCaller)
	for _, r := range others {
		for name, v := range r {
			if _, ok := call[name]; !ok {
				call[name] = v
			}
		}
	}
	call["observers"] = observers
}

func rank(ranks []string, r map[string]any) int {
	if i := slices.Index(ranks, fmt.Sprint(r["observer_kind"])); i >= 0 {
		return i
	}
	return len(ranks)
}
