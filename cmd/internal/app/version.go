package app

import (
	"cmp"
	"runtime/debug"
)

// Version of the binary, as the linker set it; main hands it over.
var Version string

// code names the binary that made something: its version, else the commit that it
// was built of.
func code() string {
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
