// Package redact decides what of a record may be kept: by the name of a field,
// and by what a string looks like wherever it stands.
//
// It refuses to be clever about bodies: they are not kept at all. What it drops
// is gone before anything is stored or logged.
package redact

import (
	"regexp"
	"strings"
)

var secretName = regexp.MustCompile(`(?i)authorization|cookie|api[-_]?key|token|secret|passw(or)?d|credential|private[-_]?key|session[-_]?token|raw_request|raw_response|signature$|\bmessages\b|arguments|request_body|response_body|\bbody\b|llm_request|llm_response`)

// counts are names that the pattern would take for secrets and that hold numbers.
var counts = regexp.MustCompile(`(?i)tokens?(_count|_limit)?$|(input|output|total|prompt|completion|max)_tokens|token_count`)

// Name reports whether the value of a field with this name must not be kept.
func Name(name string) bool { return secretName.MatchString(name) && !isCount(name) }

func isCount(name string) bool {
	l := strings.ToLower(name)
	return counts.MatchString(l) && (strings.Contains(l, "tokens") || strings.Contains(l, "count"))
}

// jwt is three base64url parts, the first of which begins a JSON object.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*`)

// wellKnown are the forms of keys that vendors print.
var wellKnown = regexp.MustCompile(`\b(sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{30,}|AKIA[0-9A-Z]{16}|(?i:bearer|basic) [A-Za-z0-9._~+/=-]{8,})`)

// Redacted stands where something was.
const Redacted = "[redacted]"

// Text is s without tokens and keys that can be told by their form.
func Text(s string) string {
	if !Suspicious(s) {
		return s
	}
	return wellKnown.ReplaceAllString(jwt.ReplaceAllString(s, Redacted), Redacted)
}

// Suspicious is a cheap test that Text would do anything.
func Suspicious(s string) bool {
	for _, mark := range [...]string{"eyJ", "sk-", "gh", "xox", "AIza", "AKIA", "earer ", "asic ", "EARER ", "ASIC "} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}
