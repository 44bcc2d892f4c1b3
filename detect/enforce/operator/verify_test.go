package operator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"flyball/detect/enforce/operator/operatortest"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newIssuer returns the issuer that a provider is, with its keys.
func newIssuer(t testing.TB, p *operatortest.Provider, change func(*Options)) (*Issuer, *clock) {
	t.Helper()
	i, c := unread(t, p, change)
	if err := i.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i, c
}

// unread is newIssuer without its keys.
func unread(t testing.TB, p *operatortest.Provider, change func(*Options)) (*Issuer, *clock) {
	t.Helper()
	c := &clock{now: time.Now()}
	o := Options{URL: p.URL, ClientID: operatortest.ClientID, CLIClientID: operatortest.CLIClientID, Scopes: []string{"profile", "email"},
		Now: c.Now, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	i, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return i, c
}

func reasonOf(err error) Reason {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Reason
	}
	return ""
}

// jwtOf returns a JWT of any header and claims with a given signature.
func jwtOf(t testing.TB, header, claims map[string]any, signature string) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(header) + "." + part(claims) + "." + signature
}

func manyGroups(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("g%d", i))
	}
	return out
}

func TestForgedTokenIsAccepted(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	now := c.Now()
	right := p.Claims(now, "ana", "soc")
	id, private := p.Key()
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	withKey := func(key any, algorithm jose.SignatureAlgorithm, header ...string) string {
		o := &jose.SignerOptions{}
		for n := 0; n < len(header); n += 2 {
			o = o.WithHeader(jose.HeaderKey(header[n]), header[n+1])
		}
		return operatortest.Sign(t, jose.SigningKey{Algorithm: algorithm, Key: key}, o, right)
	}
	change := func(claim string, value any) string { return p.Sign(t, right, map[string]any{claim: value}) }
	good := p.Sign(t, right)
	parts := strings.Split(good, ".")
	for name, tc := range map[string]struct {
		token string
		want  Reason
	}{
		"right":                        {good, ""},
		"alg none":                     {jwtOf(t, map[string]any{"alg": "none", "kid": id}, right, ""), BadAlgorithm},
		"alg None":                     {jwtOf(t, map[string]any{"alg": "None", "kid": id}, right, parts[2]), BadAlgorithm},
		"no alg":                       {jwtOf(t, map[string]any{"kid": id}, right, parts[2]), BadAlgorithm},
		"HS256 with the public key":    {withKey(der, jose.HS256, "kid", id), BadAlgorithm},
		"an algorithm not in the list": {jwtOf(t, map[string]any{"alg": "RS512", "kid": id}, right, parts[2]), BadAlgorithm},
		"RS256 with an elliptic key":   {jwtOf(t, map[string]any{"alg": "RS256", "kid": id}, right, parts[2]), UnknownKey},
		"another key under its id":     {withKey(other, jose.ES256, "kid", id), BadSignature},
		"another key under another id": {withKey(other, jose.ES256, "kid", "k2"), UnknownKey},
		"another key without an id":    {withKey(other, jose.ES256), BadSignature},
		"a key in the header":          {jwkInHeader(t, other, right), BadSignature},
		"no signature":                 {parts[0] + "." + parts[1] + ".", BadSignature},
		"changed claims":               {parts[0] + "." + strings.Split(change("sub", "root"), ".")[1] + "." + parts[2], BadSignature},
		"other issuer":                 {change("iss", "https://evil.example"), OtherIssuer},
		"issuer with a slash":          {change("iss", p.URL+"/"), OtherIssuer},
		"no issuer":                    {change("iss", nil), OtherIssuer},
		"other audience":               {change("aud", "another-client"), OtherClient},
		"no audience":                  {change("aud", nil), OtherClient},
		"one of two audiences":         {change("aud", []string{"x", operatortest.ClientID}), ""},
		"expired":                      {change("exp", now.Add(-2*time.Minute).Unix()), Expired},
		"expired within the leeway":    {change("exp", now.Add(-30*time.Second).Unix()), ""},
		"no end":                       {change("exp", nil), Expired},
		"end is a text":                {change("exp", "tomorrow"), Malformed},
		"not before in the future":     {change("nbf", now.Add(2*time.Minute).Unix()), NotYetValid},
		"not before within the leeway": {change("nbf", now.Add(30*time.Second).Unix()), ""},
		"made in the future":           {change("iat", now.Add(time.Hour).Unix()), NotYetValid},
		"no subject":                   {change("sub", nil), BadSubject},
		"subject with a line break":    {change("sub", "ana\nroot"), BadSubject},
		"long subject":                 {change("sub", strings.Repeat("x", maxSubject+1)), BadSubject},
		"missing groups":               {change("groups", nil), ""},
		"groups as a text":             {change("groups", "soc"), ""},
		"groups as a number":           {change("groups", 7), BadGroups},
		"a group as a number":          {change("groups", []any{"soc", 7}), BadGroups},
		"groups left out by the issuer": {p.Sign(t, right, map[string]any{"groups": nil, "_claim_names": map[string]string{"groups": "src1"}}),
			BadGroups},
		"too many groups": {change("groups", manyGroups(maxGroups+1)), BadGroups},
		"10000 groups":    {change("groups", manyGroups(10_000)), TooLarge},
		"huge token":      {good + strings.Repeat("x", 1<<20), TooLarge},
		"a logout token":  {typed(t, p, "logout+jwt", right), BadType},
		"an access token": {typed(t, p, "at+jwt", right), ""},
		"not a JWT":       {"ey.ey.ey", Malformed},

		"an end in capitals":              {p.Sign(t, right, map[string]any{"exp": nil, "EXP": now.Add(time.Hour).Unix()}), Expired},
		"an audience in capitals":         {p.Sign(t, right, map[string]any{"aud": "x", "Aud": operatortest.ClientID}), OtherClient},
		"subject with a name":             {change("sub", "ana (root)"), BadSubject},
		"subject that acts for another":   {change("sub", "ana on behalf of root"), BadSubject},
		"subject before a name":           {change("sub", "ana On Behalf Of"), BadSubject},
		"subject that names another":      {change("sub", "ana for root"), BadSubject},
		"subject that contains the words": {change("sub", "forana|on-behalf-of"), ""},
	} {
		_, err := i.Verify(t.Context(), tc.token)
		if reasonOf(err) != tc.want || (err != nil) != (tc.want != "") {
			t.Errorf("%s: %v (%q), want %q", name, err, reasonOf(err), tc.want)
		}
		if err != nil && strings.Contains(err.Error(), parts[2]) {
			t.Errorf("%s: the error repeats the signature: %v", name, err)
		}
	}
}

