package fields

import (
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// Value is a value of a record in its original bytes.
type Value struct {
	Kind byte // '"' JSON string, '0' number, 't' true, 'f' false, 'n' null, '{', '[', 's' text that is not quoted, 0 absent
	Raw  []byte
}

// Plain returns a value that is not JSON: a part of a line or an attribute.
func Plain(s string) Value { return Value{'s', unsafe.Slice(unsafe.StringData(s), len(s))} }

// Text returns a string or number as text, and the empty string for null and for placeholders such as "-". For a list, such as a repeated
// header, it uses the first element.
func (v Value) Text() string {
	switch v.Kind {
	case '"':
		return Present(View(Unquote(v.Raw)))
	case 's':
		return Present(View(v.Raw))
	case '0':
		return View(v.Raw)
	case 't':
		return "true"
	case 'f':
		return "false"
	case '[':
		var first Value
		_, _ = Elements(v.Raw, func(e Value) bool { first = e; return false })
		if first.Kind != '[' {
			return first.Text()
		}
	}
	return ""
}

// Present returns s without surrounding spaces. It returns the empty string for placeholders that sources write for a missing value.
func Present(s string) string {
	if s == "" || s[0] == '-' && strings.Trim(s, "- ") == "" {
		return ""
	}
	if s[0] <= ' ' || s[len(s)-1] <= ' ' {
		s = strings.TrimSpace(s)
	}
	switch s {
	case "-", "unknown", "<no value>", "null", "<nil>", "(null)":
		return ""
	}
	return s
}

// Int returns the integer of a number or of a numeric string, without its fraction.
func (v Value) Int() (int64, bool) {
	s := v.Text()
	if s == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f >= 1<<63 || f <= -(1<<63) {
		return 0, false
	}
	return int64(f), true
}

// Count returns a number that cannot be negative. It returns 0 for negative numbers, for other text and above 63 bits.
func (v Value) Count() uint64 {
	n, ok := v.Int()
	if !ok || n < 0 {
		return 0
	}
	return uint64(n)
}

// Small returns Count limited to 32 bits.
func (v Value) Small() uint32 { return uint32(min(v.Count(), math.MaxUint32)) }

// Status returns an HTTP status, or 0 if v is not one.
func (v Value) Status() uint16 {
	if n, ok := v.Int(); ok && n >= 100 && n < 1000 {
		return uint16(n)
	}
	return 0
}
