// Package redact decides what of a record may be kept: by the name of a field,
// and by what a string looks like wherever it stands.
//
// It refuses to be clever about bodies: they are not kept at all. It cannot
// tell an opaque secret under a harmless name from any other value, and says so
// here: a gateway that logs such a field must not log it. What it drops is gone
// before anything is stored or logged.
package redact

import (
	"regexp"
	"strings"
)

// Redacted stands where something was.
const Redacted = "[redacted]"

// secretName are names whose values are secrets, or carry them.
var secretName = regexp.MustCompile(`(?i)authorization|cookie|api[-_.]?key|token|secret|passw(or)?d|passphrase|\bpwd\b|credential|private[-_]?key|jwt|session[-_]?token|assertion|signature|\bsig\b|referr?er|otp$|raw_request|raw_response|client_cert`)

// bodyName are names whose values are bodies, prompts, queries or what a tool answered.
var bodyName = regexp.MustCompile(`(?i)messages|arguments|prompt|completion([._]\d|$)|\bbody\b|request_body|response_body|llm_re(quest|sponse)|(input|output)([._]value|[._]mime_type)?$|\bresult$|instructions|stacktrace|db\.statement|query\.text|query_string|url\.query|(^|[^a-z])args$|tool\.definitions|invocation_parameters|documents|metadata$`)

// countName are names that hold numbers of tokens.
var countName = regexp.MustCompile(`(?i)tokens([._]\w+)?$|token_count`)

// Name reports whether the value of a field with this name must not be kept.
func Name(name string) bool { return secretName.MatchString(name) || bodyName.MatchString(name) }

// Field reports whether a field must not be kept: by its name, unless its value
// is a number that counts something.
func Field(name, value string) bool {
	if isNumber(value) {
		return secretName.MatchString(name) && !countName.MatchString(name)
	}
	return Name(name)
}

func isNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < '0' || s[i] > '9') && s[i] != '.' {
			return false
		}
	}
	return s != ""
}

// Absent reports whether a source has put a mark where a secret was: the mark
// is the same for everybody and is nobody's key.
func Absent(secret string) bool {
	switch strings.ToLower(strings.Trim(secret, "[]<>*- ")) {
	case "", "redacted", "masked", "hidden", "filtered", "secret", "xxx", "xxxx", "removed", "null", "bearer", "basic", "true":
		return true
	}
	return false
}
