package app

import (
	"cmp"
	"runtime/debug"
)

// Version is the version of the binary. The linker sets it in main, and main sets it here.
var Version string

// codeVersion returns the name of the binary in published versions: its version, otherwise the
// commit from which it was built.
func codeVersion() string {
	out := Version
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				out = cmp.Or(out, s.Value)
			}
		}
		out = cmp.Or(out, info.Main.Version)
	}
	return cmp.Or(out, "unknown")
}
