package config

import "testing"

func TestAnchorsAndMergedKeysAreRead(t *testing.T) {
	for _, text := range []string{
		"control: {tls: &t {cert: /c, key: /k}}\ncheck: {tls: *t}",
		"control:\n  tls: &t\n    cert: /c\n    key: /k\ncheck:\n  tls:\n    <<: *t\n    ca: /a\n",
	} {
		if c, err := load(t, text); err != nil || c.Check.TLS.Cert != "/c" || c.Check.TLS.Key != "/k" {
			t.Errorf("%s: %+v, %v", text, c.Check.TLS, err)
		}
	}
	if _, err := load(t, "tenant: a\n---\nlist: !0000 0000\n"); err == nil {
		t.Error("a second document that cannot be read")
	}
}
