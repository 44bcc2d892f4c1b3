package route

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxSegments is the maximum number of segments of a template; the segments after it are {*}.
const maxSegments = 12

// templateOf returns the heuristic template of the segments of a path: segments that look like identifiers become placeholders, named
// after their form.
func templateOf(segs []string) string {
	_, template, _ := namesOf("", segs)
	return template
}

// namesOf returns the operation ("GET /orders/{id}"), the template and its key. They share one string: each call has
// them.
func namesOf(method string, segs []string) (operation, template, key string) {
	var arena, keys [192]byte
	b, k := append(append(arena[:0], method...), ' '), keys[:0]
	from := len(b)
	if len(segs) == 0 {
		b, k = append(b, '/'), append(k, '/')
	}
	plain := true // the key is the template
	for i, s := range segs {
		b, k = append(b, '/'), append(k, '/')
		if i == maxSegments-1 && len(segs) > maxSegments {
			b, k, plain = append(b, "{*}"...), append(k, "{}"...), false
			break
		}
		t, isParameter := classify(s)
		b = append(b, t...)
		if isParameter {
			k, plain = appendKey(k, t), false
		} else {
			k = append(k, t...)
		}
	}
	to := len(b)
	if plain {
		all := string(b)
		return all, all[from:], all[from:]
	}
	all := string(append(b, k...))
	return all[:to], all[from:to], all[to:]
}

// split returns the decoded segments of a path or URL, without query, fragment, matrix
// parameters and empty segments.
func split(path string, into []string) []string {
	path = withoutOrigin(path)
	for path != "" {
		seg := path
		if i := strings.IndexByte(path, '/'); i >= 0 {
			seg, path = path[:i], path[i+1:]
		} else {
			path = ""
		}
		if i := strings.IndexByte(seg, ';'); i >= 0 {
			seg = seg[:i]
		}
		if seg == "" {
			continue
		}
		if strings.IndexByte(seg, '%') >= 0 {
			if d, err := url.PathUnescape(seg); err == nil && utf8.ValidString(d) {
				seg = d
			}
		}
		into = append(into, seg)
	}
	return into
}

// classify returns the template of a segment, and whether it contains a placeholder.
func classify(s string) (string, bool) {
	v := countBytes(s)
	if v.digits == 0 && !v.at && len(s) < 20 && !hasBraces(s) && strings.IndexByte(s, '[') < 0 && strings.IndexByte(s, '=') < 0 {
		return s, false // an ordinary word
	}
	if v.dot && isQualified(s) {
		return s, false
	}
	if isVendorKey(s) {
		return "{token}", true
	}
	if t := identifierPlaceholder(s, v); t != "" {
		return t, true
	}
	if isVersion(s) {
		return s, false
	}
	if t := withPrefix(s); t != "" {
		return t, true
	}
	if isToken(s, v) {
		return "{token}", true
	}
	if t := withEnding(s); t != "" {
		return t, true
	}
	switch {
	case len(s) > 64:
		return "{long}", true
	case hasBraces(s):
		return "{token}", true // a literal brace could be read as a placeholder
	}
	return s, false
}

// redacted stands in a logged path in place of a secret.
const redacted = "[redacted]"

// secretParameter matches a segment that the log side keeps without its value: password=….
var secretParameter = regexp.MustCompile(`(?i)(?:token|secret|passw(?:or)?d|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|` +
	`signature|\bsig|session[-_]?id|credential)=.`)

// isVendorKey reports whether a segment has the form of a key of a known vendor, or stood for a secret. The log side removes secrets before
// it classifies a path, the gate side does not: both must give the path the same route.
func isVendorKey(s string) bool {
	if len(s) >= len(redacted) && strings.Contains(s, redacted) || strings.IndexByte(s, '=') > 0 && secretParameter.MatchString(s) {
		return true
	}
	for _, k := range [...]struct {
		prefix string
		more   int
	}{{"sk_", 12}, {"sk-", 12}, {"pk_", 12}, {"pk-", 12}, {"rk_", 12}, {"rk-", 12},
		{"ghp_", 16}, {"gho_", 16}, {"ghu_", 16}, {"ghs_", 16}, {"ghr_", 16},
		{"github_pat_", 16}, {"glpat-", 16}, {"AIza", 30}, {"AKIA", 16}, {"ASIA", 16}} {
		if strings.HasPrefix(s, k.prefix) && len(s) >= len(k.prefix)+k.more {
			return true
		}
	}
	return false
}

// withEnding returns the template of an identifier with the ending of a file name, which is
// kept: {uuid}.json. It is empty when the segment is not of this form.
func withEnding(s string) string {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || len(s)-i > 6 || len(s)-i <= 1 || hasBraces(s[i:]) {
		return ""
	}
	stem := s[:i]
	t := identifierPlaceholder(stem, countBytes(stem))
	if t == "" {
		t = withPrefix(stem)
	}
	if t == "" {
		return ""
	}
	return t + s[i:]
}

