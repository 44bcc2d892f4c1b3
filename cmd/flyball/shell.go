package main

import "flyball/schema/wording"

// programName is the command line that calls this program with the same configuration and deployment.
func (o *options) programName() string {
	line := "flyball"
	for _, f := range []struct{ flag, value string }{
		{"--config", o.config}, {"--profile", o.profile}, {"--control", o.controlURL}, {"--token-file", o.tokenFile},
	} {
		if f.value != "" {
			line += " " + f.flag + " " + shellWord(f.value)
		}
	}
	return line
}

// shellWord makes a text safe to paste into a shell.
func shellWord(s string) string { return wording.ShellWord(s) }
