package plugin

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLongNameIsCutInATable(t *testing.T) {
	for text, want := range map[string]string{
		"team/bad":               "team/bad",
		"":                       "",
		"deletes order after it": "deletes order after it",
		"DELETE /orders/{id}":    "DELETE /orders/{id}",
		"12345678901234567890":   "12345678901234567890",
		"123456789012345678901":  "12345678901234567890\n1",
		"airline/adaptive_agent_c:claude-opus-4-6":         "airline/adaptive_\nagent_c:claude-opus-4-6",
		"spiffe://cluster.local/ns/prod/sa/payments-agent": "spiffe://cluster.\nlocal/ns/prod/sa/\npayments-agent",
		"POST /chat/v1/channels/private/members, 1 call":   "POST /chat/v1/channels/\nprivate/members, 1 call",
		"run 2fd19901-1a29-86ad-a5b6-c35e6f9b3a30":         "run 2fd19901-1a29-86ad-a5b6-c35e6f9b3a30",
		strings.Repeat("ü", 45):                            strings.Repeat(strings.Repeat("ü", 20)+"\n", 2) + strings.Repeat("ü", 5),
	} {
		got := broken(text)
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if strings.ReplaceAll(got, "\n", "") != text {
			t.Errorf("%q lost a character: %q", text, got)
		}
		for _, word := range strings.FieldsFunc(got, func(r rune) bool { return r == ' ' || r == '-' || r == '\n' }) {
			if utf8.RuneCountInString(word) > lineRunes {
				t.Errorf("%q: the word %q is longer than a line", text, word)
			}
		}
	}
}
