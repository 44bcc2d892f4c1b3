//go:build !failpoints

package app

import "log/slog"

// failPoint returns a function that does nothing: this binary has no fail points.
func failPoint(*slog.Logger) func(stage string) { return func(string) {} }
