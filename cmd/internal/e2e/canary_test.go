package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// canaryWord is the beginning of every secret of the test; what follows says where it was put.
const canaryWord = "c4naryS3cret"

func canaryAt(place string) string { return canaryWord + place + "0987654321" }

// canaries looks for secrets in outputs.
type canaries struct {
	t      *testing.T
	looked map[string]int
}

func (c *canaries) notIn(where string, b []byte) {
	c.looked[where] += len(b)
	for _, form := range []string{canaryWord, base64.StdEncoding.EncodeToString([]byte("bob:" + canaryWord))[:12]} {
		if i := bytes.Index(bytes.ToLower(b), []byte(strings.ToLower(form))); i >= 0 {
			c.t.Errorf("%s holds a secret: …%q…", where, b[max(0, i-80):min(len(b), i+60)])
		}
	}
}

// anyPage keeps the bodies of all requests that it gets.
type anyPage struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
}

func takePages(t *testing.T) *anyPage {
	p := &anyPage{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.bodies = append(p.bodies, b)
		p.mu.Unlock()
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *anyPage) all() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Join(p.bodies, []byte("\n"))
}

// secretRequest has a secret in each place that a client chooses.
func secretRequest(method, path string) (target string, h http.Header) {
	h = http.Header{}
	h.Set("X-Consumer", "support/bot")
	h.Set("X-Agent-Run-Id", "run-of-the-canary")
	h.Set("Authorization", "Bearer "+canaryAt("Bearer"))
	h.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("bob:"+canaryAt("Basic"))))
	h.Set("X-Api-Key", canaryAt("ApiKey"))
	h.Set("Cookie", "session="+canaryAt("Cookie"))
	h.Set("Referer", "https://bob:"+canaryAt("Userinfo")+"@host/a?token="+canaryAt("Referer"))
	h.Set("User-Agent", "curl Bearer "+canaryAt("Agent"))
	h.Set("X-Custom", "password="+canaryAt("Custom"))
	return method + " " + path + "?api_key=" + canaryAt("Query") + "&token=" + canaryAt("Token") + "&access_token=" + canaryAt("Access"), h
}

// asLog is the same request as a gateway writes it.
func asLog(at time.Time, method, path string, i int) string {
	target, h := secretRequest(method, path)
	_, uri, _ := strings.Cut(target, " ")
	line := map[string]any{"start_time": at.UTC().Format(time.RFC3339Nano), "method": method, "path": uri, "response_code": 200, "duration": 3,
		"x_consumer": "support/bot", "x_agent_run_id": "run-of-the-canary", "request_id": fmt.Sprintf("canary-%d", i),
		"request_body": `{"password":"` + canaryAt("Body") + `"}`, "upstream_url": "https://bob:" + canaryAt("Upstream") + "@up/x?k=" + canaryAt("K")}
	for k := range h {
		if name := strings.ReplaceAll(strings.ToLower(k), "-", "_"); line[name] == nil {
			line[name] = h.Get(k)
		}
	}
	b, _ := json.Marshal(line)
	return string(b)
}

// A client puts a secret into every place of a request, a broken record and a command; the operator
// has secrets in files and in the environment. None of them is in anything that Flyball writes,
// sends or prints.
func TestCanaryIsInNoOutput(t *testing.T) {
	pages := takePages(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	admin := canaryAt("AdminToken")
	f := install(t, "", "", "detect: {mode: armed}",
		fmt.Sprintf("alerts: {receivers: [{name: phone, webhook: {url: %q, secret_file: %q}}]}", pages.URL+"/"+canaryAt("Hook"),
			file("hook", "whsec_"+base64.StdEncoding.EncodeToString([]byte(canaryAt("HookSecret"))))))
	raw, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), fmt.Sprintf("control: {listen: \"127.0.0.1:%d\"}", f.ports["control"]),
		fmt.Sprintf("control: {listen: \"127.0.0.1:%d\", without_manifest: ask, tokens: [{name: ops, role: admin, value_file: %q}]}",
			f.ports["control"], file("admin", admin)), 1)
	text = strings.Replace(text, fmt.Sprintf("grpc: \"127.0.0.1:%d\"}", f.ports["grpc"]),
		fmt.Sprintf("grpc: \"127.0.0.1:%d\", token_file: %q}", f.ports["grpc"], file("check", canaryAt("CheckToken"))), 1)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLYBALL_TOKEN", admin) // commands of this test pass it on, as a shell does
	f.flags = []string{"--log-level", "debug"}
	f.start("SOME_PASSWORD=" + canaryAt("Environment"))
	look := &canaries{t, map[string]int{}}

	now := time.Now().Add(-time.Minute)
	broken := asLog(now, "GET", "/v1/broken", 0)
	f.send(asLog(now, "GET", "/v1/keys/sk-live-"+canaryAt("Path"), 1), asLog(now, "DELETE", "/v1/orders/7", 2), broken[:len(broken)-2],
		"GET /x HTTP/1.1\r\nCookie: a="+canaryAt("Line")+"\r\nAuthorization: Digest "+canaryAt("Digest"))
	denied := canaryCheck(t, f, look)
	if !denied {
		t.Error("the irreversible call was not asked about: no page was made")
	}
	f.until("calls and dead letters", 60*time.Second, "1\t1", func() (string, error) {
		return f.sql("SELECT (SELECT count() FROM flyball.calls) >= 3, (SELECT count() FROM flyball.dead_letters) >= 2")
	})
	f.until("a page", 30*time.Second, "true", func() (string, error) { return fmt.Sprint(len(pages.all()) > 0), nil })
	canaryCommands(t, f, look)
	canaryStores(t, f, look)
	look.notIn("pages", pages.all())
	canaryProcesses(t, f, look)

	// The crash dump, last: it ends the process.
	_ = f.cmd.Process.Signal(syscall.SIGQUIT)
	<-f.exited
	f.cmd = nil
	log, err := os.ReadFile(filepath.Join(f.dir, "flyball.log"))
	if err != nil || !bytes.Contains(log, []byte("goroutine ")) || !bytes.Contains(log, []byte("level=DEBUG")) {
		t.Errorf("the log has no crash dump or no debug lines: %v", err)
	}
	look.notIn("log and crash dump", log)
	t.Logf("bytes looked through: %v", look.looked)
}

