package ocsf

import (
	"strconv"
	"time"

	"flyball/schema"
)

// Activities and states of a Detection Finding.
const (
	findingCreate = 1
	findingUpdate = 2
	findingClose  = 3

	statusNew        = 1
	statusSuppressed = 3
	statusResolved   = 4
)

// maxAnomalies is the most contributions of a finding that an event lists, the first ones.
const maxAnomalies = 16

// Values of severity_id.
const (
	severityInformational = 1
	severityMedium        = 3
	severityHigh          = 4
	severityCritical      = 5
)

// severityOf is the severity of a finding: informational (annotate), medium (alert), high (trip), critical (trip after
// irreversible calls).
func severityOf(f *schema.Finding) int {
	switch {
	case f.Level == schema.LevelTrip && f.Exposure.Irreversible > 0:
		return severityCritical
	case f.Level == schema.LevelTrip:
		return severityHigh
	case f.Level == schema.LevelAlert:
		return severityMedium
	}
	return severityInformational
}

// Finding returns a version of a finding as a Detection Finding.
func (p Producer) Finding(f *schema.Finding) (Event, error) {
	activity, status := findingUpdate, statusNew
	switch {
	case f.State == schema.FindingClosed:
		activity, status = findingClose, statusResolved
	case f.UpdatedAt == f.OpenedAt:
		activity = findingCreate
	}
	if f.Exception != "" {
		status = statusSuppressed
	}
	e := p.begin(categoryFindings, ClassDetectionFinding, activity, time.Unix(0, f.UpdatedAt), schema.FindingEvent(f).ID, f.Tenant,
		"record_integrity")
	metadata := e["metadata"].(object)
	metadata["correlation_uid"] = f.RunID.String()
	e["severity_id"], e["status_id"] = severityOf(f), status
	e["is_alert"] = f.Level >= schema.LevelAlert && f.Exception == ""
	put(e, "message", f.Summary)
	put(e, "status_detail", f.Reason)
	if f.Exception != "" {
		e["status_detail"] = "exception " + f.Exception
	}
	e["finding_info"] = findingInfo(f)
	if all := anomalies(f); len(all) > 0 {
		e["anomaly_analyses"] = all
	}
	e["evidences"] = list(evidence(f))
	e["observables"] = observables(f.CredentialID, f.PrincipalID, "")
	return p.attest(e)
}

func findingInfo(f *schema.Finding) object {
	info := object{"uid": f.ID, "title": f.Family, "types": []string{f.Family}, "created_time": f.OpenedAt / 1e6,
		"modified_time": f.UpdatedAt / 1e6, "last_seen_time": f.UpdatedAt / 1e6}
	if f.OnsetAt > 0 {
		info["first_seen_time"] = f.OnsetAt / 1e6
	}
	put(info, "desc", f.Summary)
	analytic := object{"name": f.Family, "uid": f.Family, "type_id": analyticType(f)}
	put(analytic, "version", f.Baseline)
	info["analytic"] = analytic
	return info
}

// analyticType is 1 (rule) for a finding without a rate of clean runs, else 2 (behavioral).
func analyticType(f *schema.Finding) int {
	if f.ExpectedOf == "" && f.ExpectedRate == 0 {
		return 1
	}
	return 2
}

// anomalies lists what the run did beside what is usual, as texts: the framework has no numbers there.
func anomalies(f *schema.Finding) []any {
	var out []any
	for i := range f.Evidence[:min(len(f.Evidence), maxAnomalies)] {
		c := &f.Evidence[i]
		if c.Observed.IsZero() {
			continue
		}
		a := object{"analysis_targets": list(object{"name": f.RunID.String(), "type": "run"}),
			"anomalies": list(observation(c.Feature, "observed", c.Observed))}
		var usual []object
		for _, b := range []struct {
			of    string
			value schema.OptionalFloat
		}{{"usual", c.Usual}, {"peers", c.Peers}, {"humans", c.Humans}} {
			if !b.value.IsZero() {
				usual = append(usual, observation(c.Feature, b.of, b.value))
			}
		}
		if len(usual) > 0 {
			a["baselines"] = list(usual...)
		}
		out = append(out, a)
	}
	return out
}

func observation(feature, kind string, v schema.OptionalFloat) object {
	return object{"observation_parameter": feature, "observation_type": kind,
		"observations": list(object{"value": strconv.FormatFloat(float64(v), 'g', 6, 64)})}
}

func evidence(f *schema.Finding) object {
	data := object{"score": schema.OptionalFloat(f.Score), "level": f.Level.String(), "delay_calls": f.DelayCalls,
		"exposure_calls": f.Exposure.Calls, "exposure_irreversible": f.Exposure.Irreversible,
		"touched": object{"read_only": f.Touched.ReadOnly, "reversible": f.Touched.Reversible, "compensable": f.Touched.Compensable,
			"irreversible": f.Touched.Irreversible},
		"agent_trust": f.AgentTrust.String()}
	if schema.OptionalFloat(f.Score).IsZero() {
		delete(data, "score")
	}
	if analyticType(f) != 1 && !schema.OptionalFloat(f.ExpectedRate).IsZero() {
		data["expected_rate"], data["expected_of"] = f.ExpectedRate, f.ExpectedOf
	}
	put(data, "run_key", f.RunKey)
	put(data, "acquaintance", f.Acquaintance.String())
	if d := f.Decision; d != nil {
		data["decision"] = object{"decision_id": d.ID, "action": d.Action.String(), "mode": d.Mode.String(), "scope": d.Scope.String(),
			"why": d.Why}
	}
	out := object{"data": data, "uid": f.ID}
	if a := agent(f.AgentID, "", "", f.RunID.String()); a != nil {
		out["ai_agent"] = a
	}
	if a := actor(f.PrincipalID, f.CredentialID, f.AgentID); a != nil {
		out["actor"] = a
	}
	return out
}

// agent returns the object ai_agent: the agent, and its run as the instance. nil: no agent is known.
func agent(id, name, version, run string) object {
	if id == "" && name == "" {
		return nil
	}
	out := object{}
	put(out, "uid", id)
	put(out, "name", name)
	put(out, "version", version)
	put(out, "instance_uid", run)
	return out
}

// actor returns the object actor: the principal and the credential that it used. nil: neither is known.
func actor(principal, credential, agent string) object {
	out := object{}
	user := object{}
	put(user, "uid", principal)
	put(user, "credential_uid", credential)
	switch {
	case principal != "":
		out["user"] = user
	case credential != "":
		out["session"] = object{"credential_uid": credential}
	}
	put(out, "app_uid", agent)
	if len(out) == 0 {
		return nil
	}
	return out
}

// Types of observables.
const (
	observableIP         = 2
	observableUserAgent  = 16
	observableCredential = 19
	observableUser       = 31
)

// observables names what an analyst searches for.
func observables(credential, principal, ip string) []any {
	out := []any{}
	for _, o := range []struct {
		kind        int
		name, value string
	}{{observableCredential, "credential", credential}, {observableUser, "principal", principal}, {observableIP, "src_endpoint.ip", ip}} {
		if o.value != "" {
			out = append(out, object{"type_id": o.kind, "name": o.name, "value": o.value})
		}
	}
	return out
}
