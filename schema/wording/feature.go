package wording

import "strings"

// Feature is the text of a feature of evidence, and the unit of its values.
type Feature struct {
	Text string
	Unit Unit
}

var features = map[string]Feature{
	"repeats":              {"calls that repeat an earlier one with the same answer", Share},
	"repeats_slow":         {"calls that repeat an earlier one with the same answer, over a long stretch", Share},
	"failing_retries":      {"calls that fail again with the same arguments", Share},
	"failing_retries_slow": {"calls that fail again with the same arguments, over a long stretch", Share},
	"errors":               {"calls that fail", Share},
	"new_resources":        {"calls about a resource that the run had not used", Share},
	"new_resources_slow":   {"calls about a resource that the run had not used, over a long stretch", Share},
	"deletions":            {"calls that delete", Share},
	"identical_calls":      {"the same call, the most frequent one", Calls},
	"calls":                {"calls of the run", Calls},
	"bytes_out":            {"data in the answers", Bytes},
	"writes":               {"calls that write", Calls},
	"calls_on_route":       {"calls on this route", Calls},
	"unusual_order":        {"order of the routes: how unlikely it is", Nats},
	"new_calls_on_route":   {"different calls on one route", Calls},
	"distinct_calls":       {"different calls", Calls},
	"rare_writes":          {"writes on routes that its peers hardly use: how unlikely they are", Nats},
	"changes_of_route":     {"changes from one route to another", Plain},
	"irreversible_calls":   {"calls that cannot be undone", Calls},
	"parallel_calls":       {"calls that begin before the one before has ended, in a row", Calls},
	"tokens":               {"tokens", Tokens},
	"money":                {"money moved", Money},

	"identical_calls_over_runs":    {"the same call among its latest calls, over several runs", Calls},
	"new_calls_on_route_over_runs": {"different calls on one route among its latest calls, over several runs", Calls},
	"deletions_over_runs":          {"deletions among its latest calls, over several runs", Calls},
	"failing_retries_over_runs":    {"failing retries among its latest calls, over several runs", Calls},
	"evidence_of_runs":             {"many runs in a row that lean the same way: how unlikely they are", Nats},

	"calls_in_quarter_hour": {"calls in a quarter of an hour", Calls},

	"answer_sizes":  {"different sizes of answers, as a share of the answers", Share},
	"request_sizes": {"different sizes of writing requests, as a share of them", Share},
	"assets":        {"calls that a page makes by itself: style sheets, images, telemetry", Share},
	"pace":          {"time between calls, against that of the tenant's people", Deviations},

	"scope.write_outside":  {"writes on a route that is outside of the learned scope", Calls},
	"scope.target_outside": {"writes to a target that is outside of the learned scope", Calls},
	"scope.read_outside":   {"reads on routes that are outside of the learned scope", Calls},
	"scope.taught_by":      {"runs that taught the scope", Runs},
}

// runs that teach a scope, by the name of the source.
var sources = map[string]string{
	"own_runs_of_task":     "runs of the agent in this task",
	"peers_runs_of_task":   "runs of its peers in this task",
	"own_runs_of_any_task": "runs of the agent in any task",
	"nobody":               "runs",
}

// FeatureOf returns the text of a feature. A name may carry a detail behind a space, such as a route.
// A name without a text is printed with spaces for underscores.
func FeatureOf(name string) Feature {
	if f, ok := features[name]; ok {
		return f
	}
	head, detail, found := strings.Cut(name, " ")
	f, ok := features[head]
	switch {
	case ok && head == "scope.taught_by":
		return Feature{Source(detail, 2) + ", which taught the scope", Runs}
	case ok && found:
		return Feature{f.Text + ": " + detail, f.Unit}
	case found:
		return Feature{strings.ReplaceAll(head, "_", " ") + ": " + detail, Plain}
	}
	return Feature{strings.ReplaceAll(name, "_", " "), Plain}
}

// Source names the runs that taught a scope, for a number of them.
func Source(name string, runs uint64) string {
	text, ok := sources[name]
	if !ok {
		text = strings.ReplaceAll(name, "_", " ")
	}
	if runs == 1 {
		text = strings.Replace(text, "runs", "run", 1)
	}
	return text
}

// Median names whose past a usual value is of: the agent's own, its peers', everybody's, or the
// agent's few runs drawn towards its peers'.
func Median(of string) string {
	switch of {
	case "own":
		return "its own"
	case "shrunk":
		return "few runs of its own, drawn towards its peers'"
	case "peers":
		return "its peers', it has none of its own"
	case "everybody":
		return "all agents', it has no peers"
	}
	return ""
}
