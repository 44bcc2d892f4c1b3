package doctor

import (
	"strings"
	"testing"
	"time"
)

func TestIssuerOfTokensIsNotWhatTheConfigurationSays(t *testing.T) {
	right := Issuer{URL: "https://id.example", ClientID: "flyball", Signs: []string{"RS256"}, Allowed: []string{"RS256"}, DeviceCode: true,
		Redirect: "https://f.example/v1/sign-in", Clock: Clock{Known: true, Ahead: 30 * time.Second}}
	for name, tc := range map[string]struct {
		change func(*Issuer)
		reason string
		text   string
	}{
		"right":               {func(*Issuer) {}, "ok", "knows the client flyball"},
		"none":                {func(i *Issuer) { i.URL = "" }, "ok", "not set"},
		"away":                {func(i *Issuer) { i.Error = "connection refused" }, "issuer_away", "connection refused"},
		"clock ahead":         {func(i *Issuer) { i.Clock.Ahead = 2 * time.Minute }, "issuer_clock", "2m0s"},
		"clock behind":        {func(i *Issuer) { i.Clock.Ahead = -2 * time.Minute }, "issuer_clock", "-2m0s"},
		"clock unknown":       {func(i *Issuer) { i.Clock = Clock{Ahead: time.Hour} }, "ok", ""},
		"algorithm":           {func(i *Issuer) { i.Allowed = nil }, "issuer_algorithm", "RS256"},
		"client":              {func(i *Issuer) { i.ClientError = "400 Bad Request" }, "client_refused", "https://f.example/v1/sign-in"},
		"no device code":      {func(i *Issuer) { i.DeviceCode = false }, "ok", "flyball login does not work"},
		"pages want no login": {func(i *Issuer) { i.Redirect = "" }, "ok", "answers"},
	} {
		i := right
		tc.change(&i)
		found := issuer(&Facts{Issuer: i})
		if len(found) != 1 || found[0].Reason != tc.reason || !strings.Contains(found[0].Found, tc.text) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
