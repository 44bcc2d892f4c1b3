package operator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"flyball/detect/enforce/operator/operatortest"
)

func TestTokenThatNamesNoKeyIsTriedWithAll(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	_, private := p.Key()
	token := operatortest.Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: private}, nil, p.Claims(c.Now(), "ana", "soc"))
	if _, err := i.Verify(t.Context(), token); err != nil {
		t.Errorf("the issuer has one key: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.keys.mu.Lock()
	i.keys.keys = append(i.keys.keys, jose.JSONWebKey{Key: &other.PublicKey, KeyID: "k2"})
	i.keys.mu.Unlock()
	if _, err := i.Verify(t.Context(), token); reasonOf(err) != UnknownKey || !strings.Contains(err.Error(), "kid") {
		t.Errorf("the issuer has two keys: %v", err)
	}
}
