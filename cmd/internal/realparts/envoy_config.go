package realparts

import (
	"net"
	"strconv"
)

type object = map[string]any

const envoyTypes = "type.googleapis.com/"

// bootstrap returns the configuration of an Envoy with the log format that deploy/gateways/envoy-access-log.yaml recommends.
func bootstrap(port int, log, upstream string) object {
	filters := []object{{"name": "envoy.filters.http.router",
		"typed_config": object{"@type": envoyTypes + "envoy.extensions.filters.http.router.v3.Router"}}}
	routes := []object{{"match": object{"prefix": "/"}, "route": object{"cluster": "upstream"}}}
	return object{"static_resources": object{
		"listeners": []object{{"name": "in", "address": address("127.0.0.1:" + strconv.Itoa(port)),
			"filter_chains": []object{{"filters": []object{{"name": "hcm", "typed_config": object{
				"@type": envoyTypes + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "in",
				"access_log": []object{{"name": "file",
					"typed_config": object{"@type": envoyTypes + "envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": log,
						"log_format": object{"json_format": accessLogFormat}}}},
				"route_config": object{"name": "r", "virtual_hosts": []object{{"name": "v", "domains": []string{"*"}, "routes": routes}}},
				"http_filters": filters,
			}}}}}}},
		"clusters": []object{cluster("upstream", upstream)},
	}}
}

func cluster(name, at string) object {
	return object{"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": object{"cluster_name": name,
		"endpoints": []object{{"lb_endpoints": []object{{"endpoint": object{"address": address(at)}}}}}}}
}

func address(hostPort string) object {
	host, portText, _ := net.SplitHostPort(hostPort)
	port, _ := strconv.Atoi(portText)
	return object{"socket_address": object{"address": host, "port_value": port}}
}

// accessLogFormat is the json_format that the README recommends.
var accessLogFormat = map[string]string{
	"start_time": "%START_TIME%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "protocol": "%PROTOCOL%",
	"response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%", "response_code_details": "%RESPONSE_CODE_DETAILS%",
	"bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%",
	"upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
	"x_forwarded_for":       "%REQ(X-FORWARDED-FOR)%", "user_agent": "%REQ(USER-AGENT)%", "request_id": "%REQ(X-REQUEST-ID)%",
	"authority":        "%REQ(:AUTHORITY)%",
	"upstream_cluster": "%UPSTREAM_CLUSTER%", "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "route_name": "%ROUTE_NAME%",
	"x_consumer": "%REQ(X-CONSUMER)%", "x_agent_id": "%REQ(X-AGENT-ID)%", "x_agent_run_id": "%REQ(X-AGENT-RUN-ID)%",
	"x_task_id": "%REQ(X-TASK-ID)%", "traceparent": "%REQ(TRACEPARENT)%",
}
