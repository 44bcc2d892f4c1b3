package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"flyball/detect/enforce/operator"
	"flyball/schema"
)

// signInVersion is the version of the file of a signIn.
const signInVersion = 1

// signIn is the sign-in of a profile: its token, and beside it, in a file of its own, what renews the token.
type signIn struct {
	profile string
	dir     string
	http    *http.Client
}

// renewal is what is kept to renew a token. It is never printed.
type renewal struct {
	Version  int    `json:"version"`
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	// Sends is which token the deployment gets: id_token, or access_token if the issuer sent no other at the sign-in.
	Sends   string `json:"sends"`
	Refresh string `json:"refresh_token"`
}

// Values of renewal.Sends.
const (
	idToken     = "id_token"
	accessToken = "access_token"
)

// signInOf returns the sign-in of a profile, whose files are beside that of the profiles.
func signInOf(profiles, name string) *signIn {
	return &signIn{profile: name, dir: filepath.Dir(profiles)}
}

func (s *signIn) tokenFile() string   { return filepath.Join(s.dir, s.profile+".token") }
func (s *signIn) renewalFile() string { return filepath.Join(s.dir, s.profile+".refresh") }

// again says what to type for a new sign-in.
func (s *signIn) again() string {
	return "sign in again: flyball login --profile " + shellWord(s.profile)
}

// keep writes the token, and what renews it; without a refresh token that of an earlier sign-in is removed. What renews is written first:
// the issuer has already forgotten the one before.
func (s *signIn) keep(raw string, r *renewal) error {
	if r.Refresh == "" {
		if err := os.Remove(s.renewalFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else {
		r.Version = signInVersion
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := writeSecret(s.renewalFile(), string(text)); err != nil {
			return err
		}
	}
	return writeSecret(s.tokenFile(), raw)
}

// writeSecret replaces a file that only its owner can read.
func writeSecret(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), "token-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// due reports whether a token ends within half a minute, by the clock here.
func (s *signIn) due(token schema.Secret, now time.Time) bool {
	end := claimsOf(string(token)).Expires
	return end > 0 && now.Add(30*time.Second).Unix() >= end
}

// errNotRenewable: nothing is kept that renews the token.
var errNotRenewable = errors.New("the sign-in has ended, and the issuer gave nothing to renew it")

// renew returns a token in place of one that has ended. Of several commands at once one asks the issuer: a refresh token is good for one
// request, and a second request would end the sign-in.
func (s *signIn) renew(ctx context.Context, ended schema.Secret) (schema.Secret, error) {
	unlock, err := s.lock()
	if err != nil {
		return "", s.explained(err)
	}
	defer unlock()
	if token, _, err := readToken("flyball login", s.tokenFile()); err == nil && token != ended {
		return token, nil // another command has renewed it
	}
	r, err := s.read()
	if err != nil {
		return "", s.explained(err)
	}
	raw, err := s.ask(ctx, r, string(ended))
	if err != nil {
		return "", s.explained(err)
	}
	if err := s.keep(raw, r); err != nil {
		return "", s.explained(err)
	}
	return schema.Secret(raw), nil
}

func (s *signIn) explained(err error) error {
	return fmt.Errorf("profile %s: %w; %s", s.profile, err, s.again())
}

// lock waits until no other command renews the sign-in.
func (s *signIn) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, s.profile+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// read reads what renews the token.
func (s *signIn) read() (*renewal, error) {
	text, err := os.ReadFile(s.renewalFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotRenewable
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(s.renewalFile()); err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others can read %s, which renews the sign-in: chmod 600 it", s.renewalFile())
	}
	var r renewal
	if err := json.Unmarshal(text, &r); err != nil || r.Version < 1 || r.Version == signInVersion && r.Refresh == "" {
		return nil, fmt.Errorf("%s cannot be read", s.renewalFile()) // the error would quote it
	}
	if r.Version > signInVersion {
		return nil, fmt.Errorf("%s has version %d, this binary reads %d: use a newer flyball", s.renewalFile(), r.Version, signInVersion)
	}
	return &r, nil
}

// ask asks the issuer for a new token, and sets the refresh token that comes with it.
func (s *signIn) ask(ctx context.Context, r *renewal, ended string) (raw string, err error) {
	ctx = oidc.ClientContext(ctx, s.http)
	issuer, err := oidc.NewProvider(ctx, r.Issuer)
	if err != nil {
		return "", fmt.Errorf("the sign-in has ended, and the issuer %s does not answer as it should: %w; try again later, or", r.Issuer,
			schema.WithoutURL(err))
	}
	conf := oauth2.Config{ClientID: r.ClientID, Endpoint: issuer.Endpoint()}
	conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams // the client has no secret
	if !operator.Safe(conf.Endpoint.TokenURL) {
		return "", fmt.Errorf("the issuer %s names an address without https://", r.Issuer)
	}
	token, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: r.Refresh}).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused): // the error of the library has the whole answer
		return "", fmt.Errorf("the issuer %s does not renew the sign-in (%s)", r.Issuer, shownCode(refused))
	case err != nil:
		return "", fmt.Errorf("the sign-in has ended, and the issuer %s does not renew it: %w; try again later, or", r.Issuer,
			schema.WithoutURL(err))
	}
	if raw = token.AccessToken; r.Sends == idToken {
		raw, _ = token.Extra(idToken).(string)
	}
	was, is := claimsOf(ended), claimsOf(raw)
	switch {
	case !operator.LooksLikeJWT(raw):
		return "", fmt.Errorf("the issuer %s has renewed the sign-in without a token for the deployment (%s)", r.Issuer, r.Sends)
	case was.Issuer != is.Issuer || was.Subject != is.Subject: // OpenID Connect Core 1.0, 12.2
		return "", fmt.Errorf("the issuer %s has sent the token of somebody else", r.Issuer)
	}
	r.Refresh = token.RefreshToken
	return raw, nil
}

