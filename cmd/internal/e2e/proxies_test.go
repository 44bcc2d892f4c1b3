package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
)

// The log lines of real nginx, HAProxy, Caddy and Apache for the same requests are read as the
// same calls: with quotes and backslashes in a header, an escaped path, and an invalid
// request.
func TestRealProxiesWriteWhatIsRead(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "hello")
	}))
	defer upstream.Close()
	requests := []struct {
		method, target string
		status         int
	}{{"GET", "/orders/7?expand=items", 200}, {"GET", "/missing/a%20b", 404}, {"GET", "/with%22quote", 200}, {"DELETE", "/orders/9", 200}}
	deployed, err := os.ReadFile("../../../deploy/gateways/nginx-log.conf")
	if err != nil {
		t.Fatal(err)
	}
	nginxLog := strings.Replace(string(deployed), "/var/log/nginx/flyball.json", "LOG", 1)
	for _, p := range realparts.StartProxies(t, upstream.Listener.Addr().String(), nginxLog) {
		began := time.Now()
		for _, q := range requests {
			req, err := http.NewRequest(q.method, p.URL+q.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("User-Agent", `probe/1.0 "quoted" \ back`)
			req.Header.Set("X-Agent-Run-Id", "run-7")
			req.Header.Set("Authorization", "Bearer c4naryS3cret0123")
			r, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", p.Name, err)
			}
			r.Body.Close()
		}
		for format, file := range p.Logs {
			name, _, _ := strings.Cut(format, ":")
			var out []byte
			var calls []map[string]any
			until := time.Now().Add(10 * time.Second)
			for len(calls) < len(requests) && time.Now().Before(until) {
				time.Sleep(100 * time.Millisecond)
				out, _ = exec.Command(binary, "decode", "-o", "json", file).Output()
				calls = nil
				for _, line := range strings.Split(string(out), "\n") {
					var c map[string]any
					if json.Unmarshal([]byte(line), &c) == nil && c["method"] != nil {
						calls = append(calls, c)
					}
				}
			}
			if len(calls) != len(requests) {
				t.Errorf("%s %s: %d calls of %d requests: %s", p.Name, format, len(calls), len(requests), out)
				continue
			}
			if strings.Contains(string(out), "c4nary") {
				t.Errorf("%s %s: the secret is kept: %s", p.Name, format, out)
			}
			for _, q := range requests {
				path, _, _ := strings.Cut(q.target, "?")
				// The order of lines is not fixed: each thread writes its line at its own time.
				i := slices.IndexFunc(calls, func(c map[string]any) bool { return c["path"] == path })
				if i < 0 {
					t.Errorf("%s %s: no call of %s: %v", p.Name, format, path, calls)
					continue
				}
				c := calls[i]
				at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(c["start_time"]))
				if c["format"] != name+"/1" || c["method"] != q.method || c["status"] != float64(q.status) || c["client_ip"] != "127.0.0.1" {
					t.Errorf("%s %s: %v", p.Name, format, c)
				}
				if err != nil || at.Before(began.Add(-2*time.Second)) || at.After(time.Now().Add(time.Second)) {
					t.Errorf("%s %s: began at %v, %v", p.Name, format, c["start_time"], err)
				}
				if name == "caddy" || name == "nginx_json" {
					if c["run_key"] != "run-7" || c["user_agent"] != `probe/1.0 "quoted" \ back` {
						t.Errorf("%s %s: %v %v", p.Name, format, c["run_key"], c["user_agent"])
					}
				}
			}
		}
	}
}
