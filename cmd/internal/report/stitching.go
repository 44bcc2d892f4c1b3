package report

import (
	"fmt"
	"io"
	"strings"

	"flyball/schema/clickhouse/query"
)

// Stitching prints the share of each rule by producer, and the advice.
func Stitching(w io.Writer, rows []query.StitchingRow) error {
	if len(rows) == 0 {
		err := Printf(w, "%s\n", noCalls)
		return err
	}
	err := Table(w, "PRODUCER | FORMAT? | SINCE (UTC) | RULE | CALLS | SHARE", func(row func(...any)) {
		for _, r := range rows {
			since := any("-")
			if r.At != nil {
				since = Minute(*r.At)
			}
			row(Dash(r.Producer), r.Format, since, r.RunRule, r.Calls, fmt.Sprintf("%.1f%%", 100*r.Share))
		}
	})
	for i, r := range rows {
		if err == nil && r.Advice != "" && (i == 0 || rows[i-1].Advice != r.Advice) {
			err = Printf(w, "\n%s\n", r.Advice)
		}
	}
	return err
}

// guessed are the rules that bind calls only by time, or by a conversation that is split at a
// pause; the other rules are exact.
var guessed = map[string]bool{"session": true, "conversation": true, "overflow": true}

// howToLog holds, by format, how to configure the gateway to log the ids that agents send.
var howToLog = []struct{ format, how string }{
	{"envoy", `add to json_format: agent_run_id: "%REQ(X-AGENT-RUN-ID)%", traceparent: "%REQ(TRACEPARENT)%"`},
	{"istio", `add to the mesh's accessLogFormat: agent_run_id: "%REQ(X-AGENT-RUN-ID)%"`},
	{"nginx", `add to log_format (escape=json): "http_x_agent_run_id":"$http_x_agent_run_id","http_traceparent":"$http_traceparent"`},
	{"combined", `change to a JSON log_format with $http_x_agent_run_id and $request_time: deploy/gateways/nginx-log.conf`},
	{"ingress_nginx", `log-format-escape-json: "true", and a log-format-upstream with $http_x_agent_run_id`},
	{"traefik", `accesslog.fields.headers.names.X-Agent-Run-Id=keep, the same for Traceparent; for CLF first accesslog.format=json`},
	{"caddy", `request headers are logged already: have agents send x-agent-run-id`},
	{"kong", `request headers are logged already: have agents send x-agent-run-id, and enable the opentelemetry plugin`},
	{"apisix", `request headers are logged already: have agents send x-agent-run-id`},
	{"haproxy", `http-request capture req.hdr(x-agent-run-id) len 64, and a mapping that names the captured headers`},
	{"aws_apigw", `pass the header through a Lambda authorizer's context and log $context.authorizer.x_agent_run_id; or log xrayTraceId`},
	{"azure_apim", `log the header: Diagnostic settings, frontend request, headers to log: x-agent-run-id`},
	{"cloudflare", `add x-agent-run-id to the custom fields of Logpush (RequestHeaders)`},
	{"otlp", `set the attribute agent.run.id (or baggage and a BaggageSpanProcessor), and one trace a run with an invoke_agent root`},
}

// Advise adds advice to each producer whose calls are bound by time: how to make the binding
// exact. Shares of 5 % and less get no advice.
func Advise(rows []query.StitchingRow) {
	type producer struct{ name, format string }
	calls, unsure := map[producer]uint64{}, map[producer]uint64{}
	for _, r := range rows {
		p := producer{r.Producer, r.Format}
		calls[p] += r.Calls
		if guessed[r.RunRule] {
			unsure[p] += r.Calls
		}
	}
	for i := range rows {
		r := &rows[i]
		p := producer{r.Producer, r.Format}
		share := float64(unsure[p]) / float64(max(calls[p], 1))
		if !guessed[r.RunRule] || share <= 0.05 {
			continue
		}
		how := "log the header x-agent-run-id, and have agents send it"
		for _, h := range howToLog {
			if strings.HasPrefix(p.format, h.format) {
				how = h.how
			}
		}
		name := p.name
		if name == "" {
			name = "its producer"
		}
		r.Advice = fmt.Sprintf(
			"%s (%s): %.0f%% of %d calls were bound by time alone. To make those exact where agents send x-agent-run-id: %s",
			name,
			p.format,
			100*share,
			calls[p],
			how,
		)
	}
}
