package decode

import (
	"fmt"
	"strings"
	"testing"

	"flyball/schema"
)

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   schema.Outcome
	}{
		{`"response_code":200`, schema.OutcomeOK},
		{`"response_code":302`, schema.OutcomeOK},
		{`"response_code":404`, schema.OutcomeClientError},
		{`"response_code":500`, schema.OutcomeServerError},
		{`"response_code":401`, schema.OutcomeDenied},
		{`"response_code":403`, schema.OutcomeDenied},
		{`"response_code":429`, schema.OutcomeRateLimited},
		{`"response_code":499`, schema.OutcomeAborted},
		{`"response_code":408`, schema.OutcomeTimeout},
		{`"response_code":504,"response_flags":"UT"`, schema.OutcomeTimeout},
		{`"response_code":503,"response_flags":"UF,URX"`, schema.OutcomeServerError},
		{`"response_code":0,"response_flags":"DC"`, schema.OutcomeAborted},
		{`"response_code":0,"response_flags":"UH"`, schema.OutcomeServerError},
		{`"response_code":200,"response_flags":"DC"`, schema.OutcomeAborted},
		{`"response_code":429,"response_flags":"RL"`, schema.OutcomeRateLimited},
		{`"response_code":503,"response_flags":"UAEX"`, schema.OutcomeDenied},
		{`"response_code":418,"response_code_details":"ext_authz_denied"`, schema.OutcomeDenied},
		{`"response_code":403,"response_code_details":"rbac_access_denied_matched_policy[none]"`, schema.OutcomeDenied},
		{`"response_code":200,"response_flags":"-"`, schema.OutcomeOK},
		{`"response_code":0,"response_flags":"-"`, schema.OutcomeUnknown},
		{`"response_code":200,"grpc_status":"14"`, schema.OutcomeServerError},
		{`"response_code":200,"grpc_status":"7"`, schema.OutcomeDenied},
		{`"response_code":200,"grpc_status":0`, schema.OutcomeOK},
		{`"response_code":200,"denied_by":"no-refunds"`, schema.OutcomeDenied},
	} {
		got, _ := oneCall(t, []byte(`{"start_time":"2026-10-02T09:30:15Z","method":"GET","path":"/",`+c.fields+`}`))
		if got.Outcome != c.want {
			t.Errorf("%s: %s, want %s", c.fields, got.Outcome, c.want)
		}
	}
}

func TestStatus200IsNotSuccess(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       schema.Outcome
	}{
		{"error.type", "tool_error", schema.OutcomeToolError},
		{"rpc.response.status_code", "-32602", schema.OutcomeToolError},
		{"mcp.error.code", "-32000", schema.OutcomeToolError},
		{"a2a.response.outcome", "error", schema.OutcomeToolError},
		{"error.type", "context deadline exceeded", schema.OutcomeTimeout},
		{"error.type", "canceled", schema.OutcomeAborted},
		{"rpc.grpc.status_code", "5", schema.OutcomeClientError},
		{"agent.threat.detection.rule_id", "r-1", schema.OutcomeDenied},
		{"a2a.response.outcome", "ok", schema.OutcomeOK},
	} {
		value := strings.Replace(oneSpan, `"attributes":[{"key":"http`,
			fmt.Sprintf(`"attributes":[{"key":%q,"value":{"stringValue":%q}},{"key":"http`, c.key, c.value), 1)
		got, _ := oneCall(t, []byte(value))
		if got.Status != 200 || got.Outcome != c.want {
			t.Errorf("%s=%s: %d %s, want %s", c.key, c.value, got.Status, got.Outcome, c.want)
		}
	}
}
