package route

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/schema"
)

// MethodHeaders are the request headers, in lower case, by which many servers let a client
// override the method of the request line.
var MethodHeaders = []string{"x-http-method-override", "x-method-override", "x-http-method"}

// methodParameter overrides the method in a query, a form or a JSON body.
const methodParameter = "_method"

// otherMethods returns the methods, other than its own, that a request names by a header, a
// query parameter or a member of its body. readable is false when there are more than
// maxOverrides.
func otherMethods(own string, in *Input) (out []string, readable bool) {
	list := methodList{own: own, readable: true}
	list.add(in.MethodOverride)
	for _, v := range values(in.RawQuery, methodParameter) {
		list.add(v)
	}
	if len(in.Form) > 0 {
		if strings.Contains(string(in.Form), `name="`+methodParameter+`"`) { // part of a multipart form; its value is not read
			list.add("DELETE")
		}
		for _, v := range values(string(in.Form), methodParameter) {
			list.add(v)
		}
	}
	if bytes.Contains(in.Args, []byte(methodParameter)) {
		if raw, n := jsonMember(in.Args, methodParameter); n > 0 {
			var text string
			if json.Unmarshal(raw, &text) == nil {
				list.add(text)
			}
		}
	}
	return list.methods, list.readable
}

// methodList collects methods, each once.
type methodList struct {
	own      string // method of the request itself, which is left out
	methods  []string
	readable bool // false after more than maxOverrides methods
}

// add adds the methods of a comma-separated text.
func (l *methodList) add(text string) {
	for m := range strings.SplitSeq(text, ",") {
		m = strings.ToUpper(strings.TrimSpace(m))
		if m == "" || m == l.own || slices.Contains(l.methods, m) {
			continue
		}
		if len(l.methods) >= maxOverrides {
			l.readable = false
			return
		}
		if len(m) > 20 || strings.ContainsFunc(m, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			m = schema.OtherMethod
		}
		l.methods = append(l.methods, m)
	}
}

// values returns the values of a parameter in a query or a form. The name is matched in any case and also as a list (name[]=).
func values(query, name string) (out []string) {
	for key, value := range queryParameters(query) {
		if !strings.EqualFold(key, name) {
			continue
		}
		if value = unescaped(value); !utf8.ValidString(value) {
			value = strings.ToValidUTF8(value, "\uFFFD")
		}
		out = append(out, value)
	}
	return out
}

// queryParameters yields the parameters of a query or a form: the name, decoded and without an index (name[]), and the value as it is
// written.
func queryParameters(query string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for rest := query; rest != ""; {
			pair := rest
			if i := strings.IndexAny(rest, "&;"); i >= 0 {
				pair, rest = rest[:i], rest[i+1:]
			} else {
				rest = ""
			}
			key, value, _ := strings.Cut(pair, "=")
			key, _, _ = strings.Cut(unescaped(key), "[")
			if !yield(strings.TrimSpace(key), value) {
				return
			}
		}
	}
}

// unescaped decodes a part of a query. A text that cannot be decoded is returned unchanged.
func unescaped(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	return s
}

// jsonMember returns the last member with a name, in any case, of a JSON object, and the
// number of members with that name.
func jsonMember(object []byte, name string) (value json.RawMessage, n int) {
	in := json.NewDecoder(bytes.NewReader(object))
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return nil, 0
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return nil, 0
		}
		var raw json.RawMessage
		if in.Decode(&raw) != nil {
			return nil, 0
		}
		if k, ok := key.(string); ok && strings.EqualFold(k, name) {
			value = raw
			n++
		}
	}
	return value, n
}
