package plugin

import (
	"slices"
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
		"abcdefghijklnopqrstu":   "abcdefghijklnopqrstu",
		"abcdefghijklnopqrstuv":  "abcdefghijklnopqrstu\nv",
		"12345678901234567890":   "1234567890123456\n7890",
		"WWWWWWWWWWWWW":          "WWWWWWWWWW\nWWW",
		"airline/adaptive_agent_c:claude-opus-4-6":         "airline/adaptive_\nagent_c:claude-opus-4-6",
		"spiffe://cluster.local/ns/prod/sa/payments-agent": "spiffe://cluster.\nlocal/ns/prod/sa/\npayments-agent",
		"POST /chat/v1/channels/private/members, 1 call":   "POST /chat/v1/channels/\nprivate/members, 1 call",
		"run 2fd19901-1a29-86ad-a5b6-c35e6f9b3a30":         "run 2fd19901-1a29-86ad-a5b6-c35e6f9b3a30",
		strings.Repeat("ü", 45):                            strings.Repeat(strings.Repeat("ü", 20)+"\n", 2) + strings.Repeat("ü", 5),
	} {
		got := broken(text, 20, 120)
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if strings.ReplaceAll(got, "\n", "") != text {
			t.Errorf("%q lost a character: %q", text, got)
		}
		for _, word := range strings.FieldsFunc(got, func(r rune) bool { return r == ' ' || r == '-' || r == '\n' }) {
			if utf8.RuneCountInString(word) > 20 {
				t.Errorf("%q: the word %q is longer than a line", text, word)
			}
		}
	}
}

// Ids of runs that begin alike are told apart, and none is longer than it must be.
func TestShortRunIsThatOfAnother(t *testing.T) {
	ids := []string{"2fd19901-1a29-86ad-a5b6-c35e6f9b3a30", "2fd19901-1a29-86ad-a5b6-c35e6f9b3a30", "2fd19901-2a29-86ad-a5b6-c35e6f9b3a30",
		"2fd1", "aa828db0-58bd-82c7-8d92-1741e8dca461", "", "2fd19901-1a29-86ad-a5b6-c35e6f9b3a31"}
	want := []string{ids[0], ids[0], "2fd19901-2", "2fd1", "aa828db0", "", ids[6]}
	if got := shortened(ids); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A name of a thousand characters would be the only row that is seen.
func TestLongNamePushesOtherRowsOutOfSight(t *testing.T) {
	for _, text := range []string{strings.Repeat("a", 10_000), strings.Repeat("W", 10_000), strings.Repeat("a b-", 5000)} {
		got := broken(text, 20, 120)
		if n := strings.Count(got, "\n"); n > 7 || !strings.HasSuffix(got, "…") || utf8.RuneCountInString(got) > 120+n+1 {
			t.Errorf("%.10s…: %d lines, %d characters", text, n+1, utf8.RuneCountInString(got))
		}
	}
}
