package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/operator"
	"flyball/schema"
)

func loginCommand(o *options) *cobra.Command {
	var replace bool
	cmd := &cobra.Command{Use: "login", Args: cobra.NoArgs,
		Short: "Sign in at the issuer of a profile's deployment, and keep the token in the folder of the profiles",
		Long: "Sign in at the issuer of a profile's deployment (control.oidc), and keep the token in the folder of the profiles.\n\n" +
			"It prints an address and a code. Open the address in any browser, on any device, and confirm the code: this also works\n" +
			"over SSH. Confirm only a code that your own command has printed.\n\n" +
			"The token file has the mode 0600 and becomes the token file of the profile. If the issuer offers it (offline_access), commands\n" +
			"renew the token when it ends; what renews it is in a file of its own beside it, with the same mode. Otherwise sign in again when\n" +
			"a command says so. flyball logout removes both."}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := o.newSession()
		if err != nil {
			return err
		}
		if p := s.profile; p.TokenFile != "" && p.TokenFile != s.tokenFile() && !replace {
			return usage(fmt.Errorf("profile %s has the token file %s; --replace lets the sign-in take its place (the file stays)", p.Name,
				p.TokenFile))
		}
		t, err := s.profile.target()
		if err == nil {
			s.client, err = newControlClient(t)
		}
		if err != nil {
			return err
		}
		s.signIn.http = s.client.http
		return s.login(cmd)
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "take the place of another token file of the profile")
	return cmd
}

func logoutCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "logout", Args: cobra.NoArgs, Short: "Remove the token of flyball login from this machine",
		Long: "Remove the token of flyball login from this machine, and tell the issuer that it is renewed no more. A token that somebody has\n" +
			"copied stays valid until its end."}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := o.newSession()
		if err != nil {
			return err
		}
		if t, err := s.profile.target(); err == nil {
			if client, err := newControlClient(t); err == nil {
				s.signIn.http = client.http
			}
		}
		was, untold, err := s.end(cmd.Context())
		if err != nil {
			return fmt.Errorf("logout: %w", err)
		}
		if s.profile.TokenFile == s.tokenFile() {
			s.profile.TokenFile = ""
			if err := s.saved.save(); err != nil {
				return err
			}
		}
		if untold != nil {
			report.Printf(cmd.ErrOrStderr(), "the issuer was not told (%v): a copy of the file that renewed the token stays valid until the issuer "+
				"ends it\n", untold)
		}
		if !was {
			return report.Printf(cmd.OutOrStdout(), "profile %s: nobody was signed in\n", s.profile.Name)
		}
		return report.Printf(cmd.OutOrStdout(), "profile %s: signed out\n", s.profile.Name)
	}
	return cmd
}

// session is a sign-in that begins or ends, and the profile that it is for.
type session struct {
	*signIn
	saved   *profiles
	profile *profile
	client  *controlClient // of login
}

func (o *options) newSession() (*session, error) {
	chosen, saved, err := o.choice()
	if err != nil {
		return nil, err
	}
	name, by := chosen.profileName()
	if name == "" {
		return nil, usage(errors.New("a sign-in is kept for a profile, and none is in use: flyball profile add NAME --control URL adds one, " +
			"and --profile NAME names it"))
	}
	s := &session{saved: saved, signIn: signInOf(saved.path, name)}
	if s.profile, err = saved.find(name); err != nil {
		return nil, usage(fmt.Errorf("%s: %w", by, err))
	}
	return s, nil
}

// login signs in with a device code. It is the one way that needs neither a browser on this machine nor a port that a browser can reach: an
// authorization code would come back to a listener on loopback, which a browser on a laptop does not reach over SSH.
func (s *session) login(cmd *cobra.Command) error {
	ctx := cmd.Context()
	settings, err := get[api.IssuerLine](ctx, s.client, "/v1/issuer")
	var refused *apiError
	if errors.As(err, &refused) && refused.code == http.StatusNotFound {
		return fmt.Errorf("profile %s: the deployment at %s has no issuer (control.oidc): use a token of control.tokens", s.profile.Name,
			s.profile.Control)
	}
	if err != nil {
		return err
	}
	token, err := s.confirm(ctx, cmd, settings)
	if err != nil {
		return err
	}
	raw, who, err := s.accepted(ctx, token)
	if err != nil {
		return err
	}
	r := &renewal{Issuer: settings.Issuer, ClientID: settings.ClientID, Sends: idToken, Refresh: token.RefreshToken}
	if raw == token.AccessToken {
		r.Sends = accessToken
	}
	if err := s.keep(raw, r); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	s.profile.TokenFile = s.tokenFile()
	if err := s.saved.save(); err != nil {
		return err
	}
	return report.Printf(cmd.OutOrStdout(), "profile %s: signed in as %s, role %s%s\n", s.profile.Name,
		who.Issuer+"#"+who.Subject+" ("+who.Name+")", who.Role, untilOf(raw, r.Refresh != ""))
}

