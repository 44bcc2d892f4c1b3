package app

import (
	"context"
	"log/slog"
	"time"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/doctor"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/operator"
	"flyball/schema"
)

// startOIDC makes what identifies operators by tokens of an issuer, and starts reading its keys; nil: there is no issuer. Nothing waits for
// the issuer.
func (p *process) startOIDC() (*api.OIDC, error) {
	c := p.config
	if c.Control.OIDC.Issuer == "" {
		return nil, nil
	}
	issuer, err := newIssuer(c, p.log.With("component", "control"))
	if err != nil {
		return nil, err
	}
	secret, err := watched(p.files, "control.oidc.client_secret_file", clientSecretFiles(c), func() (schema.Secret,
		error) {
		return clientSecret(c)
	})
	if err != nil {
		return nil, err
	}
	out := &api.OIDC{Issuer: issuer, Roles: map[string]api.Role{}, Delegates: c.Control.OIDC.Delegates, Tenants: c.Control.OIDC.Tenants,
		TenantsClaim: c.Control.OIDC.TenantsClaim}
	for group, role := range c.Control.OIDC.Roles {
		out.Roles[group] = api.Role(role)
	}
	if c.Control.OIDC.RedirectURL != "" {
		out.SignIn, err = operator.NewSignIn(issuer, c.Control.OIDC.RedirectURL, func() schema.Secret { return *secret.Load() },
			schema.Secret(p.key))
		if err != nil {
			return nil, err
		}
	}
	p.parts.start(part{name: "oidc", run: issuer.Run, warning: issuer.Warning})
	return out, nil
}

// newIssuer makes the issuer of the configuration, and does not connect.
func newIssuer(c config.Config, log *slog.Logger) (*operator.Issuer, error) {
	o := c.Control.OIDC
	conf, err := clientTLS("control.oidc.tls", o.TLS)
	if err != nil {
		return nil, err
	}
	return operator.New(operator.Options{URL: o.Issuer, ClientID: o.ClientID, CLIClientID: o.CLIClientID, Audience: o.Audience,
		Algorithms: o.Algorithms, Scopes: o.Scopes, GroupsClaim: o.GroupsClaim, TenantsClaim: o.TenantsClaim, TLS: conf,
		Now: time.Now, Logger: log})
}

// clientSecret returns the secret of the client at the issuer; empty: it has none.
func clientSecret(c config.Config) (schema.Secret, error) {
	if c.Control.OIDC.ClientSecretFile == "" {
		return "", nil
	}
	secret, err := secretFile("control.oidc.client_secret_file", c.Control.OIDC.ClientSecretFile)
	return schema.Secret(secret), err
}

// clientSecretFiles returns the file of the secret of the client.
func clientSecretFiles(c config.Config) []string {
	if c.Control.OIDC.ClientSecretFile == "" {
		return nil
	}
	return []string{c.Control.OIDC.ClientSecretFile}
}

// validateOIDC reads the files that control.oidc names.
func validateOIDC(c config.Config) error {
	if c.Control.OIDC.Issuer == "" {
		return nil
	}
	if _, err := clientSecret(c); err != nil {
		return err
	}
	_, err := newIssuer(c, slog.New(slog.DiscardHandler))
	return err
}

// issuerFacts asks the issuer of operators' tokens. Nobody is signed in.
func issuerFacts(ctx context.Context, c config.Config) (f doctor.Issuer) {
	o := c.Control.OIDC
	if o.Issuer == "" {
		return f
	}
	f.URL, f.ClientID, f.Redirect, f.Clock.Of = o.Issuer, o.ClientID, o.RedirectURL, "the issuer"
	issuer, err := newIssuer(c, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Error = err.Error()
		return f
	}
	sent := time.Now()
	p := issuer.Probe(ctx, o.RedirectURL)
	f.Error, f.Signs, f.Allowed, f.DeviceCode, f.ClientError = p.Error, p.Signs, p.Allowed, p.DeviceCode, p.ClientError
	if !p.Now.IsZero() {
		// The header has whole seconds.
		f.Clock.Known, f.Clock.Ahead = true, ahead(p.Now, sent.Add(-time.Second), time.Now())
	}
	return f
}
