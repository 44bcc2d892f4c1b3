package query

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
// the row. A row of the check is merged with what it names.
func mergeObservations(rows []map[string]any) []map[string]any {
	counted := map[string]map[string]any{}
	for _, r := range rows {
		if observationOf(r) == "" {
			counted[text(r, "record_id")] = r
		}
	}
	answers := answersOfCheck(rows)
	seen := map[string][]map[string]any{}
	var out []map[string]any
	for _, r := range rows {
		of := observationOf(r)
		if line := answers[text(r, "record_id")]; of == "" && line != nil {
			addResources(line, r)
			of = text(line, "record_id")
		}
		if of != "" && counted[of] != nil && isAsked(counted[of]) {
			addResources(counted[of], r) // a line that came after the row of the check had counted
		}
		if of == "" || counted[of] == nil || !within(r, counted[of]) {
			out = append(out, r)
			continue
		}
		seen[of] = append(seen[of], r)
	}
	for of, others := range seen {
		fold(counted[of], others)
	}
	for _, r := range out {
		delete(r, "counted")
	}
	return out
}

// askedNear is the maximum distance between the starts of a row of the check and of the line of the
// same call.
const askedNear = time.Minute

// answersOfCheck pairs rows of the check with lines, to show each pair as one call. It returns the
// line of each row that has one, by record id: the earliest line that may be of the same request,
// that no other row has taken, and that has the same request id if both have one. Which row of a call
// counts is stored; this is not detect's rule, which also compares spans, and sees other rows.
func answersOfCheck(rows []map[string]any) map[string]map[string]any {
	lines := map[[2]string][]map[string]any{}
	of := func(r map[string]any) [2]string { return [2]string{text(r, "method"), text(r, "path")} }
	for _, r := range rows {
		if !isAsked(r) && observationOf(r) == "" {
			lines[of(r)] = append(lines[of(r)], r)
		}
	}
	answers, taken := map[string]map[string]any{}, map[string]bool{}
	for _, sure := range []bool{true, false} { // equal request ids before lines or rows without one
		for _, r := range rows {
			if !isAsked(r) || r["counted"] == true || observationOf(r) != "" || answers[text(r, "record_id")] != nil {
				continue
			}
			for _, line := range lines[of(r)] {
				a, b := text(r, "request_id"), text(line, "request_id")
				if same := a != "" && a == b; !taken[text(line, "record_id")] && mayBeOne(r, line) && (same || !sure && (a == "" || b == "")) {
					answers[text(r, "record_id")], taken[text(line, "record_id")] = line, true
					break
				}
			}
		}
	}
	return answers
}

func isAsked(r map[string]any) bool { return fmt.Sprint(r["observer_kind"]) == "gate" }

// mayBeOne reports whether two rows of the same method and path may be of one request: they start
// within askedNear, and have the same host, tool and arguments where both have them. Ports are not
// compared: gateways that log the host without it send it to the check.
func mayBeOne(a, b map[string]any) bool {
	agree := func(x, y string) bool { return x == y || x == "" || y == "" }
	tool := func(r map[string]any) string {
		return strings.TrimSpace(text(r, "mcp_method") + " " + text(r, "tool_name"))
	}
	sameArguments := agree(text(a, "args_digest"), text(b, "args_digest")) || text(a, "args_digest_basis") != text(b, "args_digest_basis")
	return near(a, b) && sameArguments && agree(withoutPort(text(a, "host")), withoutPort(text(b, "host"))) && agree(tool(a), tool(b))
}

// withoutPort returns a host without its port.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

func near(a, b map[string]any) bool {
	x, _ := a["start_time"].(Time)
	y, _ := b["start_time"].(Time)
	return x.Sub(y.Time).Abs() < askedNear
}

// addResources adds the resources of a row to a call.
func addResources(call, r map[string]any) {
	named, _ := call["resources"].([]string)
	more, _ := r["resources"].([]string)
	for _, v := range more {
		if !slices.Contains(named, v) {
			named = append(named[:len(named):len(named)], v)
		}
	}
	if len(named) > 0 {
		call["resources"] = named
	}
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
