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

// reasonFlag adds --reason to a command that changes something, and --why, its name in some commands of versions before.
func reasonFlag(cmd *cobra.Command, reason *string) {
	f := cmd.Flags()
	f.StringVar(reason, "reason", "", reasonHelp)
	f.StringVar(reason, "why", "", reasonHelp)
	f.Lookup("why").Hidden = true
}

// checkOldReason says on standard error that --why is the old name of --reason. Both together are an error of usage.
func checkOldReason(cmd *cobra.Command) error {
	f := cmd.Flags()
	if !f.Changed("why") {
		return nil
	}
	if f.Changed("reason") {
		return usage(errors.New("--reason and --why are the same flag: give --reason alone"))
	}
	_, err := fmt.Fprintln(cmd.ErrOrStderr(), "--why is deprecated: use --reason")
	return err
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
