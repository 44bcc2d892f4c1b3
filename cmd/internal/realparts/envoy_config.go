package realparts

import (
	"net"
	"strconv"
)

type object = map[string]any

const envoyTypes = "type.googleapis.com/"

// bootstrap is Envoy's configuration, as deploy/gateways/envoy.yaml explains it.
func bootstrap(port int, log, upstream, check string) object {
	filters := []object{{"name": "envoy.filters.http.router", "typed_config": object{"@type": envoyTypes + "envoy.extensions.filters.http.router.v3.Router"}}}
	routes := []object{{"match": object{"prefix": "/"}, "route": object{"cluster": "upstream"}}}
	clusters := []object{cluster("upstream", upstream, false)}
	if check != "" {
		read, write := authz("flyball-read"), authz("flyball-write")
		config := read["typed_config"].(object)
		config["failure_mode_allow"], config["failure_mode_allow_header_add"] = true, true
		write["typed_config"].(object)["status_on_error"] = object{"code": "ServiceUnavailable"}
		read["disabled"] = true // a route that nobody thought of meets the closed one
		filters = append([]object{read, write}, filters...)
		reads := object{"prefix": "/", "headers": []object{{"name": ":method", "string_match": object{"safe_regex": object{"regex": "GET|HEAD|OPTIONS"}}}}}
		routes = append([]object{{"match": reads, "route": object{"cluster": "upstream"}, "typed_per_filter_config": object{
			"flyball-read":  filterConfig(object{"config": object{"@type": envoyTypes + "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", "check_settings": object{}}}),
			"flyball-write": filterConfig(object{"disabled": true})}}}, routes...)
		clusters = append(clusters, cluster("flyball", check, true))
	}
	return object{"static_resources": object{
		"listeners": []object{{"name": "in", "address": address("127.0.0.1:" + strconv.Itoa(port)),
			"filter_chains": []object{{"filters": []object{{"name": "hcm", "typed_config": object{
				"@type": envoyTypes + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "in",
				"access_log": []object{{"name": "file", "typed_config": object{"@type": envoyTypes + "envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": log,
					"log_format": object{"json_format": AccessLogFormat}}}},
				"route_config": object{"name": "r", "virtual_hosts": []object{{"name": "v", "domains": []string{"*"}, "routes": routes}}},
				"http_filters": filters,
			}}}}}}},
		"clusters": clusters,
	}}
}

func authz(name string) object {
	return object{"name": name, "typed_config": object{"@type": envoyTypes + "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "transport_api_version": "V3",
		"stat_prefix": name, "grpc_service": object{"timeout": "1s", "envoy_grpc": object{"cluster_name": "flyball"}}}}
}

func filterConfig(c object) object {
	c["@type"] = envoyTypes + "envoy.config.route.v3.FilterConfig"
	return c
}

func cluster(name, at string, http2 bool) object {
	c := object{"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": object{"cluster_name": name,
		"endpoints": []object{{"lb_endpoints": []object{{"endpoint": object{"address": address(at)}}}}}}}
	if http2 {
		c["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
			"@type": envoyTypes + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": object{"http2_protocol_options": object{}}}}
	}
	return c
}

func address(hostPort string) object {
	host, portText, _ := net.SplitHostPort(hostPort)
	port, _ := strconv.Atoi(portText)
	return object{"socket_address": object{"address": host, "port_value": port}}
}

// AccessLogFormat is the json_format that the README recommends.
var AccessLogFormat = map[string]string{
	"start_time": "%START_TIME%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "protocol": "%PROTOCOL%",
	"response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%", "response_code_details": "%RESPONSE_CODE_DETAILS%",
	"bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%", "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
	"x_forwarded_for": "%REQ(X-FORWARDED-FOR)%", "user_agent": "%REQ(USER-AGENT)%", "request_id": "%REQ(X-REQUEST-ID)%", "authority": "%REQ(:AUTHORITY)%",
	"upstream_cluster": "%UPSTREAM_CLUSTER%", "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "route_name": "%ROUTE_NAME%",
	"x_consumer": "%REQ(X-CONSUMER)%", "x_agent_id": "%REQ(X-AGENT-ID)%", "x_agent_run_id": "%REQ(X-AGENT-RUN-ID)%", "x_task_id": "%REQ(X-TASK-ID)%", "traceparent": "%REQ(TRACEPARENT)%",
}
