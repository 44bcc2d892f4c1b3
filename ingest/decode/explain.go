package decode

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"flyball/schema"
)

// FieldOrigin is the origin of a field of a call: the member of the record that was read when the field changed.
type FieldOrigin struct {
	Field string `json:"field"` // of the call, or of the evidence for the identity rules
	Value string `json:"value"`
	From  string `json:"from"`
}

// originRecorder records the origins of a call's fields while the call is read. Only Explain uses it.
type originRecorder struct {
	d    *draft
	from string
	seen map[string]string
	out  []FieldOrigin
}

// readingFrom sets the member that is read next, if origins are recorded.
func (d *draft) readingFrom(from string) {
	if d.origins != nil {
		d.origins.begin(from)
	}
}

// begin records the changes since the last begin and sets the member that is read next.
func (s *originRecorder) begin(from string) {
	now := s.snapshot()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if v := now[name]; s.seen[name] != v && v != "" {
			s.out = append(s.out, FieldOrigin{name, v, s.from})
		}
	}
	s.seen, s.from = now, from
}

// snapshot returns the values of all non-empty fields as text.
func (s *originRecorder) snapshot() map[string]string {
	out := map[string]string{}
	d := s.d
	c := d.call
	snapshotFields(out, "", c)
	snapshotFields(out, "evidence.", d.ev)
	snapshotFields(out, "evidence.Claims.", d.claims)
	delete(out, "evidence.Claims")
	if d.call.DurationNs < 0 {
		delete(out, "DurationNs")
	}
	if d.ev.APIKey != "" {
		out["evidence.APIKey"] = "<secret>"
	}
	if d.target != "" {
		out["Path"] = d.target
	}
	for name, claimed := range map[string]string{"MCPMethod": d.mcpMethod, "ToolName": d.mcpName} {
		if claimed != "" && out[name] == "" {
			out[name] = claimed
		}
	}
	for name, v := range map[string]string{peerField: d.peer, forwardedField: d.forwarded} {
		if v != "" {
			out[name] = v
		}
	}
	if d.flags != "" {
		out["Flags"] = d.flags
	}
	if d.in.BodyLogged {
		out["Arguments"] = "<body>"
	}
	for _, a := range d.attrs {
		out["attr."+a.Key] = a.Value
	}
	return out
}

// snapshotFields adds the fields of a struct to out, except empty fields, secrets, bodies and names of headers.
func snapshotFields(out map[string]string, prefix string, v any) {
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		name := rv.Type().Field(i).Name
		if rv.Field(i).IsZero() || name == "APIKey" || name == "Args" || strings.HasSuffix(name, "HeaderName") {
			continue
		}
		text := fmt.Sprint(rv.Field(i).Interface())
		if b, ok := rv.Field(i).Interface().([]byte); ok {
			text = string(b)
		}
		out[prefix+name] = text
	}
}

// evidenceOfRule maps the name of an identity rule, as in agent_source, to the evidence that it uses.
var evidenceOfRule = map[string]string{"gateway": "GatewayAgent", "gen_ai": "GenAIAgentName", "spiffe": "SPIFFE",
	"cert_fingerprint": "CertFingerprint", "cert_subject": "CertSubject",
	"token_client": "Claims.ClientID", "token_act": "Claims.Act", "token_subject": "Claims.Subject", "token_entra_agent": "Claims.ClientID",
	"token_txn": "Claims.Txn", "aws": "AWSKey",
	"api_key_id": "APIKeyID", "api_key": "APIKey", "remote_user": "RemoteUser", "user_id": "UserID", "gateway_user": "GatewayUser",
	"mcp_client": "MCPClientName", "signature_agent": "SignatureAgent"}

// Origins that say which of two addresses ClientIP is.
const (
	addressRuleField = "ClientIP.rule"
	peerField        = "ClientIP.peer"
	forwardedField   = "ClientIP.forwarded"
)

// FieldOrigins returns the origin of each field of a decoded call: a member of the record or a rule. changes are the origins that Explain
// recorded for the call.
func FieldOrigins(c *schema.Call, changes []FieldOrigin) []FieldOrigin {
	by := map[string]string{}
	for _, s := range changes {
		by[s.Field] = s.From
	}
	special := ruleOrigins(c, by)
	o := printable(c)
	rv := reflect.ValueOf(o)
	var out []FieldOrigin
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		v := reflect.Indirect(rv.Field(i))
		if rv.Field(i).IsZero() || strings.HasSuffix(name, "_source") || strings.HasSuffix(name, "_trust") ||
			strings.HasSuffix(name, "_sources") || strings.HasPrefix(name, "source_") || name == "attrs" || name == "format" {
			continue
		}
		origin := special[name]
		if origin == "" {
			origin = by[f.Name]
		}
		out = append(out, FieldOrigin{name, fmt.Sprint(v.Interface()), cmp.Or(origin, "derived")})
	}
	for _, a := range c.Attrs {
		out = append(out, FieldOrigin{"attrs." + a.Key, a.Value, by["attr."+a.Key]})
	}
	return out
}

// ruleOrigins returns the origins of the fields that identity or route rules set. by maps a field to the member of the record that
// changed it.
func ruleOrigins(c *schema.Call, by map[string]string) map[string]string {
	rule := func(source, evidence string) string {
		if source == "" {
			return ""
		}
		if at := by["evidence."+evidence]; at != "" {
			return fmt.Sprintf("%s (rule %s)", at, source)
		}
		return "rule " + source
	}
	evidence := func(source, header string) string {
		if name, ok := evidenceOfRule[source]; ok {
			return name
		}
		return header
	}
	credential := evidence(c.CredentialSource, "")
	if c.CredentialSource == "gateway" {
		credential = "GatewayCredential"
	}
	address := cmp.Or(by["ClientIP"], by[peerField])
	if why := by[addressRuleField]; why != "" {
		if by[addressRuleField] != addressOfPeer.why(0) {
			address = cmp.Or(by[forwardedField], address)
		}
		address += " (" + why + ")"
	}
	return map[string]string{
		"client_ip":     address,
		"agent_id":      rule(c.AgentSource, evidence(c.AgentSource, "AgentHeader")),
		"credential_id": rule(c.CredentialSource, credential),
		"principal_id":  rule(c.PrincipalSource, evidence(c.PrincipalSource, "")),
		"task_id":       rule(c.TaskSource, evidence(c.TaskSource, "TaskHeader")),
		"run_key":       rule(c.RunKeySource, evidence(c.RunKeySource, "RunHeader")),
		"route":         "rule " + c.RouteSource.String(), "route_key": "rule " + c.RouteSource.String(),
		"effect": "rule " + c.EffectSource.String(), "reversibility": "rule " + c.ReversibilitySource.String(),
		"conversation_id": by["evidence.Conversation"], "parent_agent_id": by["evidence.ParentHeader"],
		"start_time": cmp.Or(by["Start"], "the record's Kafka timestamp"), "upstream_ns": by["UpstreamNs"], "tenant": "configuration",
	}
}
