package config

import (
	"strings"
	"testing"
)

func TestIssuerThatCannotWorkIsAccepted(t *testing.T) {
	const right = "issuer: https://id.example, client_id: c, roles: {soc: responder}"
	for name, tc := range map[string]struct{ text, want string }{
		"right":                      {right, ""},
		"on loopback":                {"issuer: http://127.0.0.1:5556/dex, client_id: c, roles: {soc: admin}", ""},
		"no issuer":                  {"client_id: c, roles: {soc: responder}", "control.oidc.issuer: empty"},
		"without TLS":                {"issuer: http://id.example, client_id: c, roles: {soc: admin}", `control.oidc.issuer: "http://id.example"`},
		"with a query":               {"issuer: 'https://id.example?x=1', client_id: c, roles: {soc: admin}", "control.oidc.issuer: "},
		"no client":                  {"issuer: https://id.example, roles: {soc: responder}", "control.oidc.client_id: empty"},
		"no role":                    {"issuer: https://id.example, client_id: c", "control.oidc.roles: empty"},
		"a role that does not exist": {"issuer: https://id.example, client_id: c, roles: {soc: root}", `control.oidc.roles["soc"]: "root"`},
		"a role without a value":     {"issuer: https://id.example, client_id: c, roles: {soc: ''}", `control.oidc.roles["soc"]: ""`},
		"a list of roles": {"issuer: https://id.example, client_id: c, roles: [soc]",
			"control.oidc.roles: a list stands where names"},
		"a shared secret":           {right + ", algorithms: [HS256]", `control.oidc.algorithms[0]: "HS256"`},
		"no signature":              {right + ", algorithms: [none]", `control.oidc.algorithms[0]: "none"`},
		"no algorithm":              {right + ", algorithms: []", "control.oidc.algorithms: empty"},
		"no claim":                  {right + ", groups_claim: ''", "control.oidc.groups_claim: empty"},
		"a delegate without a role": {right + ", delegates: [ops]", `control.oidc.delegates[0]: "ops"`},
		"redirect without a page":   {right + ", redirect_url: https://f.example/v1/sign-in", "control.oidc.redirect_url: "},
		"redirect to another site": {right + ", redirect_url: https://evil.example/v1/sign-in}, public_url: 'https://f.example', tls: {",
			"redirect_url: "},
		"redirect to another path": {right + ", redirect_url: https://f.example/callback}, public_url: 'https://f.example', tls: {",
			"redirect_url: "},
		"redirect without TLS": {right + ", redirect_url: http://f.example/v1/sign-in}, public_url: 'http://f.example', tls: {",
			"browsers send the cookie"},
		"a key with a slip":           {right + ", group_claim: x", "control.oidc.groups_claim?"},
		"redirect of pages":           {right + ", redirect_url: https://f.example/v1/sign-in}, public_url: 'https://f.example/', tls: {", ""},
		"off loopback without TLS":    {right + "}, listen: '0.0.0.0:7171', tls: {", "control.oidc can stand for tokens"},
		"off loopback with an issuer": {right + "}, listen: '0.0.0.0:7171', tls: {cert: c, key: k", ""},
	} {
		c, err := load(t, "control: {oidc: {"+tc.text+"}}")
		if err == nil {
			err = c.Validate("control")
		}
		switch {
		case tc.want == "" && err != nil && (strings.Contains(err.Error(), "control.oidc") || strings.Contains(err.Error(), "control.listen")):
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}
