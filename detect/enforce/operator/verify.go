package operator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // exact names of members: encoding/json reads "EXP" as exp
	"github.com/go-jose/go-jose/v4/jwt"

	"flyball/schema"
)

const (
	// maxToken is the maximum size of a token in bytes.
	maxToken = 32 << 10
	// leeway is by how much the clock of the issuer may differ.
	leeway = time.Minute
)

// LooksLikeJWT reports whether a text has the form of a signed JWT.
func LooksLikeJWT(text string) bool {
	return strings.HasPrefix(text, "ey") && strings.Count(text, ".") == 2
}

// types are the values of the header typ of ID tokens and access tokens. Tokens of logouts and of security events have others.
var types = []string{"", "jwt", "at+jwt", "application/at+jwt"}

// Verify returns who holds an ID token or access token of the issuer. The error is a *Refusal. It asks the issuer only for a key that is
// not known.
func (i *Issuer) Verify(ctx context.Context, token string) (Identity, error) {
	checked, refused := i.verify(ctx, token, i.o.Audience)
	if refused != nil {
		return Identity{}, refused
	}
	id, refused := i.o.identity(checked.Issuer, checked.Subject, checked.all)
	if refused != nil {
		return Identity{}, refused
	}
	return id, nil
}

// checkedToken are the claims of a token whose signature and registered claims are right.
type checkedToken struct {
	jwt.Claims
	all map[string]any
}

func (i *Issuer) verify(ctx context.Context, token string, audience []string) (*checkedToken, *Refusal) {
	if len(token) > maxToken {
		return nil, refuse(TooLarge, "the token has %d bytes, at most %d are read: let the issuer send only the groups that "+
			"control.oidc.roles names", len(token), maxToken)
	}
	if _, refused := i.known(); refused != nil {
		return nil, refused
	}
	payload, refused := i.signed(ctx, token)
	if refused != nil {
		return nil, refused
	}
	out := &checkedToken{all: readClaims(payload)}
	if out.all == nil || json.Unmarshal(payload, &out.Claims) != nil {
		return nil, refuse(Malformed, "the claims of the token cannot be read")
	}
	return out, i.o.valid(&out.Claims, audience)
}

// signed returns the payload of a token that a key of the issuer has signed.
func (i *Issuer) signed(ctx context.Context, token string) ([]byte, *Refusal) {
	allowed := make([]jose.SignatureAlgorithm, len(i.o.Algorithms))
	for n, a := range i.o.Algorithms {
		allowed[n] = jose.SignatureAlgorithm(a)
	}
	parsed, err := jose.ParseSignedCompact(token, allowed)
	var algorithm *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &algorithm):
		return nil, refuse(BadAlgorithm, "the token is signed by %q, which is not in control.oidc.algorithms: %s",
			shown(string(algorithm.Got), 20), strings.Join(i.o.Algorithms, ", "))
	case err != nil:
		return nil, refuse(Malformed, "the token has the form of a JWT, and cannot be read as one")
	}
	header := parsed.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !slices.Contains(types, strings.ToLower(typ)) {
		return nil, refuse(BadType, "the token has the type %q: it is neither an ID token nor an access token", shown(typ, 40))
	}
	keys, refused := i.keysOf(ctx, header.KeyID, header.Algorithm)
	if refused != nil {
		return nil, refused
	}
	if known, _ := i.keys.count(); header.KeyID == "" && known > 1 { // OpenID Connect Core 1.0, 10.1
		return nil, refuse(UnknownKey, "the token names no key (kid), and the issuer %s has %d: it must name the one that signed it", i.o.URL,
			known)
	}
	for n := range keys {
		if payload, err := parsed.Verify(keys[n].Key); err == nil {
			return payload, nil
		}
	}
	return nil, refuse(BadSignature, "the signature of the token is not that of the key that it names")
}

// keysOf returns the keys with an id. If there is none, the issuer is asked for its keys again.
func (i *Issuer) keysOf(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, *Refusal) {
	keys, fresh := i.keys.named(id, algorithm)
	if len(keys) > 0 && fresh {
		return keys, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	began, err := i.keys.again(ctx)
	if began && err != nil {
		i.o.Logger.Warn("the keys of the issuer of operators' tokens cannot be read", "issuer", i.o.URL, "error", schema.WithoutURL(err))
	}
	keys, fresh = i.keys.named(id, algorithm)
	switch {
	case err != nil && (!errors.Is(err, errKeysAsked) || !fresh):
		return nil, refuse(Away, "the key of the token is not known here, and the issuer %s does not answer; tokens of known keys and of "+
			"control.tokens are accepted", i.o.URL)
	case len(keys) == 0:
		return nil, refuse(UnknownKey, "the issuer %s has no key with the id that the token names; sign in again", i.o.URL)
	}
	return keys, nil
}

// valid checks the registered claims of a token.
func (o *Options) valid(c *jwt.Claims, audience []string) *Refusal {
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: o.URL, AnyAudience: audience, Time: o.Now()}, leeway)
	switch {
	case c.Issuer == "" || errors.Is(err, jwt.ErrInvalidIssuer):
		return refuse(OtherIssuer, "the token is of the issuer %q, control.oidc.issuer is %q", shown(c.Issuer, 200), o.URL)
	case len(c.Audience) == 0 || errors.Is(err, jwt.ErrInvalidAudience):
		return refuse(OtherClient, "the token is for the audience %q; it must be for one of %q", shown(strings.Join(c.Audience, ", "), 200),
			audience)
	case c.Expiry == nil:
		return refuse(Expired, "the token has no end (exp); such tokens are not accepted")
	case errors.Is(err, jwt.ErrExpired):
		return refuse(Expired, "the token has expired at %s; sign in again (flyball login)", c.Expiry.Time().UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return refuse(NotYetValid, "the token is valid only in the future: the clock here, or that of the issuer, is wrong by more than %s",
			leeway)
	case err != nil:
		return refuse(Malformed, "the claims of the token cannot be checked")
	}
	return nil
}
