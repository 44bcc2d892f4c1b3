package ocsf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Call is one call, or several calls of one route on one resource, in the words of the database. Zero fields are not known.
type Call struct {
	ID     string // record id, or what identifies the group of calls
	Tenant string
	Start  time.Time
	End    time.Time // of a group: start of its last call
	Count  uint64    // 0: one call

	DurationNs int64
	Method     string
	Scheme     string
	Host       string
	Path       string
	Route      string
	Tool       string
	API        string
	Effect     string
	Reverse    string // reversibility
	Outcome    string
	Status     int
	Error      string
	BytesIn    uint64
	BytesOut   uint64
	RequestID  string
	ClientIP   string
	UserAgent  string
	TraceID    string
	SpanID     string
	ParentSpan string
	Observer   string
	Model      string
	Provider   string

	RunID        string
	AgentID      string
	AgentName    string
	AgentVersion string
	AgentTrust   string
	CallerKind   string
	CredentialID string
	PrincipalID  string
	Resources    []string // type:id
}

// Activities of an API Activity.
var activities = map[string]int{"create": 1, "read": 2, "update": 3, "delete": 4, "pay": 99, "send": 99, "grant": 99}

// Values of status_id.
const (
	statusUnknown = 0
	statusSuccess = 1
	statusFailure = 2
)

// methods are those that the framework's http_request.http_method has.
var methods = strings.Fields("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL " +
	"LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PRI PROPFIND PROPPATCH QUERY REBIND REPORT " +
	"SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL")

// Call returns a call as an API Activity.
func (p Producer) Call(c *Call) (Event, error) {
	activity := activities[c.Effect]
	profiles := []string{"ai_operation", "record_integrity"}
	if c.TraceID != "" {
		profiles = append(profiles, "trace")
	}
	e := p.begin(categoryApplication, ClassAPIActivity, activity, c.Start, c.ID, c.Tenant, profiles...)
	put(e["metadata"].(object), "correlation_uid", c.RunID)
	if activity == algorithmOther {
		e["activity_name"] = c.Effect
	}
	e["severity_id"] = severityInformational
	if c.Reverse == "irreversible" && c.Outcome == "ok" {
		e["severity_id"] = severityMedium
	}
	e["status_id"] = statusOf(c.Outcome)
	put(e, "status_detail", c.Error)
	if c.Status > 0 {
		e["status_code"] = strconv.Itoa(c.Status)
	}
	c.times(e)
	e["api"], e["http_request"] = c.api(), c.request()
	if c.Status > 0 {
		answer := object{"code": c.Status}
		if c.BytesOut > 0 && c.Count <= 1 {
			answer["length"] = c.BytesOut
		}
		e["http_response"] = answer
	}
	c.parties(e)
	if c.TraceID != "" {
		e["trace"] = c.trace()
	}
	e["unmapped"] = c.unmapped()
	return p.attest(e)
}

func statusOf(outcome string) int {
	switch outcome {
	case "ok":
		return statusSuccess
	case "", "unknown":
		return statusUnknown
	}
	return statusFailure
}

func (c *Call) times(e Event) {
	if c.Count > 1 {
		e["count"] = c.Count
		putTime(e, "start_time", c.Start)
		putTime(e, "end_time", c.End)
	}
	if c.DurationNs >= 0 && c.Count <= 1 {
		e["duration"] = c.DurationNs / 1e6
	}
}

func (c *Call) api() object {
	operation := c.Tool
	if operation == "" {
		operation = strings.TrimSpace(c.Method + " " + cmp.Or(c.Route, c.Path))
	}
	api := object{"operation": cmp.Or(operation, "unknown")}
	if name := cmp.Or(c.API, c.Host); name != "" {
		api["service"] = object{"name": name}
	}
	if c.RequestID != "" {
		api["request"] = object{"uid": c.RequestID}
	}
	return api
}

func (c *Call) request() object {
	request := object{}
	if slices.Contains(methods, c.Method) {
		request["http_method"] = c.Method
	}
	put(request, "user_agent", c.UserAgent)
	put(request, "uid", c.RequestID)
	if c.BytesIn > 0 {
		request["length"] = c.BytesIn
	}
	if c.Path != "" {
		url := object{"path": c.Path}
		put(url, "hostname", c.Host)
		put(url, "scheme", c.Scheme)
		request["url"] = url
	}
	return request
}

// parties sets who called whom, and what.
func (c *Call) parties(e Event) {
	who := actor(c.PrincipalID, c.CredentialID, c.AgentID)
	if who == nil {
		who = object{"app_name": "unknown"} // one of its attributes is required
	}
	e["actor"] = who
	if c.CallerKind != "human" {
		if a := agent(c.AgentID, c.AgentName, c.AgentVersion, c.RunID); a != nil {
			if c.Model != "" {
				a["ai_model"] = object{"name": c.Model, "ai_provider": cmp.Or(c.Provider, "unknown")}
			}
			e["ai_agent"] = a
		}
	}
	e["src_endpoint"] = object{"name": "unknown"}
	if c.ClientIP != "" {
		e["src_endpoint"] = object{"ip": c.ClientIP}
	}
	if c.Host != "" {
		e["dst_endpoint"] = object{"hostname": c.Host}
	}
	var resources []object
	for _, r := range c.Resources {
		kind, _, _ := strings.Cut(r, ":")
		resources = append(resources, object{"uid": r, "type": kind})
	}
	if len(resources) > 0 {
		e["resources"] = list(resources...)
	}
	all := observables(c.CredentialID, c.PrincipalID, c.ClientIP)
	if c.UserAgent != "" {
		all = append(all, object{"type_id": observableUserAgent, "name": "http_request.user_agent", "value": c.UserAgent})
	}
	e["observables"] = all
}

func (c *Call) trace() object {
	trace := object{"uid": c.TraceID}
	if c.SpanID != "" {
		end := c.Start.Add(time.Duration(max(c.DurationNs, 0)))
		span := object{"uid": c.SpanID, "start_time": c.Start.UnixMilli(), "end_time": end.UnixMilli()}
		put(span, "parent_uid", c.ParentSpan)
		trace["span"] = span
	}
	return trace
}

// unmapped holds what the framework has no place for.
func (c *Call) unmapped() object {
	out := object{}
	put(out, "flyball_effect", c.Effect)
	put(out, "flyball_reversibility", c.Reverse)
	put(out, "flyball_outcome", c.Outcome)
	put(out, "flyball_route", c.Route)
	put(out, "flyball_observer", c.Observer)
	put(out, "flyball_agent_trust", c.AgentTrust)
	put(out, "flyball_run_id", c.RunID)
	return out
}
