package decode

import (
	"math"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// layouts are the accepted time formats besides the usual one. A fraction after the seconds is accepted with each of them.
var layouts = [...]string{time.RFC3339Nano, "02/Jan/2006:15:04:05 -0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05Z0700", "02/Jan/2006:15:04:05", "2006/01/02 - 15:04:05", "2006/01/02 15:04:05"}

// parseTime parses the time formats of logs: RFC 3339 with or without a zone, the common log format, and numbers whose unit follows from
// their size. Fractions are read as text and truncated, not rounded through a float.
func parseTime(s string, zone *time.Location) (ns int64, p schema.Precision, ok bool) {
	if s == "" || len(s) > 64 {
		return 0, 0, false
	}
	if ns, p, ok := parseUTC(s); ok {
		return ns, p, !isUnset(ns)
	}
	if !strings.ContainsAny(s, "/:T") {
		return parseEpoch(s)
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return plausible(t, s)
		}
	}
	if english := englishMonth(s); english != s {
		for _, layout := range layouts {
			if t, err := time.ParseInLocation(layout, english, zone); err == nil {
				return plausible(t, s)
			}
		}
	}
	return 0, 0, false
}

// parseUTC parses 2006-01-02T15:04:05.000Z, the format of nearly all records.
func parseUTC(s string) (int64, schema.Precision, bool) {
	n := len(s)
	if n < 20 || n > 30 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[n-1] != 'Z' {
		return 0, 0, false
	}
	year, ok := number(s[:4])
	month, ok1 := twoDigits(s, 5)
	day, ok2 := twoDigits(s, 8)
	hour, ok3 := twoDigits(s, 11)
	minute, ok4 := twoDigits(s, 14)
	second, ok5 := twoDigits(s, 17)
	if !(ok && ok1 && ok2 && ok3 && ok4 && ok5) || !plainDate(year, month, day) || hour > 23 || minute > 59 || second > 59 {
		return 0, 0, false
	}
	frac, ok := cutPoint(s[19 : n-1])
	if !ok {
		return 0, 0, false
	}
	t := time.Date(int(year), time.Month(month), day, hour, minute, second, 0, time.UTC).Unix()
	return t*1e9 + scaled(frac, 1e9), digits(len(frac)), true
}

// cutPoint returns the digits of a fraction without its point. An empty fraction is valid.
func cutPoint(s string) (digits string, ok bool) {
	if s == "" {
		return "", true
	}
	_, ok = number(s[1:])
	return s[1:], ok && s[0] == '.'
}

// twoDigits returns the number of two digits at s[i:].
func twoDigits(s string, i int) (int, bool) {
	tens, ones := s[i]-'0', s[i+1]-'0'
	return int(tens)*10 + int(ones), tens <= 9 && ones <= 9
}

// plainDate reports whether a date is in the range of Unix ns and its day exists in every month. The library parses dates after the 28th.
func plainDate(year int64, month, day int) bool {
	return year >= 1900 && year <= 2261 && month >= 1 && month <= 12 && day >= 1 && day <= 28
}

func number(s string) (int64, bool) {
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, s != ""
}

// fraction returns the precision that follows from the digits after the seconds.
func fraction(s string) schema.Precision {
	i := strings.LastIndexAny(s, ".,")
	if i < 0 {
		return schema.PrecisionSecond
	}
	n := 0
	for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n++
	}
	return digits(n)
}

func digits(n int) schema.Precision {
	switch {
	case n == 0:
		return schema.PrecisionSecond
	case n <= 3:
		return schema.PrecisionMilli
	case n <= 6:
		return schema.PrecisionMicro
	}
	return schema.PrecisionNano
}

// parseEpoch parses seconds, milliseconds, microseconds or nanoseconds since 1970. A decimal fraction is read as text, so that no digit
// is lost.
func parseEpoch(s string) (int64, schema.Precision, bool) {
	whole, frac, ok := decimal(s)
	if !ok {
		return 0, 0, false
	}
	unit, p := int64(1), schema.PrecisionNano
	switch {
	case whole < 1e11:
		unit, p = 1e9, digits(len(frac))
	case whole < 1e14:
		unit, p = 1e6, digits(3+len(frac))
	case whole < 1e17:
		unit, p = 1e3, digits(6+len(frac))
	}
	if whole > (math.MaxInt64-unit)/unit || whole*unit > maxTime || whole*unit < minEpoch {
		return 0, 0, false
	}
	return whole*unit + scaled(frac, unit), p, true
}

