package main

import "strings"

// programName is the command line that calls this program with the same configuration.
func (o *options) programName() string {
	if o.config == "" {
		return "flyball"
	}
	return "flyball --config " + shellWord(o.config)
}

// shellWord makes a text safe to paste into a shell.
func shellWord(s string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="
	if s != "" && strings.Trim(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
