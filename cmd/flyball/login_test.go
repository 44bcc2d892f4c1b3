package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/operator"
	"flyball/detect/enforce/operator/operatortest"
)

// newSignInRemote is a deployment whose operators have tokens of a provider.
func newSignInRemote(t *testing.T, p *operatortest.Provider) string {
	t.Helper()
	issuer, err := operator.New(operator.Options{URL: p.URL, ClientID: operatortest.ClientID, CLIClientID: operatortest.CLIClientID,
		Scopes: []string{"email"}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := issuer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/issuer" {
			_ = json.NewEncoder(w).Encode(api.IssuerLine{Issuer: p.URL, ClientID: issuer.CLIClientID(), Scopes: issuer.Scopes()})
			return
		}
		id, err := issuer.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"detail": err.Error()})
			return
		}
		_ = json.NewEncoder(w).Encode(api.CallerLine{Issuer: id.Issuer, Subject: id.Subject, Name: id.Name, Role: api.Responder})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// approve runs flyball login, and a person on another device approves the code that it prints.
func (c *client) approve(p *operatortest.Provider, subject string, args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	read, write := io.Pipe()
	approved := make(chan struct{})
	var shown strings.Builder
	go func() {
		defer close(approved)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			shown.WriteString(lines.Text() + "\n")
			if _, user, ok := strings.Cut(lines.Text(), "enter the code "); ok {
				p.Approve(c.t, user, subject, "soc")
			}
		}
	}()
	var out strings.Builder
	root := newRootWith(&options{openDatabase: openDatabase})
	root.SetArgs(append([]string{"login"}, args...))
	root.SetOut(&out)
	root.SetErr(write)
	code = exitStatus(root.ExecuteContext(c.t.Context()), write)
	_ = write.Close()
	<-approved
	return code, out.String(), shown.String()
}

func TestLoginNeedsABrowserOnThisMachine(t *testing.T) {
	p := operatortest.Start(t)
	c := newClient(t)
	if code, _, errs := c.run("login"); code != exitUsage || !strings.Contains(errs, "flyball profile add") {
		t.Errorf("without a profile: %d %s", code, errs)
	}
	c.mustRun("profile", "add", "production", "--control", newSignInRemote(t, p))
	c.mustRun("profile", "use", "production")
	code, out, errs := c.approve(p, "ana")
	if want := "Sign in at the issuer " + p.URL + " for its client " + operatortest.CLIClientID + "\n"; !strings.HasPrefix(errs, want) {
		t.Errorf("%q does not begin with %q", errs, want)
	}
	if code != exitDone || !strings.Contains(out, "signed in as "+p.URL+"#ana (ana@example.com), role responder, until ") {
		t.Fatalf("%d %s", code, out)
	}
	file := filepath.Join(c.dir, "home", "flyball", "production.token")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	saved, err := loadProfiles()
	if err != nil || saved.Profiles[0].TokenFile != file {
		t.Errorf("%+v %v", saved, err)
	}
	// The commands of the profile send the token.
	client, err := (&options{}).control()
	if err != nil {
		t.Fatal(err)
	}
	if who, err := get[api.CallerLine](t.Context(), client, "/v1/caller"); err != nil || who.Subject != "ana" {
		t.Errorf("%+v %v", who, err)
	}
	if out := c.mustRun("logout"); !strings.Contains(out, "signed out") {
		t.Error(out)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the token is still there")
	}
	if saved, err := loadProfiles(); err != nil || saved.Profiles[0].TokenFile != "" {
		t.Errorf("%+v %v", saved, err)
	}
	if out := c.mustRun("logout"); !strings.Contains(out, "nobody was signed in") {
		t.Error(out)
	}
}

func TestLoginReplacesATokenFileUnasked(t *testing.T) {
	p := operatortest.Start(t)
	c := newClient(t)
	c.mustRun("profile", "add", "production", "--control", newSignInRemote(t, p), "--token-file", c.file("soc.token", productionToken))
	if code, _, errs := c.run("login", "--profile", "production"); code != exitUsage || !strings.Contains(errs, "--replace") {
		t.Errorf("%d %s", code, errs)
	}
	c.mustRun("profile", "add", "plain", "--control", newRemote(t, "d_1", "").url)
	if code, _, errs := c.run("login", "--profile", "plain"); code != exitFailed || strings.Contains(errs, productionToken) {
		t.Errorf("a deployment without an issuer: %d %s", code, errs)
	}
}

// The access token is of use at other services: the deployment must not get it only because it refuses the ID token.
func TestAccessTokenIsSentBesideTheIDToken(t *testing.T) {
	const idToken, accessToken = "ey.id-token.x", "ey.access-token.x"
	for name, tc := range map[string]struct {
		more map[string]any
		want string
	}{
		"both":            {map[string]any{"id_token": idToken}, idToken},
		"an access token": {map[string]any{}, accessToken},
	} {
		var sent []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"detail": "refused"})
		}))
		to, err := (&profile{Name: "p", Control: server.URL}).target()
		if err != nil {
			t.Fatal(err)
		}
		client, err := newControlClient(to)
		if err != nil {
			t.Fatal(err)
		}
		token := (&oauth2.Token{AccessToken: accessToken}).WithExtra(tc.more)
		if _, _, err := (&session{client: client}).accepted(t.Context(), token); err == nil || len(sent) != 1 || sent[0] != tc.want {
			t.Errorf("%s: %v %v", name, sent, err)
		}
		server.Close()
	}
}

func TestLogoutNeedsTheCertificateOfTheDeployment(t *testing.T) {
	c := newClient(t)
	c.mustRun("profile", "add", "production", "--control", "https://flyball.example")
	c.mustRun("profile", "use", "production")
	saved, err := loadProfiles()
	if err != nil {
		t.Fatal(err)
	}
	saved.Profiles[0].TokenFile = filepath.Join(c.dir, "home", "flyball", "production.token")
	if err := os.WriteFile(saved.Profiles[0].TokenFile, []byte(productionToken), 0o600); err != nil {
		t.Fatal(err)
	}
	saved.Profiles[0].CA = filepath.Join(c.dir, "gone.pem")
	if err := saved.save(); err != nil {
		t.Fatal(err)
	}
	if out := c.mustRun("logout"); !strings.Contains(out, "signed out") {
		t.Error(out)
	}
}
