package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

const maxDepth = 64

var (
	errSyntax = errors.New("not JSON")
	errDeep   = errors.New("nested deeper than 64")
)

// value is a JSON value as it stands in the record.
type value struct {
	kind byte // '"' string, '0' number, 't' true, 'f' false, 'n' null, '{', '[', 0 absent
	raw  []byte
}

// pair is a member of an object.
type pair struct {
	key string
	val value
}

// text is a string or number as text; null and the sentinels are empty.
func (v value) text() string {
	switch v.kind {
	case '"':
		s := v.raw[1 : len(v.raw)-1]
		if bytes.IndexByte(s, '\\') >= 0 {
			var out string
			if json.Unmarshal(v.raw, &out) != nil {
				return ""
			}
			return present(out)
		}
		return present(view(s))
	case '0':
		return view(v.raw)
	case 't':
		return "true"
	case 'f':
		return "false"
	case '[':
		// Headers may be lists: the first counts.
		var first value
		_, _ = elements(v.raw, 0, func(e value) bool { first = e; return false })
		if first.kind == '[' {
			return ""
		}
		return first.text()
	}
	return ""
}

func present(s string) string {
	switch s {
	case "-", "unknown", "<no value>", "null":
		return ""
	}
	return s
}

// view is b as a string without a copy: record values are never written to.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// number reads an integer from a number or a numeric string; fractions are cut.
func (v value) number() (int64, bool) {
	s := v.text()
	if s == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f || f > 9e18 || f < -9e18 {
		return 0, false
	}
	return int64(f), true
}

// count is a number that cannot be negative.
func (v value) count() uint64 {
	n, ok := v.number()
	if !ok || n < 0 {
		return 0
	}
	return uint64(n)
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scan reads the value at b[i:] and returns the index after it.
func scan(b []byte, i, depth int) (value, int, error) {
	if i >= len(b) {
		return value{}, i, errSyntax
	}
	switch c := b[i]; {
	case c == '"':
		end, err := scanString(b, i)
		return value{'"', b[i:end]}, end, err
	case c == '{' || c == '[':
		if depth >= maxDepth {
			return value{}, i, errDeep
		}
		end, err := skip(b, i, depth)
		return value{c, b[i:end]}, end, err
	case c == '-' || c >= '0' && c <= '9':
		end := i + 1
		for end < len(b) && (b[end] >= '0' && b[end] <= '9' || b[end] == '.' || b[end] == 'e' || b[end] == 'E' || b[end] == '+' || b[end] == '-') {
			end++
		}
		if end == i+1 && c == '-' {
			return value{}, i, errSyntax
		}
		return value{'0', b[i:end]}, end, nil
	case bytes.HasPrefix(b[i:], []byte("true")):
		return value{'t', b[i : i+4]}, i + 4, nil
	case bytes.HasPrefix(b[i:], []byte("false")):
		return value{'f', b[i : i+5]}, i + 5, nil
	case bytes.HasPrefix(b[i:], []byte("null")):
		return value{'n', b[i : i+4]}, i + 4, nil
	}
	return value{}, i, errSyntax
}

func scanString(b []byte, i int) (int, error) {
	for j := i + 1; j < len(b); j++ {
		switch b[j] {
		case '"':
			return j + 1, nil
		case '\\':
			j++
		}
	}
	return len(b), errSyntax
}

// skip passes over an object or a list, checking its structure.
func skip(b []byte, i, depth int) (int, error) {
	if depth >= maxDepth {
		return len(b), errDeep
	}
	if b[i] == '{' {
		return members(b, i, depth, nil)
	}
	return elements(b[i:], depth, nil, i)
}

// members hands over the members of the object at b[i:].
func members(b []byte, i, depth int, each func(key []byte, v value)) (int, error) {
	i = space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return len(b), errSyntax
		}
		end, err := scanString(b, i)
		if err != nil {
			return len(b), err
		}
		key := b[i+1 : end-1]
		if i = space(b, end); i >= len(b) || b[i] != ':' {
			return len(b), errSyntax
		}
		v, next, err := scan(b, space(b, i+1), depth+1)
		if err != nil {
			return len(b), err
		}
		if each != nil {
			each(key, v)
		}
		i = space(b, next)
		switch {
		case i >= len(b):
			return len(b), errSyntax
		case b[i] == '}':
			return i + 1, nil
		case b[i] != ',':
			return len(b), errSyntax
		}
		i = space(b, i+1)
	}
}

// elements hands over the elements of the list that b begins with, until each
// returns false; it returns the index after the list, plus base.
func elements(b []byte, depth int, each func(value) bool, base ...int) (int, error) {
	at := 0
	if len(base) > 0 {
		at = base[0]
	}
	i := space(b, 1)
	if i < len(b) && b[i] == ']' {
		return at + i + 1, nil
	}
	for {
		v, next, err := scan(b, i, depth+1)
		if err != nil {
			return at + len(b), err
		}
		if each != nil && !each(v) {
			each = nil
		}
		i = space(b, next)
		switch {
		case i >= len(b):
			return at + len(b), errSyntax
		case b[i] == ']':
			return at + i + 1, nil
		case b[i] != ',':
			return at + len(b), errSyntax
		}
		i = space(b, i+1)
	}
}

// object reads the members of an object into pairs, keys lower-cased with
// dashes as underscores; of a repeated key the last one counts where it is used.
func object(b []byte, into []pair) ([]pair, error) {
	var failed error
	end, err := members(b, 0, 0, func(key []byte, v value) {
		into = append(into, pair{canonical(key), v})
	})
	if err == nil {
		err = failed
	}
	if err == nil && space(b, end) != len(b) {
		err = errSyntax
	}
	return into, err
}

// canonical is a key in the one form that tables use: lower case, dashes and a
// leading colon gone. The usual key is returned as it stands.
func canonical(key []byte) string {
	plain := true
	for _, c := range key {
		if c == '-' || c >= 'A' && c <= 'Z' || c == '\\' || c == ':' {
			plain = false
			break
		}
	}
	if plain {
		return view(key)
	}
	if bytes.IndexByte(key, '\\') >= 0 {
		var s string
		if json.Unmarshal(append(append([]byte{'"'}, key...), '"'), &s) != nil {
			return ""
		}
		key = []byte(s)
	}
	out := make([]byte, 0, len(key))
	for i, c := range key {
		switch {
		case c == ':' && i == 0:
		case c == '-':
			out = append(out, '_')
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, c)
		}
	}
	return view(out)
}

func reasonOf(err error) Reason {
	if errors.Is(err, errDeep) {
		return TooDeep
	}
	return NotJSON
}

// sanitised is b as valid UTF-8; only a broken record is copied.
func sanitised(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD"))
}
