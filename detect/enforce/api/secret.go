package api

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// secrets matches the forms of tokens and keys that providers issue.
var secrets = regexp.MustCompile(`(?i)^(bearer|basic|token|apikey)\s|^-----begin|` +
	`^(sk|rk|pk)[_-].{6}|^gh[pousr]_|^github_pat_|^glpat-|` +
	`^xox[a-z]-|^xapp-|^npm_|^pypi-|^dop_v1_|^hv[sb]\.|^whsec_|^ya29\.|^sg\.[\w-]{16}|^aiza[\w-]{20}|` +
	`^ey[\w-]{8,}\.[\w-]+\.`)

// LooksLikeSecret reports whether a text has the form of a token or key that a provider issues.
// Such a text cannot be a name.
func LooksLikeSecret(text string) bool { return secrets.MatchString(strings.TrimSpace(text)) }

// hasSecret reports whether a part of a route, of a pattern or of a list of resources looks like a secret: DELETE /files/ghp_….
func hasSecret(texts ...string) bool {
	for _, text := range texts {
		parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("/:=,;&?", r) }) // Bearer abc is one
		if slices.ContainsFunc(append(parts, strings.Fields(text)...), LooksLikeSecret) {
			return true
		}
	}
	return false
}

var (
	keyedID = regexp.MustCompile(`^k_[a-z2-7]{16}$`)
	uuid    = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// MayBeSecret reports whether a text that is given as the id of a credential may be the credential
// itself: it is random and has none of the forms of ids.
func MayBeSecret(text string) bool {
	if keyedID.MatchString(text) || uuid.MatchString(text) {
		return false
	}
	if LooksLikeSecret(text) {
		return true
	}
	longest, run, digits, letters := 0, 0, 0, 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits++
			run++
		case unicode.IsLetter(r):
			letters++
			run++
		case r == '_' || r == '+' || r == '=':
			run++
		default: // a separator between the parts of a name
			run = 0
		}
		longest = max(longest, run)
	}
	return longest >= 16 && digits > 0 && letters > 0
}
