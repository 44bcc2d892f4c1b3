package stitch

import "strings"

// words keeps one copy of the strings that many runs share: tenants, agents, credentials, principals.
type words struct{ known map[string]string }

// maxWords bounds the strings that are kept to be found again, about 0.5 MB. A full list begins again: runs keep their
// strings, and share them no longer with later runs.
const maxWords = 8192

// of returns a copy of s that aliases no record and is shared with earlier calls.
func (w *words) of(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := w.known[s]; ok {
		return known
	}
	if w.known == nil || len(w.known) >= maxWords {
		w.known = make(map[string]string)
	}
	s = strings.Clone(s)
	w.known[s] = s
	return s
}

func (w *words) setIfEmpty(field *string, v string) {
	if *field == "" && v != "" {
		*field = w.of(v)
	}
}
