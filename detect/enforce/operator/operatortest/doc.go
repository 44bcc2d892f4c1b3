// Package operatortest runs a real OpenID Connect provider (zitadel/oidc, which is certified) on loopback for tests: discovery, keys that
// can
// be rotated, authorization code with PKCE, and device code. It signs tokens for attacks with the provider's own key.
package operatortest
