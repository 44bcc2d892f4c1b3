package fields

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
	"unsafe"
)

// MaxDepth is the maximum nesting depth of JSON.
const MaxDepth = 64

var (
	// ErrSyntax, ErrDeep and ErrFields are the reasons why an object cannot be read.
	ErrSyntax = errors.New("does not parse as JSON")
	ErrDeep   = errors.New("JSON nested deeper than 64")
	ErrFields = errors.New("more than 512 members in one object")
)

// View returns b as a string without a copy. The bytes of a record are never changed.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Space returns the index of the first byte at or after b[i] that is not white space.
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// Scan reads the value at b[i:] and returns the index after it. It checks only the structure, so that a record can be cut into items at
// the ends of values. A word such as NaN, which some loggers write, has the kind null.
func Scan(b []byte, i, depth int) (Value, int, error) {
	if i >= len(b) {
		return Value{}, i, ErrSyntax
	}
	switch c := b[i]; {
	case c == '"':
		end, err := scanString(b, i)
		return Value{'"', b[i:end]}, end, err
	case c == '{' || c == '[':
		end, err := Skip(b, i, depth)
		return Value{c, b[i:end]}, end, err
	case c >= '0' && c <= '9', c == '-' && i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9':
		end := i + 1
		for end < len(b) && (b[end] >= '0' && b[end] <= '9' || b[end] == '.' || b[end] == 'e' || b[end] == 'E' || b[end] == '+' ||
			b[end] == '-') {
			end++
		}
		return Value{'0', b[i:end]}, end, nil
	}
	for _, w := range words {
		if len(b)-i >= len(w) && string(b[i:i+len(w)]) == w {
			return Value{w[0] | 0x20, b[i : i+len(w)]}, i + len(w), nil
		}
	}
	return Value{}, i, ErrSyntax
}

var words = [...]string{"null", "true", "false", "NaN", "nan", "Infinity", "-Infinity", "-inf"}

// scanString returns the index after the string at b[i:]. It checks eight bytes at a time.
func scanString(b []byte, i int) (int, error) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	j := i + 1
	for {
		for j+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[j:])
			q, s := w^(ones*'"'), w^(ones*'\\')
			if m := ((q - ones) &^ q & highs) | ((s - ones) &^ s & highs); m != 0 {
				j += bits.TrailingZeros64(m) / 8
				break
			}
			j += 8
		}
		for j < len(b) && b[j] != '"' && b[j] != '\\' {
			j++
		}
		switch {
		case j >= len(b):
			return len(b), ErrSyntax
		case b[j] == '"':
			return j + 1, nil
		}
		j += 2
	}
}

// Skip checks the structure of the object or list at b[i:] and returns the index after it.
func Skip(b []byte, i, depth int) (int, error) {
	if depth >= MaxDepth {
		return len(b), ErrDeep
	}
	end := byte('}')
	if b[i] == '[' {
		end = ']'
	}
	i = Space(b, i+1)
	if i < len(b) && b[i] == end {
		return i + 1, nil
	}
	for {
		if end == '}' {
			_, at, err := scanKey(b, i)
			if err != nil {
				return len(b), err
			}
			i = at
		}
		_, at, err := Scan(b, i, depth+1)
		if err != nil {
			return len(b), err
		}
		var more bool
		if i, more, err = next(b, at, end); err != nil || !more {
			return i, err
		}
	}
}

// scanKey reads the name of a member and the colon after it.
func scanKey(b []byte, i int) (key []byte, at int, err error) {
	if i >= len(b) || b[i] != '"' {
		return nil, len(b), ErrSyntax
	}
	end, err := scanString(b, i)
	if err != nil {
		return nil, end, err
	}
	key = b[i+1 : end-1]
	if end < len(b) && b[end] == ':' {
		return key, Space(b, end+1), nil
	}
	if i = Space(b, end); i >= len(b) || b[i] != ':' {
		return nil, len(b), ErrSyntax
	}
	return key, Space(b, i+1), nil
}

// next reads a comma or the end of an object or list. more reports whether another element follows.
func next(b []byte, i int, end byte) (at int, more bool, err error) {
	i = Space(b, i)
	switch {
	case i >= len(b):
		return len(b), false, ErrSyntax
	case b[i] == end:
		return i + 1, false, nil
	case b[i] == ',':
		return Space(b, i+1), true, nil
	}
	return len(b), false, ErrSyntax
}

// Elements calls each with the elements of the list at the beginning of b, until each returns false. It returns the index after the last
// element that was read, or after the list.
func Elements(b []byte, each func(Value) bool) (int, error) {
	i := Space(b, 1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		v, at, err := Scan(b, i, 1)
		if err != nil {
			return len(b), err
		}
		if !each(v) {
			return at, nil
		}
		var more bool
		if i, more, err = next(b, at, ']'); err != nil || !more {
			return i, err
		}
	}
}

// Unquote returns the text of a JSON string. A string that is not valid JSON is read leniently.
func Unquote(raw []byte) []byte {
	s := raw[1 : len(raw)-1]
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	var out string
	if json.Unmarshal(raw, &out) != nil {
		return lenient(s)
	}
	return []byte(out)
}

// lenient decodes the escapes of a string that contains raw control characters or escapes that JSON does not define, such as nginx's
// \x22.
func lenient(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case '"', '\\', '/':
			out = append(out, c)
		default:
			out = append(out, '\\', c)
		}
	}
	return bytes.ToValidUTF8(out, []byte("\uFFFD"))
}
