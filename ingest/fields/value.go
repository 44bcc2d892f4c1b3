package fields

import (
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// Value is a value as it stands in the record.
type Value struct {
	Kind byte // '"' JSON string, '0' number, 't' true, 'f' false, 'n' null, '{', '[', 's' text that is not quoted, 0 absent
	Raw  []byte
}

// Plain is a value that is no JSON: a part of a line, an attribute.
func Plain(s string) Value { return Value{'s', unsafe.Slice(unsafe.StringData(s), len(s))} }

// Text is a string or a number as text; null and the sentinels are empty. Of a
// list, as headers may be, the first element counts.
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

// Present is s trimmed, empty for what sources write when there is nothing.
func Present(s string) string {
	if s == "" || s == "-" {
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

// Int reads an integer from a number or a numeric string; fractions are cut.
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

// Count is a number that cannot be negative; what is above 63 bits is not believed.
func (v Value) Count() uint64 {
	n, ok := v.Int()
	if !ok || n < 0 {
		return 0
	}
	return uint64(n)
}

// Small is a count that fits 32 bits.
func (v Value) Small() uint32 { return uint32(min(v.Count(), math.MaxUint32)) }

// Status is an HTTP status, 0 for what is none.
func (v Value) Status() uint16 {
	if n, ok := v.Int(); ok && n >= 100 && n < 1000 {
		return uint16(n)
	}
	return 0
}
