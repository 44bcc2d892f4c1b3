package arming

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPatternLength is the maximum length of a pattern in characters.
const maxPatternLength = 256

// ValidatePattern returns an error if a pattern is invalid. The error does not repeat the pattern,
// which may be a secret.
func ValidatePattern(pattern string) error {
	kind, rest, ok := strings.Cut(pattern, ":")
	if !ok || kind != "tag" && kind != "family" {
		kind, rest = "agent", pattern
	}
	switch {
	case strings.TrimSpace(rest) == "":
		return fmt.Errorf("pattern: no name of a %s in it; a name or a pattern of agents as billing/*, tag:NAME, family:NAME, or * "+
			"for everything", kind)
	case !utf8.ValidString(pattern) || utf8.RuneCountInString(pattern) > maxPatternLength:
		return fmt.Errorf("pattern: more than %d characters, or not UTF-8", maxPatternLength)
	case strings.ContainsFunc(pattern, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
		return errors.New("pattern: a control character in it")
	}
	if _, err := path.Match(rest, ""); err != nil {
		return errors.New("pattern: brackets or a backslash that do not close or escape anything")
	}
	return nil
}
