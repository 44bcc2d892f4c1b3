package realparts

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/tiers"
)

// CaddyVersion and TraefikVersion are the versions that tests build from the Go module proxy.
const (
	CaddyVersion   = "v2.11.9"
	TraefikVersion = "v3.6.12"
)

// Gateway is a real gateway, configured by a file of deploy/gateways, that calls Flyball's check before it forwards a request.
type Gateway struct {
	Name string
	URL  string
	Log  string // its access log
}

// gateways maps the name of each gateway to its configuration files.
var gateways = map[string][]string{
	"envoy-grpc": {"envoy-grpc.yaml"},
	"envoy-http": {"envoy-http.yaml"},
	"nginx":      {"nginx.conf"},
	"caddy":      {"Caddyfile"},
	"traefik":    {"traefik.yml", "traefik-dynamic.yml"},
	"haproxy":    {"haproxy.cfg", "haproxy-flyball.lua"},
}

// logins are the replacements that make a gateway authenticate callers: the header X-Login names the caller, and the gateway forwards the
// name as X-Consumer. Each replaces an example that is a comment in the file.
var logins = [][2]string{
	{`# - {append: {header: {key: x-consumer, value: "%DOWNSTREAM_PEER_URI_SAN%"}`,
		`- {append: {header: {key: x-consumer, value: "%REQ(X-LOGIN)%"}`},
	{"# set $consumer $ssl_client_s_dn;", "set $consumer $http_x_login;"},
	{"# request_header X-Consumer {http.request.tls.client.subject}", "request_header X-Consumer {http.request.header.X-Login}"},
	{"# http-request set-header X-Consumer %[ssl_c_s_dn]",
		"http-request set-header X-Consumer %[req.fhdr(x-login)] if { req.fhdr(x-login) -m found }"},
	{`# login: {forwardAuth: {address: "http://127.0.0.1:7000/login"`, `login: {forwardAuth: {address: "ASKS-WHO"`},
	{", own, flyball, after]", ", own, login, flyball, after]"},
}

// StartGateway starts a gateway with its files in folder and stops it with the test. It changes only addresses and paths in the files and
// enables the example of authentication, so that X-Login names the caller.
func StartGateway(t testing.TB, name, folder, upstream, check, grpc string) *Gateway {
	t.Helper()
	dir := t.TempDir()
	port := FreePort(t)
	g := &Gateway{Name: name, URL: fmt.Sprintf("http://127.0.0.1:%d", port), Log: filepath.Join(dir, "access.jsonl")}
	portOf := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	fill := strings.NewReplacer("127.0.0.1:10000", fmt.Sprintf("127.0.0.1:%d", port), "http://:10000", fmt.Sprintf("http://:%d", port),
		"port_value: 10000", fmt.Sprintf("port_value: %d", port),
		"127.0.0.1:8080", upstream, "port_value: 8080", "port_value: "+portOf(upstream),
		"127.0.0.1:7172", check, `"127.0.0.1", 7172`, fmt.Sprintf("%q, %s", "127.0.0.1", portOf(check)), "port_value: 7172",
		"port_value: "+portOf(check), "127.0.0.1:7173", grpc, "port_value: 7173", "port_value: "+portOf(grpc),
		"/var/log/gateway", dir, "/run/gateway", dir)
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.Header.Get("X-Login"); name != "" {
			w.Header().Set("X-Consumer", name)
		}
	}))
	t.Cleanup(login.Close)
	var config []string
	for _, file := range gateways[name] {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		config = append(config, filepath.Join(dir, file))
		filled := strings.ReplaceAll(fill.Replace(authenticated(string(text))), "ASKS-WHO", login.URL)
		if err := os.WriteFile(config[len(config)-1], []byte(filled), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if name == "haproxy" {
		g.Log = filepath.Join(dir, "output.log")
	}
	command, err := gatewayCommand(name, config[0], dir)
	if err != nil {
		missing(t, "gateways", err)
	}
	tiers.Ran("gateways")
	// Caddy stores files in HOME. HOME is changed only for the gateway: the real parts are cached in the HOME of this process.
	p := launch(t, filepath.Join(dir, "output.log"), "env", append([]string{"HOME=" + dir}, command...)...)
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get(g.URL + "/healthz"); err == nil {
			r.Body.Close()
			if r.StatusCode != http.StatusNotFound { // Traefik returns this status before its routes are loaded
				return g
			}
		}
	}
	t.Fatalf("%s does not listen: %s", name, p.tail())
	return nil
}

func authenticated(text string) string {
	for _, l := range logins {
		text = strings.ReplaceAll(text, l[0], l[1])
	}
	return text
}

func gatewayCommand(name, config, dir string) ([]string, error) {
	switch name {
	case "envoy-grpc", "envoy-http":
		bin, err := FetchEnvoy()
		return []string{bin, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--file-flush-interval-msec", "100",
			"--file-flush-min-size-kb", "1", "--log-level", "error"}, err
	case "nginx":
		return []string{"nginx", "-e", filepath.Join(dir, "error.log"), "-c", config, "-g", "daemon off;"}, need("nginx")
	case "caddy":
		bin, err := FetchCaddy()
		return []string{bin, "run", "--adapter", "caddyfile", "--config", config}, err
	case "haproxy":
		return []string{"haproxy", "-db", "-f", config}, need("haproxy")
	case "traefik":
		bin, err := FetchTraefik()
		return []string{bin, "--configFile=" + config}, err
	}
	return nil, fmt.Errorf("no gateway %q", name)
}

// FetchCaddy builds Caddy from its module, once, in about two minutes on two cores, and returns the path of the binary.
func FetchCaddy() (string, error) {
	dir := filepath.Join(Cache(), "caddy-"+strings.TrimPrefix(CaddyVersion, "v"))
	bin := filepath.Join(dir, "caddy")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	cmd := exec.Command("go", "install", "github.com/caddyserver/caddy/v2/cmd/caddy@"+CaddyVersion)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Caddy %s: %w: %s", CaddyVersion, err, last(out))
	}
	return bin, nil
}

// traefikModule is a go.mod with the replacements of Traefik's own go.mod.
const traefikModule = `module traefik

go 1.26.0

require github.com/traefik/traefik/v3 ` + TraefikVersion + `

replace (
	github.com/abbot/go-http-auth => github.com/containous/go-http-auth v0.4.1-0.20200324110947-a37a7636d23e
	github.com/gorilla/mux => github.com/containous/mux v0.0.0-20250523120546-41b6ec3aed59
	github.com/mailgun/minheap => github.com/containous/minheap v0.0.0-20190809180810-6e71eb837595
)

exclude github.com/tencentcloud/tencentcloud-sdk-go v3.0.83+incompatible
`

// FetchTraefik builds Traefik from its module, once, in about eight minutes on two cores, and returns the path of the binary.
// Because of that time, tests use Traefik only if FLYBALL_TEST_TRAEFIK is set.
func FetchTraefik() (string, error) {
	dir := filepath.Join(Cache(), "traefik-"+strings.TrimPrefix(TraefikVersion, "v"))
	bin := filepath.Join(dir, "traefik")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	src := filepath.Join(dir, "src")
	if err := os.MkdirAll(src, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(src, "go.mod"), []byte(traefikModule), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", bin, "github.com/traefik/traefik/v3/cmd/traefik")
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Traefik %s: %w: %s", TraefikVersion, err, last(out))
	}
	return bin, nil
}

func last(out []byte) string {
	if len(out) > 500 {
		out = out[len(out)-500:]
	}
	return string(out)
}