// canaryCheck asks the check about two requests, and reports whether the second was held.
func canaryCheck(t *testing.T, f *flyball, look *canaries) (held bool) {
	t.Helper()
	for _, call := range [][2]string{{"GET", "/v1/orders/7"}, {"DELETE", "/v1/accounts/7"}} {
		target, h := secretRequest(call[0], call[1])
		_, uri, _ := strings.Cut(target, " ")
		req, err := http.NewRequest(call[0], fmt.Sprintf("http://127.0.0.1:%d/check/envoy%s", f.ports["check"], uri),
			strings.NewReader(`{"password":"`+canaryAt("CheckBody")+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		req.Header.Set("X-Flyball-Token", canaryAt("CheckToken"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		look.notIn("answer of the check", append(body, fmt.Sprint(resp.Header)...))
		held = resp.StatusCode == http.StatusForbidden
	}
	return held
}

// canaryCommands runs commands, some with a secret where an id belongs.
func canaryCommands(t *testing.T, f *flyball, look *canaries) {
	t.Helper()
	run := func(args ...string) {
		cmd := exec.Command(binary, append(args, "--config", f.config)...)
		out, _ := cmd.CombinedOutput()
		if len(out) == 0 {
			t.Errorf("flyball %s printed nothing", args[0])
		}
		look.notIn("flyball "+strings.Join(args[:min(2, len(args))], " "), out)
	}
	for _, secret := range []string{canaryAt("Raw"), "Bearer " + canaryAt("RawBearer"), "sk-live-" + canaryAt("RawVendor")} {
		run("breakers", "trip", "credential", secret, "--for", "1m", "--reason", "leaked")
	}
	run("breakers", "trip", "agent", "support/bot", "--for", "1m", "--reason", "its key leaked")
	for _, args := range [][]string{{"runs"}, {"findings"}, {"breakers", "list"}, {"breakers", "gates"}, {"breakers", "history"},
		{"audit", "list"}, {"agents"}, {"routes"}, {"coverage"}, {"stitching"}, {"status"}, {"dead-letters"},
		{"dead-letters", "show", "0"}, {"dead-letters", "show", "1"}, {"dump-config"}, {"check-config"},
		{"run", "run-of-the-canary"}, {"touched", "run-of-the-canary"}} {
		run(args...)
		if args[0] != "check-config" && args[0] != "dump-config" {
			run(append(args, "-o", "json")...)
		}
	}
	for _, form := range []string{"html", "csv"} {
		run("touched", "run-of-the-canary", "-o", form)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", f.ports["metrics"]))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	look.notIn("metrics", b)
}

// canaryStores looks through all tables and all topics of Flyball.
func canaryStores(t *testing.T, f *flyball, look *canaries) {
	t.Helper()
	time.Sleep(2 * time.Second) // snapshots and checkpoints
	tables, err := f.sql("SELECT name FROM system.tables WHERE database = 'flyball' AND engine != 'View'")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range strings.Fields(tables) {
		rows, err := f.sql("SELECT * FROM flyball." + table + " FORMAT JSONEachRow")
		if err != nil {
			t.Fatal(table, err)
		}
		look.notIn("table "+table, []byte(rows))
	}
	for _, topic := range []string{"flyball.calls", "flyball.journal", "flyball.events", "flyball.commands", "flyball.state",
		"flyball.breakers", "flyball.points", "flyball.baselines", "flyball.dead-letters"} {
		for _, r := range f.all(topic) {
			b := append(append(r.Key, ' '), r.Value...)
			for _, h := range r.Headers {
				b = append(append(b, ' '), h.Value...)
			}
			look.notIn("topic "+topic, b)
		}
	}
}

// canaryProcesses looks at the arguments of the process, and at those and the environment of its children.
func canaryProcesses(t *testing.T, f *flyball, look *canaries) {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := 0
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		of := filepath.Dir(stat)
		own := of == fmt.Sprintf("/proc/%d", f.cmd.Process.Pid)
		child := len(fields) > 1 && fields[1] == fmt.Sprint(f.cmd.Process.Pid)
		if !own && !child {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(of, "cmdline"))
		look.notIn("arguments", cmdline)
		if child {
			children++
			environ, _ := os.ReadFile(filepath.Join(of, "environ"))
			look.notIn("environment of a child", environ)
		}
	}
	if children == 0 {
		t.Error("no child was found: the engine should be one")
	}
}
