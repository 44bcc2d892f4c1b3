package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/ocsf"
)

// FindingEvents returns findings as events for a SIEM.
func FindingEvents(by ocsf.Producer, findings []query.Finding) ([]ocsf.Event, error) {
	var out []ocsf.Event
	for i := range findings {
		f := storedFinding(&findings[i])
		e, err := by.Finding(&f)
		if err != nil {
			return nil, fmt.Errorf("finding %s: %w", f.ID, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// storedFinding returns a row of the database in the form of a record of flyball.events. Its id differs from that of the topic's
// event: the database has no version of a finding, so the time of its last change stands for it.
func storedFinding(f *query.Finding) schema.Finding {
	out := schema.Finding{ID: f.ID, Version: uint64(f.UpdatedAt.UnixNano()), Tenant: f.Tenant, AgentID: f.AgentID, Family: f.Family,
		OpenedAt: f.OpenedAt.UnixNano(), UpdatedAt: f.UpdatedAt.UnixNano(), Score: f.Score, ExpectedRate: f.ExpectedRate,
		ExpectedOf: f.ExpectedOf, ExpectedRuns: f.ExpectedRuns, Summary: f.Summary, Evidence: f.Evidence, DelayCalls: uint64(f.Delay),
		Exposure: f.Exposure, Exception: f.Exception}
	// A word that this version does not know leaves the zero value.
	out.RunID, _ = schema.ParseRunID(f.RunID)
	_ = out.Level.UnmarshalText([]byte(f.Level))
	_ = out.State.UnmarshalText([]byte(f.State))
	_ = out.Acquaintance.UnmarshalText([]byte(f.Acquaintance))
	return out
}

// RunEvents returns the calls of a run as events for a SIEM.
func RunEvents(by ocsf.Producer, r *query.RunReport) ([]ocsf.Event, error) {
	var out []ocsf.Event
	for _, row := range r.CallList {
		c := callOf(row)
		c.Tenant, c.RunID = cmp.Or(c.Tenant, r.Tenant), cmp.Or(c.RunID, r.RunID)
		e, err := by.Call(&c)
		if err != nil {
			return nil, fmt.Errorf("call %s: %w", c.ID, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// callOf reads a row of calls, whose fields are found by name.
func callOf(row map[string]any) ocsf.Call {
	text := func(name string) string {
		if v, ok := row[name]; ok {
			return fmt.Sprint(v)
		}
		return ""
	}
	number := func(name string) uint64 {
		var n uint64
		_, _ = fmt.Sscan(text(name), &n)
		return n
	}
	at, _ := row["start_time"].(query.Time)
	resources, _ := row["resources"].([]string)
	c := ocsf.Call{ID: text("record_id"), Tenant: text("tenant"), Start: at.Time, DurationNs: -1, Method: text("method"),
		Scheme: text("scheme"), Host: text("host"),
		Path: text("path"), Route: text("route"), Tool: text("tool_name"), API: text("api"), Effect: text("effect"),
		Reverse: text("reversibility"), Outcome: text("outcome"), Status: int(number("status")),
		Error: cmp.Or(text("error_message"), text("error_type"), text("denied_by")), BytesIn: number("bytes_in"),
		BytesOut:  number("bytes_out"),
		RequestID: text("request_id"), ClientIP: strings.TrimPrefix(text("client_ip"), "::ffff:"), UserAgent: text("user_agent"),
		TraceID: text("trace_id"), SpanID: text("span_id"), ParentSpan: text("parent_span_id"), Observer: text("observer"),
		Model: cmp.Or(text("model_used"), text("model_requested")), Provider: text("gen_ai_provider"), RunID: text("run_id"),
		AgentID: text("agent_id"), AgentName: text("agent_name"), AgentVersion: text("agent_version"), AgentTrust: text("agent_trust"),
		CallerKind: text("caller_kind"), CredentialID: text("credential_id"), PrincipalID: text("principal_id"), Resources: resources}
	if _, known := row["duration_ns"]; known {
		c.DurationNs = int64(number("duration_ns"))
	}
	if c.ClientIP == "::" {
		c.ClientIP = ""
	}
	return c
}

// TouchedEvents returns what a subject touched as events for a SIEM: one for each resource, route and outcome, which counts its calls.
func TouchedEvents(by ocsf.Producer, t *query.Touched) ([]ocsf.Event, error) {
	var out []ocsf.Event
	for i := range t.Resources {
		r := &t.Resources[i]
		c := ocsf.Call{Start: r.FirstAt.Time, End: r.LastAt.Time, DurationNs: -1, Method: r.Method, Route: r.Route, Effect: r.Effect,
			Reverse: r.Reversibility, BytesOut: r.BytesOut, Resources: []string{r.Resource}}
		if t.Run != nil {
			c.Tenant, c.CredentialID, c.PrincipalID, c.AgentTrust = t.Run.Tenant, t.Run.CredentialID, t.Run.PrincipalID, t.Run.AgentTrust
		}
		switch t.Subject.Kind {
		case "credential":
			c.CredentialID = t.Subject.Value
		case "principal":
			c.PrincipalID = t.Subject.Value
		}
		if len(r.Agents) > 0 {
			c.AgentID = r.Agents[0]
		}
		if len(r.Runs) == 1 {
			c.RunID = r.Runs[0]
		}
		for _, part := range []struct {
			outcome string
			calls   uint64
		}{{"ok", r.OK}, {"denied", r.Denied}, {"failed", r.Failed}, {"unknown", r.Calls - min(r.Calls, r.OK+r.Denied+r.Failed)}} {
			if part.calls == 0 {
				continue
			}
			c.Outcome, c.Count = part.outcome, part.calls
			c.ID = touchedID(t, r, part.outcome, part.calls)
			e, err := by.Call(&c)
			if err != nil {
				return nil, fmt.Errorf("resource %s: %w", r.Resource, err)
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// touchedID identifies an event of a report: the same calls have the same id in every report on the subject.
func touchedID(t *query.Touched, r *query.TouchedResource, outcome string, calls uint64) string {
	return "touched:" + schema.PageID(strings.Join([]string{t.Subject.Kind, t.Subject.Value, r.Resource, r.Method, r.Route, r.Effect},
		"\x00"), fmt.Sprint(outcome, calls, r.FirstAt.Format(time.RFC3339Nano), r.LastAt.Format(time.RFC3339Nano)))
}
