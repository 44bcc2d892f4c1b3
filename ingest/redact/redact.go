// Package redact decides which parts of a record may be kept: by the name of a field, and by the form of a string in any field.
//
// It does not keep any part of a body. It cannot detect an opaque secret in a field with a harmless name: a gateway must not log such a
// field. What redact drops is removed before the record is stored or logged.
package redact

import (
	"bytes"
	"strings"
)

// redacted replaces a removed value.
const redacted = "[redacted]"

// verdict is the classification of a field name.
type verdict uint8

const (
	harmless verdict = iota
	secret           // the value is a secret or contains one
	body             // the value is a body, a prompt, a query or the result of a tool
	count            // the name looks like a secret but counts tokens
)

// secretWords mark a field as secret if its name contains one of them.
var secretWords = []string{"authorization", "cookie", "token", "secret", "passw", "passphrase", "credential", "jwt", "assertion",
	"signature", "referer", "referrer", "raw_request", "raw_response", "client_cert",
	"apikey", "api_key", "api-key", "api.key", "private_key", "private-key", "privatekey"}

var bodyWords = []string{"messages", "arguments", "prompt", "completion.", "completion_", "instructions", "stacktrace", "db.statement",
	"query.text", "query_string", "url.query", "tool.definitions",
	"invocation_parameters", "documents", "request_body", "response_body", "llm_request", "llm_response", "input.value", "input_value",
	"output.value", "output_value", "input.mime", "output.mime"}

// secretEnds and bodyEnds are compared with the last word of a name.
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

// Field reports whether a field must be dropped because of its name. A body or token count is kept if its value is a number.
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

// Names caches the verdicts of field names, because the same names occur in every record. Clients can choose names, so the cache is
// bounded. Names is not safe for concurrent use.
type Names struct{ known map[string]verdict }

const maxNames = 1024

// Field returns the same result as the function Field.
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

// Absent reports whether secret is empty or a placeholder that a source writes in place of a secret. A placeholder does not identify a
// caller.
func Absent(secret string) bool {
	switch strings.ToLower(strings.Trim(secret, "[]<>*- ")) {
	case "", "redacted", "masked", "hidden", "filtered", "secret", "xxx", "xxxx", "removed", "null", "bearer", "basic", "true":
		return true
	}
	return false
}
