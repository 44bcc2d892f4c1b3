package decode

import (
	"strings"

	"flyball/ingest/fields"
	"flyball/schema"
)

// envoy takes in a field of Envoy's JSON: Istio's names, Envoy Gateway's, the
// AI gateway's, or an operator's own.
func (d *draft) envoy(p *fields.Pair) {
	c, v := &d.call, p.Val
	switch p.Key {
	case "start_time":
		d.time(9, v.Text(), false)
	case "timestamp", "time", "@timestamp":
		d.time(1, v.Text(), false)
	case "duration":
		d.duration(v.Text(), 1e6)
	case "response_flags":
		if d.flags = v.Text(); d.flags != "" {
			d.keep("response_flags", d.flags)
		}
	case "response_code_details":
		if d.details = v.Text(); d.details != "" && d.details != "via_upstream" {
			d.keep("response_code_details", d.details)
		}
	case "bytes_received":
		c.BytesIn = v.Count()
	case "bytes_sent":
		c.BytesOut = v.Count()
	case "upstream_service_time", "x_envoy_upstream_service_time":
		if ns, ok := parseAmount(v.Text(), 1e6); ok {
			c.UpstreamNs = ns
		}
	case "upstream_cluster":
		d.cluster(v.Text())
	case "protocol", "upstream_host", "upstream_local_address", "downstream_local_address", "requested_server_name", "upstream_cluster_raw":
		// Addresses of the mesh itself say nothing of the call.
	case "connection_termination_details", "upstream_transport_failure_reason":
		c.ErrorMessage = first(v.Text(), c.ErrorMessage)
	case "upstream_request_attempt_count":
		c.Attempts = uint8(min(v.Count(), 255))
	case "route_name":
		if t := v.Text(); t != "default" {
			d.keep("route_name", t)
		}
	case "kubernetes", "stream", "_p", "log", "message", "@metadata", "agent", "ecs", "input":
		// Of the shipper that merged the record with its own.
	default:
		if !d.field(p.Key, v) {
			d.keep(p.Name, v.Text())
		}
	}
}

// cluster names the upstream. A mesh's name for it is direction|port|subset|host:
// the host is the service, the direction tells a sidecar.
func (d *draft) cluster(s string) {
	c := &d.call
	if strings.HasPrefix(s, "inbound|") {
		c.ObserverKind = schema.ObserverSidecar
	}
	if strings.Count(s, "|") == 3 {
		s = s[strings.LastIndexByte(s, '|')+1:]
	}
	c.API = s
}

// duration takes in a duration in units of that many nanoseconds. What is
// negative or longer than a year is a mark for "not reached", or a mistake.
func (d *draft) duration(s string, unit int64) {
	if ns, ok := parseAmount(s, unit); ok && ns <= maxDuration {
		d.call.DurationNs = ns
	}
}

const maxDuration = 366 * 24 * 3600 * 1_000_000_000
