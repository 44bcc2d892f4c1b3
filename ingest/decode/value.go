package decode

import (
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// value is a value as it stands in the record.
type value struct {
	kind byte // '"' JSON string, '0' number, 't' true, 'f' false, 'n' null, '{', '[', 's' text that is not quoted, 0 absent
	raw  []byte
}

// plain is a value that is no JSON: a part of a line, an attribute.
func plain(s string) value { return value{'s', unsafe.Slice(unsafe.StringData(s), len(s))} }

// text is a string or a number as text; null and the sentinels are empty. Of a
// list, as headers may be, the first element counts.
func (v value) text() string {
	switch v.kind {
	case '"':
		return present(view(unquote(v.raw)))
	case 's':
		return present(view(v.raw))
	case '0':
		return view(v.raw)
	case 't':
		return "true"
	case 'f':
		return "false"
	case '[':
		var first value
		_, _ = elements(v.raw, func(e value) bool { first = e; return false })
		if first.kind != '[' {
			return first.text()
		}
	}
	return ""
}

// present is s trimmed, empty for what sources write when there is nothing.
func present(s string) string {
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
	if err != nil || math.IsNaN(f) || f >= 1<<63 || f <= -(1<<63) {
		return 0, false
	}
	return int64(f), true
}

// count is a number that cannot be negative; what is above 63 bits is not believed.
func (v value) count() uint64 {
	n, ok := v.number()
	if !ok || n < 0 {
		return 0
	}
	return uint64(n)
}

// small is a count that fits 32 bits.
func (v value) small() uint32 { return uint32(min(v.count(), math.MaxUint32)) }

// status is an HTTP status, 0 for what is none.
func (v value) status() uint16 {
	if n, ok := v.number(); ok && n >= 100 && n < 1000 {
		return uint16(n)
	}
	return 0
}