// confirm lets the person sign in in a browser, and returns what the issuer gives.
func (s *session) confirm(ctx context.Context, cmd *cobra.Command, settings api.IssuerLine) (*oauth2.Token, error) {
	ctx = oidc.ClientContext(ctx, s.client.http)
	if !operator.Safe(settings.Issuer) {
		return nil, fmt.Errorf("the deployment names the issuer %q, which has no https://", settings.Issuer)
	}
	issuer, err := oidc.NewProvider(ctx, settings.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the issuer %s does not answer as it should: %w", settings.Issuer, schema.WithoutURL(err))
	}
	conf := oauth2.Config{ClientID: settings.ClientID, Endpoint: issuer.Endpoint(), Scopes: scopesOf(issuer, settings.Scopes)}
	conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams // the client has no secret
	if conf.Endpoint.DeviceAuthURL == "" {
		return nil, fmt.Errorf("the issuer %s offers no device code (device_authorization_endpoint): get a token from it in another way, and "+
			"pass it by --token-file", settings.Issuer)
	}
	for _, address := range []string{conf.Endpoint.DeviceAuthURL, conf.Endpoint.TokenURL} {
		if !operator.Safe(address) {
			return nil, fmt.Errorf("the issuer %s names an address without https://", settings.Issuer)
		}
	}
	code, err := conf.DeviceAuth(ctx)
	if err != nil {
		return nil, deviceError(settings, err)
	}
	if err := report.Printf(cmd.ErrOrStderr(), "Sign in at the issuer %s for its client %s\nOpen %s in a browser and enter the code %s\n",
		report.Text(settings.Issuer), report.Text(settings.ClientID), code.VerificationURI, code.UserCode); err != nil {
		return nil, err
	}
	if code.VerificationURIComplete != "" {
		if err := report.Printf(cmd.ErrOrStderr(), "or open %s\n", code.VerificationURIComplete); err != nil {
			return nil, err
		}
	}
	token, err := conf.DeviceAccessToken(ctx, code)
	if err != nil {
		return nil, deviceError(settings, err)
	}
	return token, nil
}

// scopesOf adds to the scopes of a deployment the one with which the issuer gives a refresh token, if the issuer knows it: others refuse a
// sign-in that asks for it.
func scopesOf(issuer *oidc.Provider, scopes []string) []string {
	var known struct {
		Scopes []string `json:"scopes_supported"`
	}
	const offline = oidc.ScopeOfflineAccess
	if issuer.Claims(&known) != nil || !slices.Contains(known.Scopes, offline) || slices.Contains(scopes, offline) {
		return scopes
	}
	return append(slices.Clone(scopes), offline)
}

// deviceError shortens an error of the library, which contains the whole answer.
func deviceError(settings api.IssuerLine, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("the issuer %s has not signed you in with the client %s: %s", settings.Issuer, settings.ClientID,
			report.Text(refused.ErrorCode))
	}
	return fmt.Errorf("the issuer %s: %w", settings.Issuer, schema.WithoutURL(err))
}

// accepted returns the token that is sent to the deployment, and who its holder is there: the ID token, which is of no use elsewhere. The
// access token is sent only if the issuer has sent no other.
func (s *session) accepted(ctx context.Context, token *oauth2.Token) (raw string, who api.CallerLine, err error) {
	if raw, _ = token.Extra("id_token").(string); raw == "" {
		raw = token.AccessToken
	}
	if !operator.LooksLikeJWT(raw) {
		return "", who, errors.New("the issuer has sent no ID token, and no access token in its place, that is a JWT")
	}
	s.client.target.token, s.client.target.tokenFrom = schema.Secret(raw), "flyball login"
	if err := s.client.target.checkToken(); err != nil {
		return "", who, err
	}
	who, err = get[api.CallerLine](ctx, s.client, "/v1/caller")
	return raw, who, err
}

// untilOf says until when a token is valid, and whether it is renewed then; empty: it does not say.
func untilOf(raw string, renewed bool) string {
	end := claimsOf(raw).Expires
	if end == 0 {
		return ""
	}
	text := ", until " + time.Unix(end, 0).UTC().Format(time.RFC3339)
	if renewed {
		text += "; commands renew it then"
	}
	return text
}
