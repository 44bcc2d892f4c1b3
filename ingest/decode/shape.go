package decode

import (
	"flyball/ingest/fields"
	"flyball/schema"
)

const (
	formatEnvoyJSON = "envoy_json/1"
	formatEnvoyText = "envoy_text/1"
	formatIstioText = "istio_text/1"
	formatOTLPSpans = "otlp_spans/1"
	formatOTLPLogs  = "otlp_logs/1"
	formatKongJSON  = "kong_json/1"
)

// nginxJSON is the preset whose records are told by more than a set of names:
// an operator chooses them.
const nginxJSON = "nginx_json"

// shapeOf recognises a object of Envoy or nginx by its names, which is a
// format's name; empty is none.
func shapeOf(pairs []fields.Pair) string {
	var has struct{ start, code, flags, method, path, nginx, wall, request, status, elapsed bool }
	for i := range pairs {
		p := &pairs[i]
		switch p.Key {
		case "start_time":
			has.start = true
		case "response_code":
			has.code = true
		case "response_flags", "response_code_details":
			has.flags = true
		case "method":
			has.method = true
		case "path", "x_envoy_origin_path", "authority":
			has.path = true
		case "msec", "time_iso8601", "time_local":
			has.nginx = true
		case "time", "@timestamp", "timestamp":
			has.wall = true
		case "request", "request_uri", "request_method":
			has.request = p.Val.Kind != '{'
		case "status", "response":
			has.status = p.Val.Kind != '{'
		case "request_time":
			has.elapsed = true
		}
	}
	switch {
	case has.start && (has.code || has.flags || has.method && has.path), has.code && has.flags:
		return "envoy_json"
	case (has.nginx || has.elapsed || has.wall) && has.request && has.status:
		return nginxJSON
	}
	return ""
}

// readEnvoyObject takes in the members of an Envoy object.
func readEnvoyObject(d *draft, pairs []fields.Pair) {
	d.call.Format, d.call.ObserverKind = formatEnvoyJSON, schema.ObserverGateway
	for i := range pairs {
		d.readingFrom(pairs[i].Name)
		d.envoy(&pairs[i])
	}
}
