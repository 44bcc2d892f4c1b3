package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// wordFlag is an error of usage when a flag has a value that is none of some words. An
// empty value is allowed.
func wordFlag(flag, value string, words ...string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return usage(fmt.Errorf("%s: %q is none of %s", flag, value, strings.Join(words, ", ")))
}
