package decode

import (
	"bytes"

	"flyball/ingest/fields"
)

// repaired reads an object that does not parse as JSON for a reason that log formats written by hand have: a number that is empty, a dash
// or a list, and a comma before the end. err is the error of the original. What is still no JSON is rejected with its original bytes.
func (dec jsonReader) repaired(line []byte, err error, depth int) {
	if reasonOf(err) == NotJSON && len(line) <= maxLine {
		if fixed, changed := repair(line); changed {
			if fixed = bytes.TrimSpace(fixed); oneObject(fixed) && dec.attempt(func() { dec.documents(fixed, depth) }) {
				return
			}
		}
	}
	dec.reject(reasonOf(err), err.Error(), line)
}

// repair returns b with every member value that is missing or a dash replaced by null, with lists of bare numbers quoted, and without
// commas before a closing bracket. It reports whether anything was replaced.
func repair(b []byte) (out []byte, changed bool) {
	out = make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			end := i + 1
			for end < len(b) && b[end] != '"' {
				if b[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(b))
			out = append(out, b[i:end]...)
			i = end - 1
		case c == ':':
			out = append(out, ':')
			from := fields.Space(b, i+1)
			if value, end := bareValue(b, from); value != nil {
				out, changed = append(out, value...), true
				i = end - 1
			}
		case c == ',':
			if j := fields.Space(b, i+1); j < len(b) && (b[j] == '}' || b[j] == ']') {
				changed = true
				continue
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return out, changed
}

// bareValue returns the JSON for a value at b[from:] that is none: null for nothing and for a dash, and a string for a list of numbers. It
// returns nil for other values.
func bareValue(b []byte, from int) (value []byte, end int) {
	end = from
	for end < len(b) && (b[end] >= '0' && b[end] <= '9' || b[end] == '.' || b[end] == '-' || b[end] == ' ' || b[end] == ':' ||
		b[end] == ',' && followsNumber(b, end+1)) {
		end++
	}
	if end >= len(b) || b[end] != ',' && b[end] != '}' {
		return nil, from
	}
	text := bytes.TrimSpace(b[from:end])
	switch {
	case len(text) == 0 || string(text) == "-":
		return []byte("null"), end
	case bytes.ContainsAny(text, ",: "):
		return append(append([]byte{'"'}, text...), '"'), end
	}
	return nil, from
}

// followsNumber reports whether a number or a dash follows a comma, and not the name of a member.
func followsNumber(b []byte, i int) bool {
	i = fields.Space(b, i)
	return i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '-')
}
