package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"flyball/detect/enforce/operator"
)

// OIDC configures the OpenID Connect issuer whose tokens operators have, beside Control.Tokens.
type OIDC struct {
	Issuer   string `yaml:"issuer"`    // as in its tokens; empty: none
	ClientID string `yaml:"client_id"` // of the pages
	// ClientSecretFile is the file with the secret of the client; empty: it has none.
	ClientSecretFile string `yaml:"client_secret_file" path:"file"`
	CLIClientID      string `yaml:"cli_client_id"` // of flyball login, without a secret; empty: client_id
	// Audience: a token must be for one of these; empty: for client_id or cli_client_id.
	Audience   []string `yaml:"audience"`
	Algorithms []string `yaml:"algorithms"` // of signatures
	Scopes     []string `yaml:"scopes"`     // that a sign-in asks for beside openid
	// GroupsClaim is the claim with the groups: its name, or a path such as realm_access.roles.
	GroupsClaim string            `yaml:"groups_claim"`
	Roles       map[string]string `yaml:"roles"` // group: role
	// Delegates are groups whose members may name the person for whom they make a request; see Token.Delegate.
	Delegates []string `yaml:"delegates"`
	Tenants   []string `yaml:"tenants"` // empty: any
	// TenantsClaim is the claim with the tenants of the holder; empty: tokens name none.
	TenantsClaim string `yaml:"tenants_claim"`
	TLS          TLS    `yaml:"tls"` // of connections to the issuer; without ca the authorities of the system apply
	// RedirectURL is where the issuer sends people back: control.public_url and /v1/sign-in. With it, pages behind links demand a
	// sign-in; empty: whoever has the link decides, once.
	RedirectURL string `yaml:"redirect_url"`
}

func defaultOIDC() OIDC {
	return OIDC{Algorithms: slices.Clone(operator.DefaultAlgorithms), Scopes: []string{"profile", "email"},
		GroupsClaim: operator.DefaultGroupsClaim}
}

// maxIssuer bounds the URL of the issuer: it is part of entries of the audit trail.
const maxIssuer = 200

func (o OIDC) validate(p *problems, c Control) {
	const at = "control.oidc."
	if o.Issuer == "" {
		if others := o.keysBesideIssuer(); len(others) > 0 {
			p.add("%sissuer: empty, and set is %s; set it to the URL of the issuer, as in its tokens", at, strings.Join(others, ", "))
		}
		return
	}
	if !operator.Safe(o.Issuer) || strings.ContainsAny(o.Issuer, "?#") || len(o.Issuer) > maxIssuer {
		p.add("%sissuer: %q must be a URL with https:// (http:// on loopback only), without ? and #, of at most %d bytes", at, o.Issuer,
			maxIssuer)
	}
	if o.ClientID == "" {
		p.add("%sclient_id: empty; set it to the id of the client at the issuer", at)
	}
	if o.GroupsClaim == "" {
		p.add("%sgroups_claim: empty; set it to the claim with the groups, such as groups", at)
	}
	if len(o.Algorithms) == 0 {
		p.add("%salgorithms: empty; allow at least one, such as RS256", at)
	}
	for i, a := range o.Algorithms {
		if !slices.Contains(operator.Algorithms, a) {
			p.add("%salgorithms[%d]: %q is none of %s; one with a shared secret lets whoever can check a token make one", at, i, a,
				strings.Join(operator.Algorithms, ", "))
		}
	}
	o.TLS.validate(p, at+"tls", false)
	o.validateRoles(p, at)
	if o.RedirectURL == "" {
		return
	}
	if want := strings.TrimSuffix(c.PublicURL, "/") + operator.Path; c.PublicURL == "" || o.RedirectURL != want {
		p.add("%sredirect_url: %q must be control.public_url and %s: %q", at, o.RedirectURL, operator.Path, want)
	}
	if !operator.Safe(o.RedirectURL) {
		p.add("%sredirect_url: %q must begin with https:// (http:// on loopback only): browsers send the cookie of a sign-in only so", at,
			o.RedirectURL)
	}
}

// keysBesideIssuer returns the keys of control.oidc that have another value than the default.
func (o OIDC) keysBesideIssuer() (keys []string) {
	var from func(key string, is, unset reflect.Value)
	from = func(key string, is, unset reflect.Value) {
		for i := range is.NumField() {
			name, _, _ := strings.Cut(is.Type().Field(i).Tag.Get("yaml"), ",")
			switch a, b := is.Field(i), unset.Field(i); {
			case a.Kind() == reflect.Struct:
				from(key+"."+name, a, b)
			case (a.Kind() == reflect.Slice || a.Kind() == reflect.Map) && a.Len() == 0 && b.Len() == 0: // [] as dump-config writes it
			case !reflect.DeepEqual(a.Interface(), b.Interface()):
				keys = append(keys, key+"."+name)
			}
		}
	}
	from("control.oidc", reflect.ValueOf(o), reflect.ValueOf(Default().Control.OIDC))
	return keys
}

func (o OIDC) validateRoles(p *problems, at string) {
	if len(o.Roles) == 0 {
		p.add("%sroles: empty: nobody would have a role; write roles: {GROUP: responder}", at)
	}
	for _, group := range sortedKeys(o.Roles) {
		p.mustBeOneOf(fmt.Sprintf("%sroles[%q]", at, group), o.Roles[group], roleWords()...)
		if strings.TrimSpace(group) == "" {
			p.add("%sroles: the name of a group is empty", at)
		}
	}
	for i, group := range o.Delegates {
		if _, ok := o.Roles[group]; !ok {
			p.add("%sdelegates[%d]: %q is no group of control.oidc.roles; add it there", at, i, group)
		}
	}
}

func (w *warnings) oidc(c Config) {
	o := c.Control.OIDC
	if o.Issuer == "" {
		return
	}
	if len(c.Control.Tokens) == 0 {
		w.add("control.tokens: empty: while the issuer is away and its keys are not known, nobody can reset a breaker; keep one token for that")
	}
	if c.Control.PublicURL != "" && o.RedirectURL == "" {
		w.add("control.oidc.redirect_url: empty: links in pages ask for no sign-in; whoever has one can decide with it, once")
	}
	if len(o.Tenants) > 0 && !slices.Contains(o.Tenants, c.Tenant) {
		w.add("control.oidc.tenants: none is %s, the tenant of this deployment; every token of the issuer is refused", c.Tenant)
	}
}
