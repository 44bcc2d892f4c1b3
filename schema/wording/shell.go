package wording

import "strings"

// safeInShell are the characters that no shell reads in a special way.
const safeInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="

// ShellWord returns a text in a form that is safe to paste into a shell. Clients can choose it.
func ShellWord(s string) string {
	if s != "" && strings.Trim(s, safeInShell) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
