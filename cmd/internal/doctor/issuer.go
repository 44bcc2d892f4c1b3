package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Issuer is the issuer of operators' tokens (control.oidc), and what it answers.
type Issuer struct {
	URL, Error string // URL is empty: there is none
	ClientID   string
	Clock      Clock
	// Signs are the algorithms with which it signs, and Allowed those of them that are accepted.
	Signs, Allowed []string
	DeviceCode     bool
	// Redirect is the URL to which it sends people back; empty: pages want no sign-in. ClientError is what it answers if it does not take
	// the client with this URL.
	Redirect, ClientError string
}

// maxIssuerSkew is the difference of clocks beyond which tokens are refused.
const maxIssuerSkew = time.Minute

func issuer(f *Facts) []Finding {
	i := &f.Issuer
	if i.URL == "" {
		return good(checkIssuer, "control.oidc is not set: operators have tokens only")
	}
	if i.Error != "" {
		return []Finding{{checkIssuer, Wrong, "issuer_away", i.URL + ": " + i.Error,
			"look at control.oidc.issuer, control.oidc.tls.ca and the way to the issuer; meanwhile tokens of control.tokens are accepted"}}
	}
	var out []Finding
	add := func(reason, found, do string) { out = append(out, Finding{checkIssuer, Wrong, reason, found, do}) }
	if ahead := i.Clock.Ahead; i.Clock.Known && (ahead > maxIssuerSkew || ahead < -maxIssuerSkew) {
		add("issuer_clock", fmt.Sprintf("the clock of %s differs by %s; tokens are accepted up to %s", i.URL, ahead.Round(time.Second),
			maxIssuerSkew),
			"synchronise the clocks (NTP): tokens are refused as expired, or as not valid yet")
	}
	if len(i.Signs) > 0 && len(i.Allowed) == 0 {
		add("issuer_algorithm", i.URL+" signs with "+strings.Join(i.Signs, ", ")+", and none is in control.oidc.algorithms",
			"add the one that it uses to control.oidc.algorithms")
	}
	if i.ClientError != "" {
		add("client_refused", fmt.Sprintf("%s does not take the client %s with the redirect URL %s: %s", i.URL, i.ClientID, i.Redirect,
			i.ClientError),
			"register the client and exactly this redirect URL at the issuer, with the grant authorization_code")
	}
	summary := i.URL + " answers"
	if i.Redirect != "" {
		summary += ", and knows the client " + i.ClientID + " with its redirect URL"
	}
	if !i.DeviceCode {
		summary += "; it offers no device code: flyball login does not work with it"
	}
	return orGood(checkIssuer, out, summary)
}
