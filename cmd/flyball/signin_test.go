package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/operator/operatortest"
)

// signedIn signs in with a client and returns its sign-in.
func signedIn(t *testing.T, p *operatortest.Provider) (*client, *signIn) {
	t.Helper()
	c := newClient(t)
	c.mustRun("profile", "add", "production", "--control", newSignInRemote(t, p))
	c.mustRun("profile", "use", "production")
	if code, out, errs := c.approve(p, "ana"); code != exitDone || !strings.Contains(out, "; commands renew it then") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	return c, &signIn{profile: "production", dir: filepath.Join(c.dir, "home", "flyball")}
}

// expire replaces the token by one of the same person that has ended.
func (s *signIn) expire(t *testing.T, p *operatortest.Provider, end time.Time) {
	t.Helper()
	payload := fmt.Sprintf(`{"iss":%q,"sub":"ana","exp":%d}`, p.URL, end.Unix())
	if err := writeSecret(s.tokenFile(), "eyJhbGciOiJFUzI1NiJ9."+base64.RawURLEncoding.EncodeToString([]byte(payload))+".c2ln"); err != nil {
		t.Fatal(err)
	}
}

// whoAmI sends a request as a command of the profile does.
func whoAmI(t *testing.T) (api.CallerLine, error) {
	t.Helper()
	client, err := (&options{}).control()
	if err != nil {
		t.Fatal(err)
	}
	return get[api.CallerLine](t.Context(), client, "/v1/caller")
}

func (s *signIn) refreshToken(t *testing.T) string {
	t.Helper()
	r, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	return r.Refresh
}

func TestSignInEndsWithItsFirstToken(t *testing.T) {
	p := operatortest.Start(t)
	_, s := signedIn(t, p)
	past := map[string]bool{}
	// By the clock here the token has ended; and by the clock of the deployment alone, which refuses it.
	for name, end := range map[string]time.Time{"here": time.Now().Add(-time.Hour), "there": time.Now().Add(time.Hour)} {
		past[s.refreshToken(t)] = true
		s.expire(t, p, end)
		if who, err := whoAmI(t); err != nil || who.Subject != "ana" {
			t.Fatalf("%s: %+v %v", name, who, err)
		}
		if past[s.refreshToken(t)] {
			t.Errorf("%s: the refresh token was not replaced", name)
		}
		for _, file := range []string{s.tokenFile(), s.renewalFile()} {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", name, info, err)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "token-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}

// A refresh token is good for one request: an issuer ends the sign-in at the second.
func TestTwoCommandsAtOnceEndTheSignIn(t *testing.T) {
	p := operatortest.Start(t)
	_, s := signedIn(t, p)
	s.expire(t, p, time.Now().Add(-time.Hour))
	var all sync.WaitGroup
	for range 8 {
		client, err := (&options{}).control()
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if who, err := get[api.CallerLine](t.Context(), client, "/v1/caller"); err != nil || who.Subject != "ana" {
				t.Errorf("%+v %v", who, err)
			}
		})
	}
	all.Wait()
}

func TestEndedSignInDoesNotSayWhatToType(t *testing.T) {
	p := operatortest.Start(t)
	_, s := signedIn(t, p)
	secret, good := s.refreshToken(t), []byte(nil)
	var err error
	if good, err = os.ReadFile(s.renewalFile()); err != nil {
		t.Fatal(err)
	}
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(s.renewalFile(), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(s.renewalFile(), mode); err != nil {
			t.Fatal(err)
		}
	}
	const again = "sign in again: flyball login --profile production"
	for _, tc := range []struct {
		name, want string
		prepare    func()
	}{
		{"the issuer is away", "does not answer as it should", func() { p.SetAway(true) }},
		{"others can read it", "chmod 600", func() { write(string(good), 0o644) }},
		{"of a newer version", "has version 2, this binary reads 1: use a newer flyball", func() {
			write(strings.Replace(string(good), `"version":1`, `"version":2`, 1), 0o600)
		}},
		{"damaged", "cannot be read", func() { write(string(good[:len(good)/2]), 0o600) }},
		{"of another person", "the token of somebody else", func() {
			s.expire(t, p, time.Now().Add(-time.Hour))
			raw, err := os.ReadFile(s.tokenFile())
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(raw), ".")
			payload := fmt.Sprintf(`{"iss":%q,"sub":"bob","exp":1}`, p.URL)
			if err := writeSecret(s.tokenFile(), parts[0]+"."+base64.RawURLEncoding.EncodeToString([]byte(payload))+".c2ln"); err != nil {
				t.Fatal(err)
			}
		}},
		{"ended by the issuer", "does not renew the sign-in (invalid_grant)", func() {
			if err := p.TerminateSession(t.Context(), "ana", operatortest.CLIClientID); err != nil {
				t.Fatal(err)
			}
		}},
		{"nothing to renew with", "gave nothing to renew it", func() {
			if err := os.Remove(s.renewalFile()); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		s.expire(t, p, time.Now().Add(-time.Hour))
		tc.prepare()
		_, err := whoAmI(t)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), again) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error has the refresh token", tc.name)
		}
		if p.SetAway(false); tc.name != "nothing to renew with" {
			write(string(good), 0o600)
		}
	}
	// Refused by the deployment although the clock here says that it has not ended.
	s.expire(t, p, time.Now().Add(time.Hour))
	if _, err := whoAmI(t); err == nil || !strings.Contains(err.Error(), again) {
		t.Errorf("refused: %v", err)
	}
}

func TestLogoutLeavesARefreshTokenValid(t *testing.T) {
	p := operatortest.Start(t)
	c, s := signedIn(t, p)
	r, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	if out := c.mustRun("logout"); !strings.Contains(out, "signed out") {
		t.Error(out)
	}
	for _, file := range []string{s.tokenFile(), s.renewalFile()} {
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", file, err)
		}
	}
	if _, err := p.TokenRequestByRefreshToken(t.Context(), r.Refresh); err == nil {
		t.Error("the issuer accepts a refresh token of a sign-in that has ended")
	}
}
