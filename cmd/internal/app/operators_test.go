package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/operator/operatortest"
	"flyball/schema/identity"
)

// What control.oidc says must reach the issuer, the API and doctor, and a start must not wait for the issuer.
func TestIssuerOfTheConfigurationIsNotUsed(t *testing.T) {
	p := operatortest.Start(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(operatortest.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Control.PublicURL = "https://flyball.example"
	o := &c.Control.OIDC
	o.Issuer, o.ClientID, o.CLIClientID, o.ClientSecretFile = p.URL, operatortest.ClientID, operatortest.CLIClientID, secret
	o.RedirectURL, o.Roles, o.Tenants, o.Delegates = "https://flyball.example/v1/sign-in", map[string]string{"soc": "responder"},
		[]string{"default"}, []string{"soc"}
	if err := validateOIDC(c); err != nil {
		t.Fatal(err)
	}
	if f := issuerFacts(t.Context(), c); f.Error != "" || f.ClientError != "" || !f.Clock.Known || len(f.Allowed) == 0 || !f.DeviceCode {
		t.Errorf("%+v", f)
	}
	p.SetAway(true)
	if f := issuerFacts(t.Context(), c); f.Error == "" {
		t.Errorf("away: %+v", f)
	}
	files := testFiles()
	process := &process{config: c, log: files.log, files: files, parts: newGroup(files.log), key: make(identity.Key, 32)}
	defer process.parts.stop()
	got, err := process.startOIDC()
	if err != nil || got.SignIn == nil || got.Roles["soc"] != api.Responder || len(got.Tenants) != 1 || len(got.Delegates) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := got.Issuer.Verify(t.Context(), p.Token(t, time.Now(), "ana", "soc")); err == nil {
		t.Error("a token was accepted without keys")
	}
	p.SetAway(false)
	answered := func() error { // the part asks again
		_, err := got.Issuer.Verify(t.Context(), p.Token(t, time.Now(), "ana", "soc"))
		return err
	}
	if err := process.parts.waitReady(t.Context(), answered, time.Minute); err != nil {
		t.Error(err)
	}
	states := process.parts.states()
	if len(states) != 1 || states[0].Part != "oidc" || !states[0].Ready || states[0].Warning != "" {
		t.Errorf("%+v", states)
	}
	process.config.Control.OIDC.Issuer = ""
	if none, err := process.startOIDC(); none != nil || err != nil {
		t.Errorf("without an issuer: %+v, %v", none, err)
	}
}