// jwkInHeader returns a token that brings its own key.
func jwkInHeader(t testing.TB, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	return operatortest.Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: key}, &jose.SignerOptions{EmbedJWK: true}, claims)
}

// typed returns a token with a type, signed by the provider.
func typed(t testing.TB, p *operatortest.Provider, typ string, claims map[string]any) string {
	t.Helper()
	id, private := p.Key()
	return operatortest.Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithHeader("kid", id).WithType(jose.ContentType(typ)), claims)
}

func TestGroupsOfANestedClaimAreNotFound(t *testing.T) {
	nested := map[string]any{"realm_access": map[string]any{"roles": []any{"a", "b"}}, "https://x.example/groups": []any{"c"}, "text": "a,b",
		"a.b": []any{"whole"}, "a": map[string]any{"b": []any{"inside"}}, "empty": []any{}, "deep": map[string]any{"list": []any{"x"}}}
	for path, want := range map[string]string{"realm_access.roles": "[a b]", "https://x.example/groups": "[c]", "text": "[a,b]",
		"a.b":     "[whole]",
		"missing": "[]", "realm_access.roles.a": "[]", "text.a": "[]", "empty": "[]", "": "[]"} {
		if got, refused := list(nested, path, BadGroups, 10); refused != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v, want %s", path, got, refused, want)
		}
	}
	if _, refused := list(nested, "deep", BadGroups, 10); refused == nil {
		t.Error("an object is a list of groups")
	}
}

func TestNameOfATokenForgesAnEntryOfTheAuditTrail(t *testing.T) {
	o := Options{GroupsClaim: "groups"}
	for name, want := range map[string]string{
		"ana@example.com": "i#1 (ana@example.com)", "x) on behalf of root (": "i#1 (x on behalf of root)", "a\nb\u202e": `i#1 (a\nb\u202e)`,
		strings.Repeat("x", 150): "i#1 (" + strings.Repeat("x", 100) + "…)", "": "i#1",
	} {
		id, refused := o.identity("i", "1", map[string]any{"email": name})
		if refused != nil || id.String() != want {
			t.Errorf("%q: %s, %v", name, &id, refused)
		}
	}
}

