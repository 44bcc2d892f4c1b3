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

// nginxJSON is a preset without a fixed set of member names: operators of nginx choose the names.
const nginxJSON = "nginx_json"

// shape is a set of signs for a format, found in the members of an object.
type shape uint16

const (
	hasStart shape = 1 << iota
	hasCode
	hasFlags
	hasMethod
	hasPath
	hasNginxTime
	hasTime
	hasRequest
	hasStatus
	hasElapsed
	hasNginx
)

func (s shape) all(bits shape) bool { return s&bits == bits }
func (s shape) any(bits shape) bool { return s&bits != 0 }

// signOf returns the sign that a member with this name is, or 0.
func signOf(name string) shape {
	switch name {
	case "start_time", "starttime":
		return hasStart
	case "response_code", "status_code", "responsecode":
		return hasCode
	case "response_flags", "response_code_details", "responseflags", "responsecodedetails":
		return hasFlags
	case "method", "httpmethod":
		return hasMethod
	case "path", "uri", "uri_path", "x_envoy_origin_path", "authority":
		return hasPath
	case "msec", "time_iso8601", "time_local":
		return hasNginxTime | hasNginx
	case "body_bytes_sent", "upstream_response_time", "upstream_addr", "upstream_status", "http_referer", "http_referrer",
		"http_user_agent", "remote_addr":
		return hasNginx
	case "time", "@timestamp", "timestamp", "ts":
		return hasTime
	case "request_time":
		return hasElapsed | hasNginx
	case "request", "request_uri", "request_method":
		return hasRequest
	case "status", "response", "code", "http_status", "http_code":
		return hasStatus
	case "rt", "urt":
		return hasElapsed | hasNginx
	}
	return 0
}

// detectShape returns the format of an object of Envoy or nginx by the names of its members, or the empty string.
func detectShape(pairs []fields.Pair) string {
	var s shape
	for i := range pairs {
		bit := signOf(pairs[i].Key)
		if bit&(hasRequest|hasStatus) != 0 && pairs[i].Val.Kind == '{' {
			s &^= bit // nginx writes only texts and numbers
			continue
		}
		s |= bit
	}
	switch {
	case s.any(hasStart) && (s.any(hasCode|hasFlags) || s.all(hasMethod|hasPath) || s.all(hasRequest|hasStatus)), s.all(hasCode | hasFlags):
		return envoyJSON
	case s.any(hasNginxTime|hasElapsed|hasTime) && s.all(hasRequest|hasStatus), s.all(hasNginx|hasMethod|hasPath) && s.any(hasStatus|hasCode):
		return nginxJSON
	}
	return ""
}

// readEnvoyObject reads the members of an Envoy object into d.
func readEnvoyObject(d *draft, pairs []fields.Pair) {
	d.call.Format, d.call.ObserverKind = formatEnvoyJSON, schema.ObserverGateway
	for i := range pairs {
		d.readingFrom(pairs[i].Name)
		d.envoy(&pairs[i])
	}
}
