package realparts

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/tiers"
)

// Proxy is a real gateway in front of an upstream, with its access logs.
type Proxy struct {
	Name string
	URL  string
	// Logs maps the format in which Flyball reads a file to its path. A suffix distinguishes several files of one format: "combined:vhost".
	Logs map[string]string
}

// StartProxies starts Debian's nginx, HAProxy, Caddy and Apache in front of an upstream (host:port), each with its usual log formats.
// nginxLog is inserted into nginx's http block; LOG in it is replaced by the path of the log file.
func StartProxies(t testing.TB, upstream, nginxLog string) []*Proxy {
	t.Helper()
	if err := need("nginx", "haproxy", "caddy", "apache2"); err != nil {
		missing(t, "proxies", err)
	}
	tiers.Ran("proxies")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // Apache's workers run as another user
		t.Fatal(err)
	}
	var out []*Proxy
	for _, p := range proxies {
		out = append(out, startProxy(t, filepath.Join(dir, p.name), p, upstream, nginxLog))
	}
	return out
}

// proxySpec is how a gateway is started. Words in capitals are filled in.
type proxySpec struct {
	name, config string
	args         []string
	logs         map[string]string // file by format
}

var proxies = []proxySpec{
	{"nginx", nginxConfig, []string{"nginx", "-e", "DIR/error.log", "-c", "CONFIG", "-g", "daemon off;"},
		map[string]string{"combined": "combined.log", "combined:main": "main.log", "nginx_json": "access.jsonl",
			"nginx_json:deploy": "deploy.jsonl", "ingress_nginx": "ingress.log"}},
	{"haproxy", haproxyConfig, []string{"haproxy", "-db", "-f", "CONFIG"}, map[string]string{"haproxy": "output.log"}},
	{"caddy", caddyConfig, []string{"caddy", "run", "--adapter", "caddyfile", "--config", "CONFIG"},
		map[string]string{"caddy": "access.jsonl"}},
	{"apache", apacheConfig, []string{"apache2", "-D", "FOREGROUND", "-f", "CONFIG"},
		map[string]string{"combined": "combined.log", "combined:vhost": "vhost.log", "combined:common": "common.log"}},
}

// startProxy starts a gateway in a new folder, and waits until it listens.
func startProxy(t testing.TB, home string, p proxySpec, upstream, nginxLog string) *Proxy {
	t.Helper()
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	port := FreePort(t)
	fill := strings.NewReplacer("NGINXLOG", strings.ReplaceAll(nginxLog, "LOG", filepath.Join(home, "deploy.jsonl")), "DIR", home, "PORT",
		fmt.Sprint(port), "UPSTREAM", upstream, "CONFIG", filepath.Join(home, "config"))
	if err := os.WriteFile(filepath.Join(home, "config"), []byte(fill.Replace(p.config)), 0o644); err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, arg := range p.args {
		args = append(args, fill.Replace(arg))
	}
	t.Setenv("HOME", home) // Caddy stores files in HOME
	started := launch(t, filepath.Join(home, "output.log"), args[0], args[1:]...)
	t.Cleanup(func() { started.stop(syscall.SIGTERM) })
	until := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%s does not listen: %s", p.name, started.tail())
		}
		time.Sleep(50 * time.Millisecond)
	}
	proxy := &Proxy{Name: p.name, URL: fmt.Sprintf("http://127.0.0.1:%d", port), Logs: map[string]string{}}
	for format, file := range p.logs {
		proxy.Logs[format] = filepath.Join(home, file)
	}
	return proxy
}

const nginxConfig = `pid DIR/pid;
events {}
http {
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
  log_format ingress '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [shop-80] [] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $request_id';
  log_format js escape=json '{"msec":"$msec","remote_addr":"$remote_addr","request_method":"$request_method","request_uri":"$request_uri","status":"$status","body_bytes_sent":"$body_bytes_sent","request_length":"$request_length","request_time":"$request_time","upstream_response_time":"$upstream_response_time","upstream_status":"$upstream_status","http_user_agent":"$http_user_agent","host":"$host","request_id":"$request_id","http_x_agent_run_id":"$http_x_agent_run_id"}';
  access_log DIR/combined.log combined;
  access_log DIR/main.log main;
  access_log DIR/ingress.log ingress;
  access_log DIR/access.jsonl js;
  NGINXLOG
  server { listen 127.0.0.1:PORT; location / { proxy_pass http://UPSTREAM; } }
}
`

const haproxyConfig = `global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend fe
  bind 127.0.0.1:PORT
  http-request capture req.hdr(x-agent-run-id) len 64
  default_backend shop
backend shop
  server s1 UPSTREAM
`

const caddyConfig = `{
  admin off
  auto_https off
}
http://127.0.0.1:PORT {
  log {
    output file DIR/access.jsonl
    format json
  }
  reverse_proxy UPSTREAM
}
`

const apacheConfig = `ServerRoot DIR
ServerName shop.example
PidFile DIR/pid
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Listen 127.0.0.1:PORT
ErrorLog DIR/error.log
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined
LogFormat "%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" vhost
LogFormat "%h %l %u %t \"%r\" %>s %b" common
CustomLog DIR/combined.log combined
CustomLog DIR/vhost.log vhost
CustomLog DIR/common.log common
ProxyPass / http://UPSTREAM/
`