// shownCode returns the code of a refusal, or its status.
func shownCode(refused *oauth2.RetrieveError) string {
	for _, c := range refused.ErrorCode {
		if c != '_' && (c < 'a' || c > 'z') {
			return refused.Response.Status
		}
	}
	if refused.ErrorCode == "" || len(refused.ErrorCode) > 64 {
		return refused.Response.Status
	}
	return refused.ErrorCode
}

// end removes the sign-in from this machine and tells the issuer that the refresh token is of no use any more. untold is why the issuer
// could not be told; nil: it was, or nothing was kept. was: somebody was signed in.
func (s *signIn) end(ctx context.Context) (was bool, untold, err error) {
	unlock, err := s.lock()
	if err != nil {
		return false, nil, err
	}
	defer unlock()
	r, kept := s.read()
	for _, file := range []string{s.tokenFile(), s.renewalFile()} {
		switch err := os.Remove(file); {
		case err == nil:
			was = true
		case !errors.Is(err, fs.ErrNotExist):
			return was, nil, err
		}
	}
	switch {
	case errors.Is(kept, errNotRenewable):
		return was, nil, nil
	case kept != nil:
		return was, kept, nil
	}
	return was, s.revoke(ctx, r), nil
}

// revoke tells the issuer that a refresh token is of no use any more (RFC 7009).
func (s *signIn) revoke(ctx context.Context, r *renewal) error {
	if s.http == nil {
		return errors.New("the certificates of the profile cannot be read")
	}
	issuer, err := oidc.NewProvider(oidc.ClientContext(ctx, s.http), r.Issuer)
	if err != nil {
		return schema.WithoutURL(err)
	}
	var more struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := issuer.Claims(&more); err != nil || !operator.Safe(more.Revocation) {
		return errors.New("it names no revocation_endpoint with https://")
	}
	form := url.Values{"token": {r.Refresh}, "token_type_hint": {"refresh_token"}, "client_id": {r.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, more.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return schema.WithoutURL(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.http.Do(req)
	if err != nil {
		return schema.WithoutURL(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

// claims are what a client reads of a token without a check of its signature: nothing is allowed because of them.
type claims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Expires int64  `json:"exp"` // 0: it does not say
}

func claimsOf(raw string) (c claims) {
	if parts := strings.Split(raw, "."); len(parts) == 3 {
		if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(text, &c)
		}
	}
	return c
}
