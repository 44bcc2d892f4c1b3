package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
)

// remote is a deployment that names itself and wants a token.
type remote struct {
	url   string
	shown []string // tokens that were sent, "" for none
}

func newRemote(t *testing.T, id, token string) *remote {
	t.Helper()
	r := &remote{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		shown := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		r.shown = append(r.shown, shown)
		w.Header().Set(app.HeaderDeployment, id)
		w.Header().Set(app.HeaderTenant, "default")
		switch {
		case req.URL.Path == "/metrics":
			_, _ = io.WriteString(w, "flyball_ingest_calls_total 7\n")
		case req.URL.Path == "/readyz":
			_, _ = io.WriteString(w, `[{"part": "control", "ready": true}]`)
		case shown != token:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"detail": "no known token in Authorization: Bearer"}`)
		case req.Method == http.MethodPost:
			_, _ = io.WriteString(w, `{"tenant": "default", "pattern": "bot", "outcome": "armed"}`)
		default:
			_, _ = io.WriteString(w, `[]`)
		}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// client runs commands as a person without a configuration file does.
type client struct {
	t   *testing.T
	dir string
	db  fakeDB
}

// newClient returns a client in an empty folder, with a configuration folder of its own.
func newClient(t *testing.T) *client {
	t.Helper()
	c := &client{t: t, dir: t.TempDir()}
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(c.dir, "home"))
	t.Setenv(tokenVariable, "")
	t.Setenv(profileVariable, "")
	t.Chdir(c.dir)
	return c
}

func (c *client) run(args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	var out, errs bytes.Buffer
	root := newRootWith(&options{openDatabase: func(config.Config) (database, error) {
		if c.db == nil {
			return nil, errors.New("no database answers")
		}
		return c.db, nil
	}})
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	code = exitStatus(root.ExecuteContext(c.t.Context()), &errs)
	return code, out.String(), errs.String()
}

func (c *client) mustRun(args ...string) (stdout string) {
	c.t.Helper()
	code, out, errs := c.run(args...)
	if code != exitDone {
		c.t.Fatalf("%q: exit %d, %q, %q", args, code, out, errs)
	}
	return out
}

func (c *client) file(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

const (
	stagingToken    = "fly_staging_0123456789"
	productionToken = "fly_production_0123456789"
)

// A person with two deployments tripped a breaker in the wrong one, and nothing said so.
func TestTwoDeploymentsSideBySideAreToldApart(t *testing.T) {
	c := newClient(t)
	staging, production := newRemote(t, "d_5a5a5a5a", stagingToken), newRemote(t, "d_b0b0b0b0", productionToken)
	c.mustRun("profile", "add", "staging", "--control", staging.url, "--token-file", c.file("s", stagingToken+"\n"))
	c.mustRun("profile", "add", "production", "--control", production.url, "--token-file", c.file("p", productionToken))
	c.mustRun("profile", "use", "staging")
	for _, step := range []struct {
		args []string
		env  string
		id   string
		at   *remote
	}{
		{nil, "", "d_5a5a5a5a", staging},
		{[]string{"--profile", "production"}, "", "d_b0b0b0b0", production},
		{nil, "production", "d_b0b0b0b0", production},
		{[]string{"--profile", "staging"}, "production", "d_5a5a5a5a", staging},
		{[]string{"--control", production.url, "--token-file", "p"}, "staging", "d_b0b0b0b0", production},
	} {
		t.Setenv(profileVariable, step.env)
		code, out, errs := c.run(append([]string{"arm", "bot", "--reason", "r"}, step.args...)...)
		want := fmt.Sprintf("tenant default of deployment %s at %s", step.id, step.at.url)
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("%q with FLYBALL_PROFILE=%s: exit %d, %q, %q; want %q", step.args, step.env, code, out, errs, want)
		}
	}
	for _, token := range append(staging.shown, production.shown...) {
		if token == "" {
			t.Error("a request carried no token")
		}
	}
}

// The address chose nothing of the profile: its token must not go to another address.
func TestTokenOfAProfileIsNotSentElsewhere(t *testing.T) {
	c := newClient(t)
	elsewhere := newRemote(t, "d_eeeeeeee", "other")
	c.mustRun("profile", "add", "mine", "--control", "http://127.0.0.1:1", "--token-file", c.file("s", stagingToken))
	c.mustRun("profile", "use", "mine")
	code, _, errs := c.run("breakers", "list", "--control", elsewhere.url)
	if code != exitFailed || len(elsewhere.shown) != 1 || elsewhere.shown[0] != "" || !strings.Contains(errs, "no token was sent") {
		t.Errorf("exit %d, %q, sent %q", code, errs, elsewhere.shown)
	}
	c.file("flyball.yaml", "tenant: here\n")
	if code, _, errs := c.run("breakers", "list", "--control", elsewhere.url, "--profile", "mine"); code != exitUsage ||
		!strings.Contains(errs, "both name a deployment") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// What is nearer to the command line applies.
func TestPrecedenceOfDeploymentsAndTokens(t *testing.T) {
	for _, row := range []struct {
		choice      choice
		profile, by string
	}{
		{choice{}, "", ""},
		{choice{current: "c"}, "c", "flyball profile use"},
		{choice{current: "c", profileVariable: "v"}, "v", profileVariable},
		{choice{current: "c", profileVariable: "v", config: "f"}, "", ""},
		{choice{current: "c", profileVariable: "v", config: "f", profile: "p"}, "p", "--profile"},
		{choice{current: "c", profileVariable: "v", control: "u"}, "", ""},
		{choice{current: "c", profileVariable: noProfile}, "", ""},
		{choice{current: "c", profile: noProfile}, "", ""},
	} {
		if name, by := row.choice.profileName(); name != row.profile || by != row.by {
			t.Errorf("%+v: %q by %q, want %q by %q", row.choice, name, by, row.profile, row.by)
		}
	}
	c := newClient(t)
	flag, file := c.file("flag", "of-the-flag"), c.file("file", "of-the-profile")
	for _, row := range []struct {
		choice               choice
		file, by, want, from string
	}{
		{choice{}, "", "", "", ""},
		{choice{}, file, profileVariable, "of-the-profile", "token_file of profile p"},
		{choice{tokenVariable: "of-the-variable"}, file, profileVariable, "of-the-variable", tokenVariable},
		{choice{tokenVariable: "of-the-variable"}, file, "--profile", "of-the-profile", "token_file of profile p"},
		{choice{tokenVariable: "of-the-variable"}, "", "--profile", "of-the-variable", tokenVariable},
		{choice{tokenVariable: "of-the-variable", tokenFile: flag}, file, "--profile", "of-the-flag", "--token-file"},
	} {
		token, from, err := row.choice.token(row.file, "p", row.by)
		if err != nil || string(token) != row.want || !strings.HasPrefix(from, row.from) || row.from == "" && from != "" {
			t.Errorf("%+v, %s by %s: %q of %s, %v", row.choice, row.file, row.by, string(token), from, err)
		}
	}
}

// A 401 named no way to pass a token.
func TestRefusalSaysHowToPassATokenAndWhoRefused(t *testing.T) {
	c := newClient(t)
	r := newRemote(t, "d_12345678", productionToken)
	for _, row := range []struct {
		env  string
		args []string
		want []string
	}{
		{"", nil, []string{"no token was sent"}},
		{"wrong", nil, []string{"the token of FLYBALL_TOKEN was sent"}},
		{"", []string{"--token-file", c.file("t", "wrong")}, []string{"the token of --token-file"}},
	} {
		t.Setenv(tokenVariable, row.env)
		code, out, errs := c.run(append([]string{"breakers", "list", "--control", r.url}, row.args...)...)
		for _, want := range append(row.want, "401", "tenant default of deployment d_12345678 at "+r.url, "--token-file FILE", "FLYBALL_TOKEN",
			"flyball profile add") {
			if code != exitFailed || !strings.Contains(errs, want) {
				t.Errorf("%q: exit %d, %q, %q: no %q", row.args, code, out, errs, want)
			}
		}
		if strings.Contains(errs, "wrong") && row.env != "" {
			t.Errorf("the token is printed: %q", errs)
		}
	}
}

func TestProfileFileIsForItsOwnerAndHoldsNoToken(t *testing.T) {
	c := newClient(t)
	out := c.mustRun("profile", "add", "p", "--control", "http://127.0.0.1:7171/", "--token-file", c.file("t", productionToken),
		"--tenant", "acme", "--clickhouse", "127.0.0.1:8123")
	out += c.mustRun("profile", "use", "p") + c.mustRun("profile", "list") + c.mustRun("profile", "list", "-o", "json")
	path := filepath.Join(c.dir, "home", "flyball", "profiles.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out+string(text), productionToken) {
		t.Errorf("the token is printed or kept: %s\n%s", out, text)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", p, info, err)
		}
	}
	var list []profileLine
	if err := json.Unmarshal([]byte(c.mustRun("profile", "list", "-o", "json")), &list); err != nil || len(list) != 1 || !list[0].Current ||
		list[0].Control != "http://127.0.0.1:7171" || list[0].TokenFile != filepath.Join(c.dir, "t") {
		t.Errorf("%+v, %v", list, err)
	}
	if err := os.Chmod(path, 0o622); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := c.run("profile", "list"); code != exitUsage || !strings.Contains(errs, "chmod 600") {
		t.Errorf("a file that others can change: exit %d, %q", code, errs)
	}
}

func TestProfileThatCannotWorkIsRefused(t *testing.T) {
	c := newClient(t)
	token := c.file("t", productionToken)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"add", "p"}, "--control: empty"},
		{[]string{"add", "none", "--control", "http://127.0.0.1:1"}, "NAME"},
		{[]string{"add", "a b", "--control", "http://127.0.0.1:1"}, "NAME"},
		{[]string{"add", "p", "--control", "127.0.0.1:1"}, "is not a URL such as"},
		{[]string{"add", "p", "--control", "https://u:p@host:1"}, "has no user"},
		{[]string{"add", "p", "--control", "http://flyball.example:7171", "--token-file", token}, "plain HTTP"},
		{[]string{"add", "p", "--control", "http://127.0.0.1:1", "--token-file", "nosuch"}, "nosuch"},
		{[]string{"add", "p", "--control", "http://127.0.0.1:1", "--token-file", c.file("e", "\n")}, "is empty"},
		{[]string{"add", "p", "--control", "http://127.0.0.1:1", "--token-file", c.file("h", "sha256:"+strings.Repeat("0", 64))},
			"hash of a token"},
		{[]string{"add", "p", "--control", "http://127.0.0.1:1", "--token-file", c.file("w", "two words")}, "one token and nothing else"},
		{[]string{"add", "p", "--control", "https://127.0.0.1:1", "--ca", token}, "no certificate in"},
		{[]string{"add", "p", "--control", "https://127.0.0.1:1", "--clickhouse", "http://c:8123"}, "--clickhouse"},
		{[]string{"use", "p"}, `"p" is no profile`},
		{[]string{"remove", "p"}, `"p" is no profile`},
	} {
		code, out, errs := c.run(append([]string{"profile"}, row.args...)...)
		if code != exitUsage || !strings.Contains(errs, row.want) || out != "" {
			t.Errorf("%q: exit %d, %q, %q; want %q", row.args, code, out, errs, row.want)
		}
	}
	if code, _, errs := c.run("breakers", "list", "--profile", "typo"); code != exitUsage || !strings.Contains(errs, `--profile: "typo" is no profile`) {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestProfilesOfANewerFormatAreRefusedAndOfThisOneRead(t *testing.T) {
	c := newClient(t)
	dir := filepath.Join(c.dir, "home", "flyball")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.file("home/flyball/profiles.yaml", "version: 1\ncurrent: a\nprofiles:\n- name: a\n  control: http://127.0.0.1:1\n")
	if out := c.mustRun("profile", "list"); !strings.Contains(out, "http://127.0.0.1:1") {
		t.Error(out)
	}
	c.file("home/flyball/profiles.yaml", "version: 2\nnew: key\n")
	if code, _, errs := c.run("profile", "list"); code != exitUsage || !strings.Contains(errs, "version 2, this binary reads 1") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// A question to one deployment was answered from the database of another.
func TestDatabaseOfAnotherDeploymentIsNotRead(t *testing.T) {
	c := newClient(t)
	c.db = fakeDB{}
	r := newRemote(t, "d_1", "")
	c.mustRun("profile", "add", "p", "--control", r.url)
	for _, args := range [][]string{{"runs", "--profile", "p"}, {"runs", "--control", r.url}} {
		if code, out, errs := c.run(args...); code != exitUsage || !strings.Contains(errs, "names no ClickHouse") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
	}
	c.mustRun("profile", "add", "p", "--replace", "--control", r.url, "--clickhouse", "127.0.0.1:1")
	c.mustRun("runs", "--profile", "p")
	c.mustRun("runs", "--control", "http://"+config.Default().Control.Listen)
}

// `up` and `replay` ignored the flags of a client.
func TestCommandsOfTheDeploymentsMachineRefuseTheFlagsOfAClient(t *testing.T) {
	c := newClient(t)
	for _, args := range [][]string{{"up"}, {"replay", "x"}, {"check-config"}, {"dump-config"}, {"decode", "x"},
		{"credential-id", "--stdin"}} {
		for _, flag := range []string{"--profile", "--control", "--token-file"} {
			if code, out, errs := c.run(append(args, flag, "x")...); code != exitUsage || !strings.Contains(errs, flag+" x: this command") {
				t.Errorf("%q %s: exit %d, %q, %q", args, flag, code, out, errs)
			}
		}
	}
}

// Without a token, status left out the state of enforcement, and its exit status was 0.
func TestStatusWithoutATokenSaysWhatItMayNotRead(t *testing.T) {
	c := newClient(t)
	r := newRemote(t, "d_12345678", productionToken)
	c.mustRun("profile", "add", "p", "--control", r.url)
	code, out, errs := c.run("status", "--profile", "p")
	for _, want := range []string{"calls", "enforcement  unknown: GET /v1/status: 401", "lag          unknown", "no token was sent",
		"--token-file FILE"} {
		if code != exitIncomplete || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q, %q: no %q", code, out, errs, want)
		}
	}
}

// With a profile, commands took the registry, the exceptions or the Kafka of whatever file lay in the
// working folder.
func TestFileOfAnotherDeploymentIsNotRead(t *testing.T) {
	c := newClient(t)
	c.db = listings()["agents"].db
	r := newRemote(t, "d_1", "")
	c.file("flyball.yaml", "agents: [{id: billing/bot, consumer: c, owner: nobody-of-theirs}]\ndetect: {exceptions: [{name: mine-alone, "+
		"agent: a, family: runaway.*, expires: 2099-01-01T00:00:00Z, approver: a, why: w}]}\n")
	c.mustRun("profile", "add", "p", "--control", r.url, "--clickhouse", "127.0.0.1:1")
	for _, args := range [][]string{{"agents"}, {"exceptions", "list"}} {
		code, out, errs := c.run(append(args, "--profile", "p")...)
		if code != exitIncomplete || !strings.Contains(errs, "name a copy of it by --config") ||
			strings.Contains(out, "nobody-of-theirs") || strings.Contains(out, "mine-alone") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
		if code, out, errs := c.run(append(args, "--profile", "p", "--config", "flyball.yaml")...); strings.Contains(errs, "--config") ||
			!strings.Contains(out, "nobody-of-theirs") && !strings.Contains(out, "mine-alone") {
			t.Errorf("%q with the file: exit %d, %q, %q", args, code, out, errs)
		}
	}
	for _, args := range [][]string{{"baselines", "list"}, {"backtest"}, {"findings", "exceptions"}, {"dead-letters", "replay"}} {
		if code, out, errs := c.run(append(args, "--profile", "p")...); code != exitUsage || !strings.Contains(errs, "is another deployment") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
	}
}

func TestProfileTrustsItsOwnAuthorityOnly(t *testing.T) {
	c := newClient(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = io.WriteString(w, "flyball_ingest_calls_total 4711\n")
			return
		}
		_, _ = io.WriteString(w, `[]`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := c.file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	c.mustRun("profile", "add", "with", "--control", server.URL, "--ca", ca)
	c.mustRun("profile", "add", "without", "--control", server.URL)
	if out := c.mustRun("breakers", "list", "--profile", "with"); out == "" {
		t.Error("nothing is printed")
	}
	if _, out, errs := c.run("status", "--profile", "with"); !strings.Contains(out, "4711") {
		t.Errorf("metrics by TLS: %q, %q", out, errs)
	}
	if code, _, errs := c.run("breakers", "list", "--profile", "without"); code != exitFailed || !strings.Contains(errs, "certificate") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