func TestTokensOfARealProviderAreRefused(t *testing.T) {
	p := operatortest.Start(t)
	i, _ := newIssuer(t, p, nil)
	token := deviceToken(t, p, i, "ana", "soc", "dev")
	id, err := i.Verify(t.Context(), token)
	if err != nil || id.ID() != p.URL+"#ana" || id.Name != "ana@example.com" || fmt.Sprint(id.Groups) != "[soc dev]" {
		t.Errorf("%+v, %v", id, err)
	}
}

// A flood of tokens that name invented keys must not become a flood of requests to the issuer, and must not keep a rotated key out.
func TestInventedKeysFloodTheIssuer(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	invented := func(n int) Reason {
		id := fmt.Sprintf("k%d", n)
		_, err := i.Verify(t.Context(), jwtOf(t, map[string]any{"alg": "ES256", "kid": id}, p.Claims(c.Now(), "ana"), strings.Repeat("A", 86)))
		return reasonOf(err)
	}
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			if got := invented(n); got != UnknownKey {
				t.Errorf("%q", got)
			}
		})
	}
	all.Wait()
	if n := p.KeyReads(); n > 2 {
		t.Errorf("the keys were read %d times", n)
	}
	p.Rotate(t)
	rotated := p.Token(t, c.Now(), "ana", "soc")
	if _, err := i.Verify(t.Context(), rotated); reasonOf(err) != UnknownKey {
		t.Errorf("within the interval: %v", err)
	}
	c.add(keysEvery)
	if _, err := i.Verify(t.Context(), rotated); err != nil {
		t.Errorf("a rotated key: %v", err)
	}
	if n := p.KeyReads(); n > 3 {
		t.Errorf("the keys were read %d times", n)
	}
}

// A key that the issuer has taken back is accepted for as long as the process runs.
func TestKeyThatWasTakenBackIsAccepted(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	old := p.Token(t, c.Now(), "ana", "soc")
	p.Rotate(t)
	if err := i.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Verify(t.Context(), old); reasonOf(err) != UnknownKey {
		t.Errorf("%v", err)
	}
}

func TestIssuerIsAwayAndKnownKeysAreRefused(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	known := p.Token(t, c.Now(), "ana", "soc")
	p.SetAway(true)
	if err := i.Refresh(t.Context()); err == nil || i.Warning() == nil || !strings.Contains(i.Warning().Error(), "are accepted until") {
		t.Errorf("%v, %v", err, i.Warning())
	}
	if _, err := i.Verify(t.Context(), known); err != nil {
		t.Errorf("a known key: %v", err)
	}
	p.Rotate(t)
	fresh := p.Token(t, c.Now(), "ana", "soc")
	if _, err := i.Verify(t.Context(), fresh); reasonOf(err) != Away || !strings.Contains(err.Error(), "control.tokens are accepted") {
		t.Errorf("an unknown key: %v", err)
	}
	p.SetAway(false)
	c.add(keysEvery)
	if _, err := i.Verify(t.Context(), fresh); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
	p.SetAway(true)
	c.add(maxKeyAge + time.Second)
	if _, err := i.Verify(t.Context(), p.Token(t, c.Now(), "ana", "soc")); reasonOf(err) != Away {
		t.Errorf("keys that are a day old: %v", err)
	}
}

func TestStartWaitsForAnIssuerThatIsAway(t *testing.T) {
	p := operatortest.Start(t)
	p.SetAway(true)
	i, c := unread(t, p, nil)
	token := p.Token(t, c.Now(), "ana", "soc")
	if _, err := i.Verify(t.Context(), token); reasonOf(err) != Away {
		t.Errorf("%v", err)
	}
	if err := i.Refresh(t.Context()); err == nil {
		t.Error("an issuer that is away has answered")
	}
	if w := i.Warning(); w == nil || !strings.Contains(w.Error(), "its tokens are refused") {
		t.Errorf("%v", w)
	}
	p.SetAway(false)
	if err := i.Refresh(t.Context()); err != nil || i.Warning() != nil {
		t.Error(err, i.Warning())
	}
	if _, err := i.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestAddressThatOthersCanAnswerIsAnIssuer(t *testing.T) {
	for address, want := range map[string]bool{"https://id.example": true, "http://127.0.0.1:1": true, "http://localhost": true,
		"http://[::1]:1":    true,
		"http://id.example": false, "ftp://id.example": false, "https://user@id.example": false, "id.example": false, "": false,
		"http://127.0.0.1.evil.example": false} {
		if Safe(address) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
	if _, err := New(Options{URL: "https://id.example", ClientID: "c", Algorithms: []string{"HS256"}, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("an algorithm with a shared secret is allowed")
	}
}
