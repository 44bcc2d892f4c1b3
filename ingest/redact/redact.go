// Package redact decides what of a record may be kept: by the name of a field,
// and by what a string looks like wherever it stands.
//
// It refuses to be clever about bodies: they are not kept at all. It cannot
// tell an opaque secret under a harmless name from any other value, and says so
// here: a gateway that logs such a field must not log it. What it drops is gone
// before anything is stored or logged.
package redact

import (
	"bytes"
	"strings"
)

// redacted stands where something was.
const redacted = "[redacted]"

// verdict on a name.
type verdict uint8

const (
	harmless verdict = iota
	secret           // its value is a secret, or carries one
	body             // its value is a body, a prompt, a query or what a tool answered
	count            // it sounds like a secret and counts tokens
)

// Wherever in a name one of these stands, its value is a secret.
var secretWords = []string{"authorization", "cookie", "token", "secret", "passw", "passphrase", "credential", "jwt", "assertion",
	"signature", "referer", "referrer", "raw_request", "raw_response", "client_cert",
	"apikey", "api_key", "api-key", "api.key", "private_key", "private-key", "privatekey"}

var bodyWords = []string{"messages", "arguments", "prompt", "completion.", "completion_", "instructions", "stacktrace", "db.statement",
	"query.text", "query_string", "url.query", "tool.definitions",
	"invocation_parameters", "documents", "request_body", "response_body", "llm_request", "llm_response", "input.value", "input_value",
	"output.value", "output_value", "input.mime", "output.mime"}

// These stand as words of their own, at the end of a name.
var (
	secretEnds = []string{"pwd", "sig", "otp"}
	bodyEnds   = []string{"body", "result", "args", "metadata", "input", "output", "completion", "content"}
)

func judge(name string) verdict {
	var arena [128]byte
	n := lower(arena[:0], name)
	if contains(n, secretWords) || ends(n, secretEnds) {
		if bytes.HasSuffix(n, []byte("tokens")) || bytes.Contains(n, []byte("tokens.")) || bytes.Contains(n, []byte("tokens_")) ||
			bytes.Contains(n, []byte("token_count")) {
			return count
		}
		return secret
	}
	if contains(n, bodyWords) || ends(n, bodyEnds) {
		return body
	}
	return harmless
}

func lower(into []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		into = append(into, c)
	}
	return into
}

func contains(name []byte, words []string) bool {
	for _, w := range words {
		if bytes.Contains(name, []byte(w)) {
			return true
		}
	}
	return false
}

func ends(name []byte, words []string) bool {
	for _, w := range words {
		if bytes.HasSuffix(name, []byte(w)) && (len(name) == len(w) || !isWord(name[len(name)-len(w)-1])) {
			return true
		}
	}
	return false
}

// Field reports whether a field must not be kept: by its name, unless its value
// is a number that counts something.
func Field(name, value string) bool { return refuses(judge(name), value) }

func refuses(v verdict, value string) bool {
	switch v {
	case secret:
		return true
	case body, count:
		return !isNumber(value)
	}
	return false
}

// Names remembers verdicts: the same names come with every record. It is
// bounded, for names may be a caller's, and not safe for concurrent use.
type Names struct{ known map[string]verdict }

const maxNames = 1024

// Field is Field.
func (n *Names) Field(name, value string) bool {
	v, ok := n.known[name]
	if !ok {
		v = judge(name)
		if n.known == nil {
			n.known = map[string]verdict{}
		}
		if len(n.known) < maxNames && len(name) <= 128 {
			n.known[strings.Clone(name)] = v
		}
	}
	return refuses(v, value)
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