// minEpoch is in March 1973 (Unix ns). A smaller number is not a time but a placeholder.
const minEpoch = 1e8 * 1_000_000_000

// maxTime is the end of the year 2261 (Unix ns).
const maxTime = 9214646400 * 1_000_000_000

// decimal parses a number that is not negative. It returns its whole part and the digits of its fraction. An exponent moves the decimal
// point.
func decimal(s string) (whole int64, frac string, ok bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, err := strconv.Atoi(s[i+1:])
		if err != nil || exp > 30 || exp < -30 {
			return 0, "", false
		}
		before, after, _ := strings.Cut(s[:i], ".")
		all := before + after
		at := len(before) + exp
		for ; at < 0; at++ {
			all = "0" + all
		}
		for len(all) < at {
			all += "0"
		}
		s = all[:at] + "." + all[at:]
	}
	before, frac, _ := strings.Cut(s, ".")
	if before == "" && frac == "" || len(before) > 19 {
		return 0, "", false
	}
	if before != "" {
		n, err := strconv.ParseUint(before, 10, 63)
		if err != nil {
			return 0, "", false
		}
		whole = int64(n)
	}
	for i := 0; i < len(frac); i++ {
		if frac[i] < '0' || frac[i] > '9' {
			return 0, "", false
		}
	}
	return whole, frac, true
}

// scaled returns a decimal fraction, given as its digits, of a unit.
func scaled(frac string, unit int64) int64 {
	out, step := int64(0), unit
	for i := 0; i < len(frac) && step > 1; i++ {
		step /= 10
		out += int64(frac[i]-'0') * step
	}
	return out
}

// parseAmount parses a decimal number of units (1e9 for seconds) and returns nanoseconds. A negative number is not valid; some sources
// write it for "not reached".
func parseAmount(s string, unit int64) (int64, bool) {
	whole, frac, ok := decimal(s)
	if !ok || whole > (math.MaxInt64-unit)/unit {
		return 0, false
	}
	return whole*unit + scaled(frac, unit), true
}

// parseList sums the numbers in a list, as nginx writes it for several tries: "0.100, 1.100", and "0.1 : 0.2" after internal redirects;
// "-" is a try that was not made. n is the number of valid entries, last the last of them. A list with a word in it, such as "57 s", has
// none: the word may be a unit, which the caller does not know.
func parseList(s string, unit int64) (sum int64, n int, last string) {
	for s != "" {
		i := strings.IndexAny(s, ",: ")
		part := s
		if i >= 0 {
			part, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		if v, ok := parseAmount(part, unit); ok && v <= maxDuration && sum <= maxDuration {
			sum, last = sum+v, part
			n++
		} else if !ok && strings.ContainsFunc(part, isLetter) {
			return 0, 0, ""
		}
	}
	return sum, n, last
}

// setTimes sets the start of the call from the time that was read.
func setTimes(d *draft, rec *Record) {
	c := &d.call
	switch {
	case !d.timed:
		c.Start, c.TSBasis, c.TSPrecision = rec.Timestamp, schema.BasisKafka, schema.PrecisionMilli
	case c.TSBasis != schema.BasisUnknown:
	case d.end && c.DurationNs >= 0:
		c.Start, c.TSBasis = c.Start-c.DurationNs, schema.BasisEndMinusDuration
	case d.end:
		c.TSBasis = schema.BasisEnd
	default:
		c.TSBasis = schema.BasisStart
	}
	checkSkew(c, rec.Timestamp)
}

// maxAhead is how far a source's clock may be ahead of Kafka's, in nanoseconds.
const maxAhead = int64(10 * time.Minute)

// checkSkew replaces a time that is more than maxAhead ahead of the record's Kafka timestamp by that timestamp. Times in the past are not
// changed. No clock is read, so that a replay gives the same result.
func checkSkew(c *schema.Call, kafka int64) {
	c.KafkaTime = kafka
	if kafka > 0 && c.Start > maxAhead && c.Start-maxAhead > kafka {
		c.Start, c.TSBasis, c.TSPrecision = kafka, schema.BasisKafka, schema.PrecisionMilli
	}
}

func isLetter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' || r >= 0x80 }
