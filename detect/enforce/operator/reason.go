package operator

import (
	"fmt"

	"flyball/schema"
)

// Reason says why a token or a sign-in is refused. It is counted.
type Reason string

// Reasons.
const (
	TooLarge     Reason = "oidc_too_large"
	Malformed    Reason = "oidc_malformed"
	BadType      Reason = "oidc_type"       // a JWT that is made for another purpose
	BadAlgorithm Reason = "oidc_algorithm"  // none, HS*, or not in control.oidc.algorithms
	UnknownKey   Reason = "oidc_key"        // the issuer has no such key, or several and the token names none
	BadSignature Reason = "oidc_signature"  // not made by the key that it names
	OtherIssuer  Reason = "oidc_issuer"     // of another issuer
	OtherClient  Reason = "oidc_audience"   // for another client or API
	Expired      Reason = "oidc_expired"    // or without an end
	NotYetValid  Reason = "oidc_not_yet"    // valid or made only in the future
	BadSubject   Reason = "oidc_subject"    // without a subject that can be an entry of the audit trail
	BadGroups    Reason = "oidc_groups"     // groups that cannot be read, or too many
	BadTenants   Reason = "oidc_tenants"    // tenants that cannot be read
	Away         Reason = "oidc_away"       // the issuer does not answer, and its answer is needed
	BadState     Reason = "oidc_state"      // a sign-in that did not begin in this browser
	BadNonce     Reason = "oidc_nonce"      // a token of another sign-in
	RefusedCode  Reason = "oidc_code"       // the issuer does not take the code: used, expired, of another client
	TooMany      Reason = "oidc_too_many"   // sign-ins in a second
	RefusedThere Reason = "oidc_not_signed" // the issuer has not signed the person in
)

// Refusal is an error with a named reason. Its text repeats nothing of a token but what the issuer has signed.
type Refusal struct {
	Reason Reason
	text   string
}

func (r *Refusal) Error() string { return r.text }

func refuse(reason Reason, text string, args ...any) *Refusal {
	return &Refusal{reason, fmt.Sprintf(text, args...)}
}

// shown returns at most n bytes of a text for people.
func shown(text string, n int) string {
	text = schema.Visible(text)
	if len(text) > n {
		text = text[:n] + "…"
	}
	return text
}
