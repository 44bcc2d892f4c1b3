package app

import (
	"cmp"
	"runtime/debug"
)

// Version of the binary, as the linker set it; main sets it at start.
var Version string

// codeVersion names the binary in what it writes: its version, else the commit that it was built from.
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
