package wording

import "strings"

// reasons are the texts of the named reasons for which a call was held or a decision was made.
var reasons = map[string]string{
	"in_scope":    "inside of what the manifest allows",
	"no_manifest": "no manifest is in force for the agent",

	"policy.scope:read_outside":     "it reads outside of what the manifest allows",
	"policy.scope:route_outside":    "the route is outside of what the manifest allows",
	"policy.scope:resource_outside": "the resource is outside of what the manifest allows",
	"policy.scope:resource_unknown": "the manifest limits the resources, and which one the call is about is not known",

	"policy.task:route_outside":  "the route is outside of the task that was declared for the run",
	"policy.task:target_outside": "the target is outside of the task that was declared for the run",
	"policy.task:after_task":     "the task that was declared for the run has ended",
	"policy.task:none_declared":  "no task was declared for the run",
	"policy.task:type_unknown":   "the manifest does not know the type of the task",

	"policy.autonomy:always_asks":              "the manifest wants a person's yes for every such call",
	"policy.autonomy:irreversible_not_granted": "it cannot be undone, and the manifest does not let the agent do that alone",
	"policy.autonomy:amount_above":             "the amount is above what the agent may move alone",
	"policy.autonomy:amount_unknown":           "the manifest limits the amount, and the amount of the call is not known",
	"policy.autonomy:currency_differs":         "the currency is not the one of the agent's limit",
	"policy.autonomy:currency_unknown":         "the manifest limits the amount, and the currency of the call is not known",
	"policy.autonomy:spent_alone":              "the agent has spent all that it may move alone in this period",

	"policy.hours:outside":                 "it is outside of the hours that the manifest allows",
	"policy.quota:spent":                   "the quota of such calls is used up",
	"policy.quota:claim_not_in_time":       "the share of the quota was not confirmed in time",
	"policy.quota:too_many_claims":         "too many calls wait for a share of the quota",
	"policy.failure:log_away":              "Kafka does not answer, and calls that cannot be undone are denied until it does",
	"policy.failure:quota_log_away":        "Kafka does not answer, and the quota cannot be counted until it does",
	"policy.failure:not_established":       "the caller's identity is not established",
	"policy.failure:too_much_claimed_work": "too many callers without an established identity call at this time",

	"nothing_learned": "nothing was learned that the caller may be compared with",
	"not_calibrated":  "too few days are known to say how rare a count is",

	"forced_open":             "a person has opened the breaker",
	"breaker_open":            "the breaker is open",
	"renamed_run":             "another run of the same caller is held",
	"half_open_probe":         "a probe of the half-open breaker",
	"half_open_probe_not_due": "the breaker is half open, and the next probe is not due",
	"half_open_probe_lost":    "the breaker is half open, and another call is the probe",
	"half_open_write":         "the breaker is half open, and only reads are probes",
	"gated_by_breaker":        "after a finding about its caller such calls wait for a person's yes",
	"throttled_by_breaker":    "after a finding about its caller only a few calls pass",
	"annotated_by_breaker":    "after a finding about its caller the call is marked",

	"gate_refused":       "a person has refused the call",
	"gate_timed_out":     "nobody answered in time, which counts as a no",
	"gate_pending":       "the call waits for a person's yes",
	"gate_body_cut":      "the gateway sends only a part of the body, so that what was approved cannot be compared",
	"too_many_questions": "too many calls wait for a person's yes",
	"granted":            "a person has approved the call",

	"observe_mode":              "enforcement is not armed, only recorded",
	"call_too_old":              "the call is too old to stop anything",
	"run_named_by_request":      "requests carry the run's id, so only the run is held",
	"second_run_of_credential":  "it is the second run of this credential, so the credential is held",
	"over_several_runs":         "it is spread over several runs, so not one run is held",
	"credential_of_unnamed_run": "requests carry no run id, so the credential is held",
	"agent_without_credential":  "requests carry no run id and no credential, so the agent is held",
	"address_without_identity":  "requests carry no identity, so the address is held",
	"no_enforceable_scope":      "requests carry nothing by which the caller could be held",
	"exception":                 "an exception covers it",
	"armed_by_command":          "a command has armed it",
	"disarmed_by_command":       "a command has disarmed it",
	"bypass":                    "a bypass is in force",
}

// families of named reasons: the part before the colon, for reasons without a text of their own.
var families = map[string]string{
	"policy.scope":    "it is outside of what the manifest allows",
	"policy.task":     "it is outside of the task that was declared for the run",
	"policy.autonomy": "it is more than the agent may do alone",
	"policy.hours":    "it is outside of the hours that the manifest allows",
	"policy.quota":    "a quota of the manifest limits such calls",
	"policy.failure":  "Flyball cannot check the call at present",
	"scope.learned":   "it is outside of what similar runs were seen to do",
}

// Reason returns a named reason as a clause for people. A reason without a text is printed with
// spaces for underscores.
func Reason(why string) string {
	if s, ok := reasons[why]; ok {
		return s
	}
	family, detail, _ := strings.Cut(why, ":")
	if s, ok := families[family]; ok {
		if detail = strings.TrimSpace(strings.ReplaceAll(detail, "_", " ")); detail != "" {
			return s + " (" + detail + ")"
		}
		return s
	}
	return strings.ReplaceAll(why, "_", " ")
}

// ReasonAndName returns a named reason for people with the name behind it, by which manifests and
// documents call it.
func ReasonAndName(why string) string {
	if text := Reason(why); text != why && why != "" {
		return text + " [" + why + "]"
	}
	return why
}
