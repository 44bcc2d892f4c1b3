package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/route"
)

// configFile is a configuration file that a test changes.
type configFile struct {
	t    *testing.T
	path string
}

func (f configFile) write(name, text string) string {
	f.t.Helper()
	path := filepath.Join(filepath.Dir(f.path), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// filed writes a configuration into a file, with more keys, and reads it.
func filed(t *testing.T, c config.Config, more string) (config.Config, configFile, string) {
	t.Helper()
	f := configFile{t, filepath.Join(c.Data, "flyball.yaml")}
	base := fmt.Sprintf("secret_key_file: %s\nkafka: {brokers: ['%s'], partitions: 2}\nclickhouse: {addr: ['127.0.0.1:1']}\n"+
		"control: {listen: '127.0.0.1:0'}\ncheck: {listen: '127.0.0.1:0', grpc: '127.0.0.1:0'}\nmetrics: {listen: '127.0.0.1:0'}\n",
		c.SecretKeyFile, strings.Join(c.Kafka.Brokers, "', '"))
	f.write("flyball.yaml", base+more)
	out, err := config.Load(f.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	out.Data = c.Data
	return out, f, base
}

// A changed file that the next start refuses was read as if it were good, and stopped that start.
func TestChangedFileThatAStartRefusesIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	f := configFile{t, filepath.Join(dir, "flyball.yaml")}
	f.write("flyball.yaml", "agents: [{id: a, consumer: c}]\n")
	c, err := config.Load(f.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = filepath.Join(dir, "data")
	var log bytes.Buffer
	p := newProcess(c, nil, slog.New(slog.NewTextHandler(&log, nil)))
	p.registry = newRegistry(c)
	p.rereading.add("agents", func(next config.Config) (change, error) {
		return change{apply: func() { p.registry.put(next.Agents) }}, nil
	})
	p.rereading.watch(p.files, p.metrics)
	refused := false
	p.rereading.add("last", func(config.Config) (change, error) {
		if refused {
			return change{}, fmt.Errorf("the last part cannot use it")
		}
		return change{apply: func() {}}, nil
	})
	for rest, want := range map[string]string{
		"routes: [{openapi: nosuch.yaml}]\n":                                "routes[0].openapi",
		"secret_key_file: nosuch\n":                                         "secret_key_file",
		"control: {tokens: [{name: a, role: admin, value_file: nosuch}]}\n": "control.tokens[0].value_file",
		"kafka: {brokers: [k]}\n":                                           "kafka.brokers[0]",
		"":                                                                  "the last part cannot use it",
	} {
		refused = rest == ""
		f.write("flyball.yaml", "agents: [{id: b, consumer: c}]\n"+rest)
		p.files.look(true)
		if _, unusable := p.file.state(); !strings.Contains(unusable, want) || p.registry.agent("a").ID != "a" || p.registry.agent("b").ID != "" {
			t.Errorf("%s: %q, want %q; the registry has %+v", rest, unusable, want, p.registry.agent("b"))
		}
		if n := p.files.unusable(); n != 1 {
			t.Errorf("%s: %v values cannot be used", rest, n)
		}
	}
	refused = false
	f.write("flyball.yaml", "alerts:\n  receivers:\n  - name: a\n    webhook:\n      url: https://hooks.example/T0/secret\n     name: b\n")
	p.files.look(true)
	if _, unusable := p.file.state(); unusable == "" || strings.Contains(unusable+log.String(), "T0/secret") {
		t.Errorf("a mistake beside a secret: %q\n%s", unusable, log.String())
	}
	f.write("flyball.yaml", "agents: [{id: b, consumer: c}]\ndetect: {mode: armed}\n")
	p.files.look(true)
	changed, unusable := p.file.state()
	if unusable != "" || !slices.Equal(changed, []string{"detect.mode"}) || p.registry.agent("b").ID != "b" || p.registry.agent("a").ID != "" {
		t.Errorf("a good file: %q, %q", changed, unusable)
	}
	for _, want := range []string{"in_force=agents", "changed=detect.mode", "beyond what is read again"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	if p.files.unusable() != 0 || p.files.warning() != nil {
		t.Errorf("%v, %v", p.files.unusable(), p.files.warning())
	}
}

// The reference says which keys are read again; what is put in force must be the same keys.
func TestReferenceAndWhatIsPutInForceDiffer(t *testing.T) {
	t.Chdir(t.TempDir())
	before := config.Default()
	next, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	next.Agents, next.Routes, next.Mappings = []config.Agent{{ID: "a"}}, []config.Route{{Tool: "t"}}, []string{"m"}
	next.Alerts.Receivers, next.Alerts.Routes = []config.Receiver{{Name: "r"}}, []config.AlertRoute{{Name: "n"}}
	next.Alerts.RemindAfter, next.Alerts.Grouping.Agents, next.Detect.Mode = 0, 99, config.ModeArmed
	next.Kafka.Inputs, next.Control.Tokens, next.Learn.MinRuns, next.Tenant = nil, []config.Token{{}}, 7, "x"
	for _, key := range changedKeys(before, withReread(before, next)) {
		if !config.IsReread(key) {
			t.Errorf("%s is put in force, and the reference says that it is not", key)
		}
	}
	for _, key := range changedKeys(withReread(before, next), next) {
		if config.IsReread(key) {
			t.Errorf("%s is not put in force, and the reference says that it is", key)
		}
	}
	for _, k := range config.Reference() {
		if k.Again == config.AgainYes && !strings.HasPrefix(k.Key, "alerts.") && !slices.Contains([]string{"agents", "routes", "mappings"},
			strings.FieldsFunc(k.Key, func(r rune) bool { return r == '.' || r == '[' })[0]) {
			t.Errorf("%s: withReread does not know it", k.Key)
		}
	}
}

// hooks is a receiver of pages that notes with which of two secrets they are signed.
type hooks struct {
	mu      sync.Mutex
	signers []string // a or b
}

func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	signer := ""
	for name, secret := range map[string]string{"a": strings.Repeat("AAA", 11), "b": strings.Repeat("BBB", 12)} {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		if r.Header.Get("webhook-signature") == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			signer = name
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signers = append(h.signers, signer)
}

// seen returns the secrets of the pages so far.
func (h *hooks) seen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.signers, "")
}

const mappingOfRecords = "version: 1\nname: own\nset:\n  path: %s\n  method: m\n  status: s\n  start_time: {from: t, time: epoch_ms}\n"

// Routes, mappings, receivers, their secrets and routes of pages needed a restart.
func TestRoutesMappingsAndReceiversNeedARestart(t *testing.T) {
	c := deployment(t)
	first, second := &hooks{}, &hooks{}
	urls := [2]string{}
	for i, h := range []*hooks{first, second} {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		urls[i] = server.URL
	}
	receivers := func(list ...string) string { return "alerts: {receivers: [" + strings.Join(list, ", ") + "]" }
	hook := func(name, url string) string {
		return fmt.Sprintf("{name: %s, webhook: {url: '%s', secret_file: hook}}", name, url)
	}
	rest := "mappings: [own.yaml]\nroutes: [{method: POST, template: '/orders/{id}', effect: create}]\n" + receivers(hook("one",
		urls[0])) + "}\n"
	own := configFile{t, filepath.Join(c.Data, "flyball.yaml")}
	own.write("own.yaml", fmt.Sprintf(mappingOfRecords, "a"))
	c, f, base := filed(t, c, "")
	base = strings.Replace(base, "partitions: 2}", "partitions: 2, inputs: [{topic: gateway-logs, format: own}]}", 1)
	f.write("flyball.yaml", base+rest)
	c, err := config.Load(f.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = filepath.Dir(f.path)
	roles := []string{"ingest", "control", "alert"}
	if err := Validate(c, roles...); err != nil {
		t.Fatal(err)
	}
	p := newProcess(c, roles, quiet())
	defer p.stop()
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.started.Store(true)
	effect := func() string {
		var call schema.Call
		call.Method, call.Path = "POST", "/orders/7"
		p.learned.routes.Classify(&call, &route.Input{})
		return call.Effect.String()
	}
	path := func() string {
		calls, dead := p.pipeline.Decode(&decode.Record{Topic: "gateway-logs", Timestamp: time.Now().UnixNano(),
			Value: []byte(`{"a":"/of-a","b":"/of-b","m":"GET","s":200,"t":1790933415474}`)}, nil)
		if len(calls) != 1 {
			return fmt.Sprint(dead)
		}
		return calls[0].Path
	}
	deliver := func(name string) error {
		for _, r := range p.alarms.receivers {
			if r.name == name {
				page := alarmPage("t", name, time.Now(), time.Now())
				return r.deliver.Deliver(t.Context(), &page)
			}
		}
		return fmt.Errorf("no receiver %s", name)
	}
	if effect() != "create" || path() != "/of-a" || deliver("one") != nil || first.seen() != "a" {
		t.Fatalf("before: %s, %s, pages %q", effect(), path(), first.seen())
	}

	// All at once: another mapping, another effect, another address, one receiver more, and a route of pages.
	own.write("own.yaml", fmt.Sprintf(mappingOfRecords, "b"))
	f.write("flyball.yaml", base+strings.Replace(strings.Replace(rest, "create", "pay", 1), receivers(hook("one", urls[0])),
		receivers(hook("one", urls[1]), hook("two", urls[0]))+", routes: [{receivers: [two]}]", 1))
	p.files.look(false)
	if changed, unusable := p.file.state(); len(changed) > 0 || unusable != "" {
		t.Fatalf("%q, %q", changed, unusable)
	}
	if effect() != "pay" || path() != "/of-b" || deliver("one") != nil || deliver("two") != nil || first.seen() != "aa" ||
		second.seen() != "a" {
		t.Errorf("after: %s, %s, pages %q and %q", effect(), path(), first.seen(), second.seen())
	}
	names := func() (out []string) {
		for _, s := range p.parts.states() {
			if strings.HasPrefix(s.Part, "alert.") && s.Part != "alert.points" {
				out = append(out, s.Part)
			}
		}
		slices.Sort(out)
		return out
	}
	if got := names(); !slices.Equal(got, []string{"alert.one", "alert.two"}) {
		t.Errorf("parts %q", got)
	}

	// The secret alone.
	own.write("hook", "whsec_"+strings.Repeat("QkJC", 12))
	p.files.look(false)
	if err := deliver("one"); err != nil || second.seen() != "ab" {
		t.Errorf("with another secret: %v, pages %q", err, second.seen())
	}

	// A mistake in one part keeps all parts as they were.
	own.write("own.yaml", "name: [")
	f.write("flyball.yaml", base+strings.Replace(rest, "create", "delete", 1))
	p.files.look(false)
	if _, unusable := p.file.state(); !strings.Contains(unusable, "mappings[0]") || effect() != "pay" || path() != "/of-b" ||
		!slices.Equal(names(), []string{"alert.one", "alert.two"}) {
		t.Errorf("a broken mapping: %q, %s, %s, %q", unusable, effect(), path(), names())
	}
	own.write("own.yaml", fmt.Sprintf(mappingOfRecords, "a"))
	p.files.look(false)
	if effect() != "delete" || path() != "/of-a" || !slices.Equal(names(), []string{"alert.one"}) {
		t.Errorf("mended: %s, %s, %q", effect(), path(), names())
	}

	// An input needs a restart; until then it needs the mapping of the start.
	f.write("flyball.yaml", strings.Replace(base, "format: own", "format: auto", 1)+strings.Replace(rest, "mappings: [own.yaml]\n", "", 1))
	p.files.look(false)
	if _, unusable := p.file.state(); !strings.Contains(unusable, "kafka.inputs[0].format") || !strings.Contains(unusable, "restart") ||
		effect() != "delete" {
		t.Errorf("without the mapping of an input: %q, %s", unusable, effect())
	}
}

// A role runs with a configuration without what other roles use; that is no change of the file.
func TestKeysOfOtherRolesNeedARestart(t *testing.T) {
	c, f, base := filed(t, deployment(t), "")
	p := newProcess(c.ForRoles("ingest"), []string{"ingest"}, quiet())
	p.rereading.watch(p.files, p.metrics)
	f.write("flyball.yaml", base+"agents: [{id: a, consumer: c}]\n")
	p.files.look(false)
	if changed, unusable := p.file.state(); len(changed) > 0 || unusable != "" || len(p.rereading.running.Agents) != 1 {
		t.Errorf("%q, %q, %+v", changed, unusable, p.rereading.running.Agents)
	}
}
