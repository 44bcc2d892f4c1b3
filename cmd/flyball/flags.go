package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	reasonHelp = "reason; it is recorded in the audit trail"
	limitHelp  = "print at most this many"
)

// errNoReason refuses an order without a reason.
var errNoReason = errors.New("--reason: empty; give a reason, it is recorded in the audit trail")

// reasonFlag adds --reason to a command that changes something.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", reasonHelp)
}

// checkReason is an error of usage when no reason was given.
func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return usage(errNoReason)
	}
	return nil
}

// timeFlag reads a point in time: RFC 3339, or a duration before now. An empty text is
// the zero time.
func timeFlag(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Time{}, usage(fmt.Errorf("%s: %q is neither a duration (15m: that long ago) nor an RFC 3339 time", flag, text))
}

// secondsFlag reads a duration of at least a second, as whole seconds; 0 of an empty text.
func secondsFlag(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second {
		return 0, usage(fmt.Errorf("%s: %q is no duration of at least 1s, as in 15m", flag, text))
	}
	return int64(d / time.Second), nil
}

// wordFlag is an error of usage when a flag has a value that is none of some words. An
// empty value is allowed.
func wordFlag(flag, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return usage(fmt.Errorf("%s: %q is none of %s", flag, value, strings.Join(words, ", ")))
}
