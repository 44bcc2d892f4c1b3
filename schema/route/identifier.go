package route

import "strings"

// byteCounts counts the kinds of bytes in a segment.
type byteCounts struct {
	digits, lower, upper, hex, other int
	at, dot                          bool
}

func countBytes(s string) byteCounts {
	var v byteCounts
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			v.digits++
			v.hex++
		case c >= 'a' && c <= 'z':
			v.lower++
			if c <= 'f' {
				v.hex++
			}
		case c >= 'A' && c <= 'Z':
			v.upper++
			if c <= 'F' {
				v.hex++
			}
		default:
			v.other++
			v.at = v.at || c == '@'
			v.dot = v.dot || c == '.'
		}
	}
	return v
}

// identifierPlaceholder returns the placeholder of a segment that is an identifier as a whole; otherwise it is
// empty.
func identifierPlaceholder(s string, v byteCounts) string {
	for _, f := range identifierForms {
		if f.matches(s, v) {
			return f.placeholder
		}
	}
	return ""
}

// identifierForms are tested in order; the first that matches applies.
var identifierForms = []struct {
	placeholder string
	matches     func(s string, v byteCounts) bool
}{
	{"{id}", isNumber},
	{"{uuid}", isUUID},
	{"{hex}", func(s string, v byteCounts) bool { return len(s) >= 8 && v.hex == len(s) && v.digits > 0 }},
	{"{ulid}", func(s string, v byteCounts) bool {
		return len(s) == 26 && v.lower == 0 && v.other == 0 && !strings.ContainsAny(s, "ILOU")
	}},
	{"{id}", isRecordLocator},
	{"{date}", func(s string, v byteCounts) bool { return len(s) == 10 && v.digits == 8 && s[4] == '-' && s[7] == '-' }},
	{"{email}", func(_ string, v byteCounts) bool { return v.at && v.dot }},
	{"{ip}", func(s string, _ byteCounts) bool { return isIPv4(s) }},
}

func isNumber(s string, v byteCounts) bool {
	n := len(s)
	return v.digits > 0 && (v.digits == n || n > 1 && (s[0] == '-' || s[0] == '+') && v.digits == n-1)
}

func isUUID(s string, v byteCounts) bool {
	n := len(s)
	return n == 36 && v.hex == 32 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' || n == 32 && v.hex == 32
}

// isRecordLocator matches booking codes and similar ids: HAT041, 4WQ15X.
func isRecordLocator(s string, v byteCounts) bool {
	n := len(s)
	return n >= 5 && n <= 12 && v.digits > 0 && v.upper > 0 && v.digits+v.upper == n
}

func isIPv4(s string) bool {
	parts := 0
	for part := range strings.SplitSeq(s, ".") {
		parts++
		if len(part) == 0 || len(part) > 3 || countBytes(part).digits != len(part) {
			return false
		}
	}
	return parts == 4
}

// isToken reports whether s is a long mixture of characters, as tokens are.
func isToken(s string, v byteCounts) bool {
	n := len(s)
	return n >= 16 && float64(v.digits) > 0.12*float64(n) || n >= 20 && v.digits > 0 && v.lower > 0 && v.upper > 0
}