func hasBraces(s string) bool { return strings.ContainsAny(s, "{}/") }

// isQualified matches the name of a service of gRPC: a package in lower case, in which digits
// only end a word (v1, v1beta1, s3), and a service whose words begin with capitals.
func isQualified(s string) bool {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || i == len(s)-1 || len(s) > 128 {
		return false
	}
	for part := range strings.SplitSeq(s[:i], ".") {
		word := strings.TrimRight(part, "0123456789")
		if n := len(part) - len(word); part == "" || len(part) > 40 || n > 4 || word == "" {
			return false
		}
		digits := 0
		for j := 0; j < len(word); j++ {
			c := word[j]
			if c >= '0' && c <= '9' {
				digits++
			}
			if (c < 'a' || c > 'z') && c != '_' && (j == 0 || c < '0' || c > '9') || digits > 2 {
				return false
			}
		}
	}
	service := s[i+1:]
	if service[0] < 'A' || service[0] > 'Z' || len(service) > 64 {
		return false
	}
	digits, lower := 0, 0
	for j := 1; j < len(service); j++ {
		switch c := service[j]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z':
			lower++
		case (c < 'A' || c > 'Z') && c != '_':
			return false
		}
	}
	return lower > 0 && digits <= 2
}

// IsMethodOfService reports whether a path has the form that gRPC requires: /package.Service/Method.
func IsMethodOfService(path string) bool {
	if strings.IndexByte(path, '.') < 0 {
		return false
	}
	service, method, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || method == "" || len(method) > 64 || !isQualified(service) {
		return false
	}
	return !strings.ContainsFunc(method, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// isVersion matches version segments: v1, v2.1.
func isVersion(s string) bool {
	if len(s) < 2 || s[0] != 'v' && s[0] != 'V' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if (s[i] < '0' || s[i] > '9') && (s[i] != '.' || i == 1) {
			return false
		}
	}
	return true
}

// withPrefix returns the template of an identifier with a prefix and a separator, which are kept:
// cus_{id}, ORD-{id}. It is empty when the segment is not of this form.
func withPrefix(s string) string {
	i := strings.LastIndexAny(s, "_-:")
	if i <= 0 || i == len(s)-1 {
		return ""
	}
	head, tail := s[:i], s[i+1:]
	if hasBraces(head) || len(head) > 40 {
		return ""
	}
	v := countBytes(tail)
	switch {
	case v.other > 0 || v.digits == 0:
		return ""
	case v.digits == len(tail):
		return s[:i+1] + "{id}"
	case len(tail) >= 8 && v.hex == len(tail):
		return s[:i+1] + "{hex}"
	case len(tail) >= 3:
		return s[:i+1] + "{id}"
	}
	return ""
}

// Key returns a template with every placeholder replaced by {}, so that templates of different
// sources can be compared.
func Key(template string) string {
	if strings.IndexByte(template, '{') < 0 {
		return template
	}
	return string(appendKey(make([]byte, 0, len(template)), template))
}

// appendKey appends the key of a template.
func appendKey(b []byte, template string) []byte {
	for {
		i := strings.IndexByte(template, '{')
		j := -1
		if i >= 0 {
			j = placeholderEnd(template[i:])
		}
		if i < 0 || j < 0 {
			return append(b, template...)
		}
		b = append(append(b, template[:i]...), "{}"...)
		template = template[i+j+1:]
	}
}

// placeholderEnd returns the index at which the placeholder at the beginning of s ends. A pattern
// inside it can contain braces, as in {id:[0-9]{4}}.
func placeholderEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return strings.IndexByte(s, '}')
}

// normalise converts the placeholder syntaxes of frameworks to {name}.
func normalise(template string) string {
	if template == "" || !strings.ContainsAny(template, ":<[*(") {
		return template
	}
	segs := strings.Split(template, "/")
	for i, s := range segs {
		switch {
		case strings.HasPrefix(s, ":") && len(s) > 1:
			segs[i] = "{" + strings.TrimRight(s[1:], "?*+") + "}"
		case strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">"):
			name := s[1 : len(s)-1]
			if _, after, ok := strings.Cut(name, ":"); ok {
				name = after
			}
			segs[i] = "{" + name + "}"
		case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
			segs[i] = "{" + strings.Trim(s, "[].") + "}"
		case strings.HasPrefix(s, "(?P<"):
			name, _, _ := strings.Cut(s[4:], ">")
			segs[i] = "{" + name + "}"
		case s == "*" || s == "**":
			segs[i] = "{*}"
		}
	}
	return strings.Join(segs, "/")
}
