package operator

import (
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// Limits of what a token may say.
const (
	maxGroups  = 1_000
	maxTenants = 100
	maxSubject = 255 // bytes; OpenID Connect Core 1.0, 2
	maxName    = 100 // bytes
)

// Identity is who holds a token that the issuer has signed.
type Identity struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	// Name is what people call the person: e-mail, user name or name, without characters that do not print; empty: nothing of it.
	Name string `json:"name,omitempty"`
	// Known are the names under which the principal of an agent may be the same person: subject, e-mail, user names.
	Known   []string `json:"known,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Tenants []string `json:"tenants,omitempty"` // of the claim of Options.TenantsClaim
}

// ID names the person for ever, whatever the issuer calls it later.
func (i *Identity) ID() string { return i.Issuer + "#" + i.Subject }

// String is the name in the audit trail: the id, and the readable name beside it.
func (i *Identity) String() string {
	if i.Name == "" {
		return i.ID()
	}
	return i.ID() + " (" + i.Name + ")"
}

// identity reads who a payload is about. Its signature and its registered claims have been checked.
func (o *Options) identity(issuer, subject string, claims map[string]any) (Identity, *Refusal) {
	if subject == "" || len(subject) > maxSubject || subject != shown(subject, maxSubject) {
		return Identity{}, refuse(BadSubject, "the subject (sub) of the token is empty, longer than %d bytes or does not print", maxSubject)
	}
	if imitates(subject) {
		return Identity{}, refuse(BadSubject, `the subject (sub) of the token contains (, ), " for " or " on behalf of ", which separate `+
			"names in the audit trail: let the issuer send another subject")
	}
	id := Identity{Issuer: issuer, Subject: subject, Known: []string{subject}}
	for _, claim := range []string{"email", "preferred_username", "upn", "name"} {
		name, _ := claims[claim].(string)
		if name == "" || len(name) > maxSubject {
			continue
		}
		if claim != "name" { // two people can have the same name
			id.Known = append(id.Known, name)
		}
		if id.Name == "" {
			id.Name = readable(name)
		}
	}
	var refused *Refusal
	if id.Groups, refused = list(claims, o.GroupsClaim, BadGroups, maxGroups); refused == nil && o.TenantsClaim != "" {
		id.Tenants, refused = list(claims, o.TenantsClaim, BadTenants, maxTenants)
	}
	return id, refused
}

// imitates reports whether a subject contains what separates names in the audit trail. A readable name follows it after a space.
func imitates(subject string) bool {
	text := strings.ToLower(subject) + " "
	return strings.ContainsAny(text, "()") || strings.Contains(text, " for ") || strings.Contains(text, " on behalf of ")
}

// readable returns a name for people. Brackets are removed, because they enclose it in the audit trail.
func readable(name string) string {
	return shown(strings.TrimSpace(strings.NewReplacer("(", "", ")", "").Replace(name)), maxName)
}

// list returns the texts of a claim, a list or a single text, which is one group whatever it contains. A missing claim is an empty list.
// A path names a claim inside others by dots; a claim whose name is the path itself has priority.
func list(claims map[string]any, path string, reason Reason, limit int) ([]string, *Refusal) {
	value, left := find(claims, path)
	if left {
		return nil, refuse(reason, "the issuer has left the claim %s out, because it is too long: let it send only the groups that "+
			"control.oidc.roles names", path)
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		if len(v) > limit {
			return nil, refuse(reason, "the claim %s holds %d entries, at most %d are read: let the issuer send only the groups that "+
				"control.oidc.roles names", path, len(v), limit)
		}
		out := make([]string, 0, len(v))
		for _, one := range v {
			text, ok := one.(string)
			if !ok {
				return nil, refuse(reason, "the claim %s is not a list of texts", path)
			}
			out = append(out, text)
		}
		return out, nil
	}
	return nil, refuse(reason, "the claim %s is neither a text nor a list of texts", path)
}

// find returns the value of a claim; left: the issuer refers to another place for it (OpenID Connect Core 1.0, 5.6.2).
func find(claims map[string]any, path string) (value any, left bool) {
	if v, ok := claims[path]; ok {
		return v, false
	}
	elsewhere, _ := claims["_claim_names"].(map[string]any)
	if _, left = elsewhere[path]; left {
		return nil, true
	}
	var at any = claims
	for part := range strings.SplitSeq(path, ".") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		at = object[part]
	}
	return at, false
}

// readClaims decodes a payload; nil: it is no JSON object.
func readClaims(payload []byte) (out map[string]any) {
	if json.Unmarshal(payload, &out) != nil {
		return nil
	}
	return out
}
