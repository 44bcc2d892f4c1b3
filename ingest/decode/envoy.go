package decode

import (
	"strings"

	"flyball/ingest/fields"
	"flyball/schema"
)

// envoy reads a member of Envoy's JSON log: with the names of Istio, Envoy Gateway or the AI gateway, or with names that the operator
// chose.
func (d *draft) envoy(p *fields.Pair) {
	if set := envoyTable.get(p.Key); set != nil {
		set(d, p.Val)
		return
	}
	if !d.field(p.Key, p.Val) {
		d.keep(p.Name, p.Val.Text())
	}
}

// envoyTable contains the fields of Envoy's access log that other gateways do not use. init adds the shared fields.
var envoyTable = newTable(
	names(func(d *draft, v fields.Value) { d.time(rankTimeStart, v.Text(), false) }, "start_time", "starttime"),
	names(func(d *draft, v fields.Value) { d.time(rankTimeLine, v.Text(), false) }, "timestamp", "time", "@timestamp"),
	names(func(d *draft, v fields.Value) { d.duration(v.Text(), 1e6) }, "duration"),
	names(setResponseFlags, "response_flags", "responseflags"),
	names(setResponseDetails, "response_code_details", "responsecodedetails"),
	names(func(d *draft, v fields.Value) { d.call.BytesIn = v.Count() }, "bytes_received", "bytesreceived"),
	names(func(d *draft, v fields.Value) { d.call.BytesOut = v.Count() }, "bytes_sent", "bytessent"),
	names(setUpstreamTime, "upstream_service_time", "x_envoy_upstream_service_time", "upstreamservicetime"),
	names(func(d *draft, v fields.Value) { d.elapsed.request = v.Text() }, "request_time"),
	names(func(d *draft, v fields.Value) { d.elapsed.upstream = v.Text() }, "upstream_response_time"),
	names(func(d *draft, v fields.Value) { d.call.BytesIn = v.Count() }, "request_length"),
	names(func(d *draft, v fields.Value) { d.call.BytesOut = v.Count() }, "body_bytes_sent"),
	names(text(func(d *draft) *string { return &d.forwarded }), "forwarded_for"),
	names(func(d *draft, v fields.Value) { d.elapsed.envoy = true; d.cluster(v.Text()) }, "upstream_cluster", "upstreamcluster"),
	names(text(func(d *draft) *string { return &d.call.ErrorMessage }), "connection_termination_details", "upstream_transport_failure_reason",
		"upstream_failure_reason"),
	names(func(d *draft, v fields.Value) { d.call.Attempts = uint8(min(v.Count(), 255)) }, "upstream_request_attempt_count"),
	names(keepRouteName, "route_name"),
	// Addresses inside the mesh do not describe the call.
	names(ignore, "protocol", "upstream_host", "upstream_local_address", "downstream_local_address", "requested_server_name",
		"upstream_cluster_raw", "upstreamhost", "upstream", "upstream_local", "downstream_local", "requested_server", "upstream_service",
		"mixer_status",
		"original_message", "server_protocol"),
	names(requestID(rankRequestHeader), "requestid"),
	names(text(func(d *draft) *string { return &d.call.UserAgent }), "useragent"),
	names(text(func(d *draft) *string { return &d.peer }), "downstreamremoteaddress"),
	names(text(func(d *draft) *string { return &d.forwarded }), "xforwardedfor"),
	// Fields that a shipper adds to the record.
	names(ignore, "kubernetes", "stream", "_p", "log", "message", "@metadata", "agent", "ecs", "input"),
)

func setResponseFlags(d *draft, v fields.Value) {
	d.elapsed.envoy = true
	if d.flags = v.Text(); d.flags != "" {
		d.keep("response_flags", d.flags)
	}
}

func setResponseDetails(d *draft, v fields.Value) {
	d.elapsed.envoy = true
	if d.details = v.Text(); d.details != "" && d.details != "via_upstream" {
		d.keep("response_code_details", d.details)
	}
}

func setUpstreamTime(d *draft, v fields.Value) {
	if ns, ok := parseAmount(v.Text(), 1e6); ok {
		d.call.UpstreamNs = ns
	}
}

func keepRouteName(d *draft, v fields.Value) {
	if t := v.Text(); t != "default" {
		d.keep("route_name", t)
	}
}

// cluster sets the upstream from a cluster name. In a mesh the name is direction|port|subset|host: the host is the service, and the
// direction inbound means that a sidecar logged the call.
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

// duration reads a duration; unit is its unit in nanoseconds. It ignores durations that are negative (some sources write them for "not
// reached") or longer than a year.
func (d *draft) duration(s string, unit int64) {
	if ns, ok := parseAmount(s, unit); ok && ns <= maxDuration {
		d.call.DurationNs = ns
	}
}

const maxDuration = 366 * 24 * 3600 * 1_000_000_000
