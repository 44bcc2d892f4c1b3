package schema

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
)

// hiddenSecret is the text that a Secret prints instead of its value.
const hiddenSecret = "<secret>"

// Secret is a password, token, key or URL with a credential. It prints as <secret> in every
// format: fmt, slog, JSON, YAML. string(s) is the value.
type Secret string

func (Secret) String() string { return hiddenSecret }

// Format hides the value from every verb of fmt, including invalid verbs.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenSecret) }

// LogValue hides the value from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }

// MarshalText hides the value from JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

// UnmarshalText sets the value to the text, unchanged.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// WithoutURL returns the cause of a failed HTTP request without the request's URL, which can hold a secret. Other errors are
// returned unchanged.
func WithoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
