package operatortest

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Claims are those of a token for a person that is right at a time.
func (p *Provider) Claims(now time.Time, subject string, groups ...string) map[string]any {
	return map[string]any{"iss": p.URL, "sub": subject, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": subject + "@example.com", "groups": groups}
}

// Token returns a token for a person, signed by the key of the provider.
func (p *Provider) Token(t testing.TB, now time.Time, subject string, groups ...string) string {
	t.Helper()
	return p.Sign(t, p.Claims(now, subject, groups...))
}

// Sign signs claims with the key of the provider. Changes are set over the claims; nil removes one.
func (p *Provider) Sign(t testing.TB, claims map[string]any, changes ...map[string]any) string {
	t.Helper()
	id, private := p.Key()
	return Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: private}, (&jose.SignerOptions{}).WithHeader("kid", id), claims, changes...)
}

// Sign signs claims with any key. Changes are set over the claims; nil removes one.
func Sign(t testing.TB, key jose.SigningKey, o *jose.SignerOptions, claims map[string]any, changes ...map[string]any) string {
	t.Helper()
	claims = maps.Clone(claims)
	for _, c := range changes {
		for k, v := range c {
			if claims[k] = v; v == nil {
				delete(claims, k)
			}
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(key, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
