package app

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/ingest/deadletter"
	"flyball/schema"
)

func keyConfig(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Data = t.TempDir()
	if _, err := ReadKeys(c, true); err != nil {
		t.Fatal(err)
	}
	return c
}

func mustKeys(t *testing.T, c config.Config) Keys {
	t.Helper()
	k, err := ReadKeys(c, false)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestIdsOfBeforeARotationAreForgotten(t *testing.T) {
	c := keyConfig(t)
	before := mustKeys(t, c)
	old, _, err := NewClassifiers(c, before.Current)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "sk-live-0123456789abcdef"
	oldID := old.CredentialID("api_key", secret)
	c.Agents = []config.Agent{{ID: "billing/bot", Credential: oldID}}
	for range 2 {
		if _, err := RotateKey(c, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	now := mustKeys(t, c)
	if len(now.Former) != 2 || now.Deployment() != before.Deployment() || string(now.Current) == string(before.Current) {
		t.Fatalf("%d former keys, deployment %s before %s", len(now.Former), now.Deployment(), before.Deployment())
	}
	if info, err := os.Stat(keyFile(c)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	id, _, err := NewClassifiers(c, now.Current, now.FormerIdentity()...)
	if err != nil {
		t.Fatal(err)
	}
	if got := id.FormerCredentialIDs("api_key", secret); len(got) != 2 || got[1] != oldID || id.CredentialID("api_key", secret) == oldID {
		t.Errorf("ids by the former keys %v, by the first it was %s", got, oldID)
	}
	// A request with the credential is looked up by all its ids: a breaker on the old one still holds it.
	headers := func(name string) string { return map[string]string{"authorization": "Bearer " + secret}[name] }
	var call schema.Call
	shown, err := id.ResolveRequest(headers, "", netip.MustParseAddr("192.0.2.1"), &call)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(shown.Credentials, " "), oldID) {
		t.Errorf("the request shows %v", shown.Credentials)
	}
	// The registry names the old id.
	if call.AgentID != "billing/bot" {
		t.Errorf("agent %q", call.AgentID)
	}

	// Originals of dead letters, and links in pages.
	if _, err := deadletter.NewSeal(now.Current, now.FormerBytes()...); err != nil {
		t.Error(err)
	}
	link := func(k Keys) string { return api.ApprovalLink(schema.Secret(k.Current), "https://x", "g_1", 5) }
	if link(before) == link(now) {
		t.Error("the key of links did not change")
	}

	// Former keys are bounded, and removed by their dates.
	for range 2 {
		if _, err := RotateKey(c, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := RotateKey(c, time.Now()); err == nil || !strings.Contains(err.Error(), "flyball key forget") {
		t.Error(err)
	}
	if _, n, err := ForgetKeys(c, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	kept, n, err := ForgetKeys(c, time.Now().Add(time.Hour))
	if n != 4 || err != nil || kept.Deployment() != before.Deployment() || mustKeys(t, c).Deployment() != before.Deployment() {
		t.Errorf("%d removed, %v, %s", n, err, kept.Deployment())
	}
}

func TestKeyFileThatCannotBeReadIsUsed(t *testing.T) {
	c := keyConfig(t)
	const key = "000102030405060708090a0b0c0d0e0f"
	for text, want := range map[string]string{"": "at least 16 bytes", "zz": "at least 16 bytes", key[:8]: "at least 16 bytes",
		key + "\nwhatever 1": "line 2 is none of", key + "\nformer " + key + " until never": "line 2: the date",
		key + "\nformer zz until 2026-01-01T00:00:00Z":                         "at least 16 bytes",
		key + strings.Repeat("\nformer "+key+" until 2026-01-01T00:00:00Z", 5): "has 5 former keys"} {
		if err := os.WriteFile(keyFile(c), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(c, true); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if err := os.WriteFile(keyFile(c), []byte("  "+key+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k := mustKeys(t, c); len(k.Current) != 16 || k.Deployment() != DeploymentID(k.Current) {
		t.Errorf("a file of the version before: %+v", k)
	}
}

func TestRestoreWithoutKeyMakesAnotherOne(t *testing.T) {
	c := keyConfig(t)
	keys := mustKeys(t, c)
	text, err := os.ReadFile(keyFile(c))
	if err != nil {
		t.Fatal(err)
	}
	other := c
	other.Data = t.TempDir()
	if err := os.WriteFile(filepath.Join(other.Data, "secret.key.missing"), []byte(keys.Deployment()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(other, true); err == nil || !strings.Contains(err.Error(), "restored without its key") {
		t.Fatal(err)
	}
	if _, err := os.Stat(keyFile(other)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a key was made")
	}
	if err := os.WriteFile(keyFile(other), []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(other, true); err == nil || !strings.Contains(err.Error(), "is the key of deployment") {
		t.Error(err)
	}
	if err := os.WriteFile(keyFile(other), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if k := mustKeys(t, other); string(k.Current) != string(keys.Current) {
		t.Error("another key")
	}
}
